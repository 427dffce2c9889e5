"""Files of JSON lines: plain, or compressed where the name ends in `.gz` or `.zst`.

A scan that is killed leaves a file that ends anywhere. Its whole lines can be read, and `repair` makes it a
file that can be appended to. A line is whole when it has a line end. A compressed file is a sequence of
independent members (RFC 1952 §2.2; RFC 8878 §3 calls them frames), each with whole lines, so that repair is
truncation after the last whole one.

An interruption leaves missing octets only. Wrong octets are never cut off: they raise `LinesError`.
"""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Protocol

__all__ = ["LINE_LIMIT", "LineWriter", "LinesError", "open_lines", "repair"]

# Octets of a line that are kept: a thousand times the line of a large provider.
LINE_LIMIT = 1 << 26
_PIECE = 1 << 20
# Compressed octets unpacked at once: the result has to fit in memory, even if the file is hostile.
_SLICE = 1 << 12
_GZIP = 16 + zlib.MAX_WBITS
# Octets of lines in a member, and seconds that the first of them waits for more: what a killed scan repeats.
_MEMBER, _MAX_WAIT = 1 << 20, 10.0


class LinesError(ValueError):
    """The file cannot be used; the message says why and how to fix it."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Format:
    """The codec of a compression; `pack` makes a member."""

    unpacker: Callable[[], _Unpacker]
    pack: Callable[[bytes | bytearray], bytes]
    error: type[Exception]


def _format_of(path: Path) -> _Format | None:
    """Return the format, None for a plain file. Raise `LinesError` where its package is not installed."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        pack = partial(gzip.compress, compresslevel=6)
        return _Format(partial(zlib.decompressobj, _GZIP), pack, zlib.error)
    return _zstd(path) if suffix == ".zst" else None


def _zstd(path: Path) -> _Format:
    try:
        import zstandard
    except ImportError:
        raise LinesError(
            f"{str(path)!r} cannot be used: the package zstandard is not installed. "
            "Use .gz, or install it with: pip install 'checker-smtp[scan]'"
        ) from None
    return _Format(
        lambda: zstandard.ZstdDecompressor().decompressobj(),
        zstandard.ZstdCompressor(write_checksum=True).compress,
        zstandard.ZstdError,
    )


@contextmanager
def open_lines(path: Path, *, require_whole: bool = False) -> Iterator[Iterator[bytes]]:
    """Open a file and yield its lines with their line ends; `-` is standard input, uncompressed.

    A half-written last line has no line end. A line is cut after `LINE_LIMIT` octets. Raise `LinesError` and
    `OSError`, also while the lines are read; with `require_whole` for a compressed file that ends within a
    member as well.
    """
    form = _format_of(path)
    with _opened(path) as file:
        if form is None:
            yield _lines(iter(partial(file.read, _PIECE), b""))
        else:
            members = _Members(path, file, form)
            yield _lines(members.whole() if require_whole else members)


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    if path != Path("-"):
        return path.open("rb")
    if sys.stdin is None:
        raise LinesError("standard input cannot be read: it is closed. Name a file.")
    return nullcontext(sys.stdin.buffer)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    line: list[bytes] = []
    length = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        line.append(first[: max(LINE_LIMIT - length, 0)])
        length += len(first)
        for other in others:
            yield b"".join((*line, b"\n"))
            line, length = [other[:LINE_LIMIT]], len(other)
    if length:
        yield b"".join(line)


class _Members:
    """The decompressed content of a file, in pieces.

    After each piece, `within` is True if its member continues, and `ended_at` is the offset in the file at
    which the last complete member ended.
    """

    def __init__(self, path: Path, file: BinaryIO, form: _Format) -> None:
        self._path, self._file, self._form = path, file, form
        self._read = 0
        self.ended_at = 0
        self.within = False

    def __iter__(self) -> Iterator[bytes]:
        unpacker = self._form.unpacker()
        while piece := self._file.read(_PIECE):
            for start in range(0, len(piece), _SLICE):
                rest = piece[start : start + _SLICE]
                while rest:
                    octets = self._unpacked(unpacker, rest)
                    left = unpacker.unused_data if unpacker.eof else b""
                    self._read += len(rest) - len(left)
                    rest = left
                    self.within = not unpacker.eof
                    if unpacker.eof:
                        self.ended_at, unpacker = self._read, self._form.unpacker()
                    yield octets

    def whole(self) -> Iterator[bytes]:
        """Yield the pieces. Raise `LinesError` at the end of a file that is truncated."""
        yield from self
        if self.within:
            raise LinesError(
                f"{str(self._path)!r} is truncated: it ends within compressed data, at octet {self._read:,}. "
                "Copy it again, or decompress the rest by hand and use that as a plain file."
            )

    def _unpacked(self, unpacker: _Unpacker, packed: bytes) -> bytes:
        try:
            return unpacker.decompress(packed)
        except self._form.error as error:
            raise LinesError(
                f"{str(self._path)!r} is damaged near octet {self._read:,}: {error}. "
                "Decompress the undamaged part by hand, and use that as a plain file."
            ) from None


class LineWriter:
    """Writes lines to `file`, which is unbuffered, in the format that the name `path` has.

    A plain file gets each line at once. A compressed one gets a member when enough lines are pending or the
    first of them has waited long enough, and at the end. Raises `LinesError` where the package for the format
    is not installed, and `OSError`, as on a full disk: the file may then end within a line.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._form = _format_of(path)
        self._file = file
        self._pending = bytearray()
        self._due_at = 0.0

    def __enter__(self) -> "LineWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # report the first error, not the one that it causes here
        with suppress(OSError) if kind is not None else nullcontext():
            self.flush()

    def write(self, line: bytes) -> None:
        """Add a line, given without line end. Raise `ValueError` where it has one."""
        if b"\n" in line:
            raise ValueError("a line holds no line end")
        if not self._pending:
            self._due_at = monotonic() + _MAX_WAIT
        self._pending += line + b"\n"
        if self._form is None or len(self._pending) >= _MEMBER or monotonic() >= self._due_at:
            self.flush()

    def flush(self) -> None:
        """Write the pending lines."""
        if not self._pending:
            return
        octets = memoryview(self._form.pack(self._pending) if self._form else bytes(self._pending))
        # cleared first: the lines must not be written again behind a part of them
        self._pending.clear()
        while octets:
            octets = octets[self._file.write(octets) :]


def repair(path: Path) -> None:
    """Cut off a half-written end, so that the file can be appended to; a file that is whole is not changed.

    Raise `LinesError` and `OSError`; the file is unchanged then.
    """
    form = _format_of(path)
    with path.open("rb+") as file:
        sound = _end_of_members(_Members(path, file, form)) if form else _end_of_lines(file)
        if sound < file.seek(0, os.SEEK_END):
            file.truncate(sound)
            os.fsync(file.fileno())


def _end_of_lines(file: BinaryIO) -> int:
    sound = read = 0
    while piece := file.read(_PIECE):
        end = piece.rfind(b"\n") + 1
        sound = read + end if end else sound
        read += len(piece)
    return sound


def _end_of_members(members: _Members) -> int:
    sound = 0
    at_line_end = True
    for octets in members:
        at_line_end = octets.endswith(b"\n") if octets else at_line_end
        if at_line_end and not members.within:
            sound = members.ended_at
    return sound
