"""Files of JSON lines: plain, or compressed where the name ends in `.gz` or `.zst`.

A scan that is killed leaves a file that ends anywhere. Its whole lines can be read, and `repair` makes it a
file that can be appended to. A line is whole when it has a line end. A compressed file is a sequence of
independent members (RFC 1952 §2.2; RFC 8878 §3 calls them frames), and the flushed beginning of a member can
be read without its rest.

An interruption leaves missing octets only. Wrong octets are never cut off: they raise `LinesError`.
"""

import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

__all__ = ["LINE_LIMIT", "LineWriter", "LinesError", "open_lines", "repair"]

# Octets of a line that are kept: a thousand times the line of a large provider.
LINE_LIMIT = 1 << 26
_PIECE = 1 << 20
# Compressed octets unpacked at once: the result has to fit in memory, even if the file is hostile.
_SLICE = 1 << 12
_GZIP = 16 + zlib.MAX_WBITS


class LinesError(ValueError):
    """The file cannot be used; the message says why and how to fix it."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Format:
    """The codec of a compression. Flushing with `sync` continues a member, with `finish` ends it."""

    unpacker: Callable[[], _Unpacker]
    packer: Callable[[], _Packer]
    sync: int
    finish: int
    error: type[Exception]


def _format_of(path: Path) -> _Format | None:
    """Return the format, None for a plain file. Raise `LinesError` where its package is not installed."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return _Format(
            unpacker=partial(zlib.decompressobj, _GZIP),
            packer=partial(zlib.compressobj, wbits=_GZIP),
            sync=zlib.Z_SYNC_FLUSH,
            finish=zlib.Z_FINISH,
            error=zlib.error,
        )
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
        unpacker=lambda: zstandard.ZstdDecompressor().decompressobj(),
        packer=lambda: zstandard.ZstdCompressor(write_checksum=True).compressobj(),
        sync=zstandard.COMPRESSOBJ_FLUSH_BLOCK,
        finish=zstandard.COMPRESSOBJ_FLUSH_FINISH,
        error=zstandard.ZstdError,
    )


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a file and yield its lines with their line ends; `-` is standard input, uncompressed.

    A half-written last line has no line end. A line is cut after `LINE_LIMIT` octets. Raise `LinesError` and
    `OSError`, also while the lines are read.
    """
    form = _format_of(path)
    with _opened(path) as file:
        pieces = _Members(path, file, form) if form else iter(partial(file.read, _PIECE), b"")
        yield _lines(pieces)


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

    def _unpacked(self, unpacker: _Unpacker, packed: bytes) -> bytes:
        try:
            return unpacker.decompress(packed)
        except self._form.error as error:
            raise LinesError(
                f"{str(self._path)!r} is damaged near octet {self._read:,}: {error}. "
                "Decompress the undamaged part by hand, and use that as a plain file."
            ) from None


class LineWriter:
    """Writes a new file of JSON lines, or appends to one that `repair` has made whole.

    Raises `LinesError` where the package for the format is not installed, and `OSError`, as on a full disk;
    the file may then end within a line, and the next call tries to write the rest again.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._form = _format_of(path)
        self._packer = self._form.packer() if self._form else None
        self._pending = bytearray()
        self._file = path.open("ab" if append else "wb", buffering=0)

    def __enter__(self) -> "LineWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        # report the first error, not the one that it causes here
        with suppress(OSError) if kind is not None else nullcontext():
            self.close()

    def write(self, line: bytes) -> None:
        """Add a line, given without line end. Raise `ValueError` where it has one."""
        if b"\n" in line:
            raise ValueError("a line holds no line end")
        octets = line + b"\n"
        self._pending += self._packer.compress(octets) if self._packer else octets
        if len(self._pending) >= _PIECE:
            self._drain()

    def flush(self) -> None:
        """Make every line written so far readable, even if this process is killed next."""
        if self._form and self._packer:
            self._pending += self._packer.flush(self._form.sync)
        self._drain()

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        if self._file.closed:
            return
        try:
            if self._form and self._packer:
                self._pending += self._packer.flush(self._form.finish)
            self._drain()
        finally:
            self._file.close()

    def _drain(self) -> None:
        while self._pending:
            written = self._file.write(self._pending)
            del self._pending[: written or 0]


def repair(path: Path) -> int:
    """Cut off a half-written end, so that the file can be appended to; return the number of lines left.

    A plain file is truncated in place. Of a compressed file the complete members are copied to a new file,
    followed by the whole lines of the last member, compressed again; then the new file replaces the old one.
    A file that is whole is not changed.
    Raise `LinesError` and `OSError`; the file is unchanged then.
    """
    form = _format_of(path)
    if form is None:
        return _repair_plain(path)
    path = path.resolve()
    with path.open("rb") as file:
        members = _Members(path, file, form)
        lines = sound = 0
        at_line_end = True
        for octets in members:
            lines += octets.count(b"\n")
            at_line_end = octets.endswith(b"\n") if octets else at_line_end
            if at_line_end and not members.within:
                sound = members.ended_at
        if members.within or not at_line_end:
            _rewrite(path, file, form, sound)
    return lines


def _repair_plain(path: Path) -> int:
    with path.open("rb+") as file:
        lines = sound = read = 0
        while piece := file.read(_PIECE):
            lines += piece.count(b"\n")
            end = piece.rfind(b"\n") + 1
            sound = read + end if end else sound
            read += len(piece)
        if sound < read:
            file.truncate(sound)
            os.fsync(file.fileno())
    return lines


def _rewrite(path: Path, file: BinaryIO, form: _Format, sound: int) -> None:
    """Keep the first `sound` octets, and write the whole lines after them as a member of their own."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:200]}.", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        file.seek(0)
        with os.fdopen(handle, "wb") as copy:
            while sound and (piece := file.read(min(sound, _PIECE))):
                copy.write(piece)
                sound -= len(piece)
        with LineWriter(temporary, append=True) as writer:
            for line in _lines(_Members(path, file, form)):
                if line.endswith(b"\n"):
                    writer.write(line[:-1])
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
