"""Files of JSON lines survive whatever ends a process, plain and compressed, and so does what was in them."""

import gzip
import io
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from checker_smtp import lines as module
from checker_smtp.lines import LinesError, LineWriter, open_lines, repair

SUFFIXES = ("jsonl", "jsonl.gz", "jsonl.zst")
LINES = [b'{"n":%d,"text":"%s"}' % (n, random.Random(n).randbytes(n % 90).hex().encode()) for n in range(400)]  # noqa: S311


def read(path: Path) -> list[bytes]:
    with open_lines(path) as lines:
        return list(lines)


def whole(path: Path) -> list[bytes]:
    return [line[:-1] for line in read(path) if line.endswith(b"\n")]


def unpacked(path: Path) -> bytes:
    """The file as the usual tools have it, which complain where it is not whole."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        reader = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True)
        return io.BufferedReader(reader).read()
    return path.read_bytes()


@contextmanager
def writer_of(path: Path) -> Iterator[LineWriter]:
    """Open the file for appending."""
    with path.open("ab", buffering=0) as file, LineWriter(file, path) as writer:
        yield writer


def flushed_file(path: Path, step: int = 7) -> list[tuple[int, int]]:
    """Write all lines, and flush every `step`; return (octets, lines) at each flush."""
    at = []
    with writer_of(path) as writer:
        for number, line in enumerate(LINES, 1):
            writer.write(line)
            if number % step == 0:
                writer.flush()
                at.append((path.stat().st_size, number))
    return [*at, (path.stat().st_size, len(LINES))]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    flushed_file(path)
    assert whole(path) == LINES
    assert unpacked(path) == b"".join(line + b"\n" for line in LINES)
    before = path.read_bytes()
    repair(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_anywhere_it_can_be_read_repaired_and_continued(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    flushes = flushed_file(path)
    octets = path.read_bytes()
    choice = random.Random(suffix)  # noqa: S311 - no secret
    cuts = {0, 1, 2, 9, len(octets) - 1, *(at for at, _ in flushes)}
    for cut in sorted(cuts | {choice.randrange(len(octets)) for _ in range(120)}):
        path.write_bytes(octets[:cut])
        found = whole(path)
        assert found == LINES[: len(found)]
        repair(path)
        kept = whole(path)
        # all that was flushed by then; of a plain file every whole line
        flushed = max((count for at, count in flushes if at <= cut), default=0)
        assert len(kept) == (len(found) if suffix == "jsonl" else flushed)
        assert octets.startswith(path.read_bytes())
        with writer_of(path) as writer:
            for line in LINES[len(kept) :]:
                writer.write(line)
        assert unpacked(path) == b"".join(line + b"\n" for line in LINES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_repaired_twice_is_repaired_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    flushed_file(path)
    path.write_bytes(path.read_bytes()[:-9])
    repair(path)
    repaired = path.read_bytes()
    repair(path)
    assert path.read_bytes() == repaired


def test_a_line_that_spans_members_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl.gz"
    path.write_bytes(gzip.compress(b'{}\n{"a":') + gzip.compress(b"1}\n") + gzip.compress(b'{"b"'))
    assert read(path) == [b"{}\n", b'{"a":1}\n', b'{"b"']
    repair(path)
    assert unpacked(path) == b'{}\n{"a":1}\n'


@pytest.mark.parametrize("suffix", ["jsonl.gz", "jsonl.zst"])
def test_a_member_has_many_lines_and_none_waits_long(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "_MEMBER", 100)
    path = tmp_path / f"results.{suffix}"
    with writer_of(path) as writer:
        for clock[0], readable in ((5.0, 0), (14.9, 0), (15.1, 3), (16.0, 3)):
            writer.write(b"{}")
            assert len(whole(path)) == readable
        writer.write(b"x" * 100)
        assert len(whole(path)) == 5


@pytest.mark.parametrize("suffix", ["jsonl.gz", "jsonl.zst"])
def test_a_damaged_file_is_not_changed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    flushed_file(path)
    octets = bytearray(path.read_bytes())
    for wrong in (b"no member", bytes(octets) + b"no member"):
        path.write_bytes(wrong)
        with pytest.raises(LinesError, match="is damaged near octet"):
            repair(path)
        assert path.read_bytes() == wrong
        with pytest.raises(LinesError, match="Decompress the undamaged part by hand"):
            read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    with writer_of(path):
        pass
    repair(path)
    assert path.read_bytes() == b""
    assert read(path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    """The lines are not written a second time behind a part of them."""
    path = tmp_path / f"results.{suffix}"
    with Path("/dev/full").open("ab", buffering=0) as full:
        with pytest.raises(OSError, match="No space left"), LineWriter(full, path) as writer:  # noqa: PT012
            writer.write(b"{}")
            writer.flush()
        with pytest.raises(OSError, match="No space left"), LineWriter(full, path) as writer:
            writer.write(b"{}")


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "results.jsonl.gz", tmp_path / "latest.jsonl.gz"
    flushed_file(path)
    path.write_bytes(path.read_bytes()[:-5])
    link.symlink_to(path)
    repair(link)
    assert link.is_symlink()
    assert unpacked(path)


def test_long_lines_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT", 10)
    monkeypatch.setattr(module, "_PIECE", 7)
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"123456789\n" + b"x" * 100 + b"\n1234567890\n\n" + b"y" * 30)
    assert read(path) == [b"123456789\n", b"x" * 10 + b"\n", b"1234567890\n", b"\n", b"y" * 10]


def test_a_line_holds_no_line_end(tmp_path: Path) -> None:
    with writer_of(tmp_path / "x.jsonl") as writer, pytest.raises(ValueError, match="no line end"):
        writer.write(b"{}\n{}")


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        repair(tmp_path / name)


def test_without_zstandard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(LinesError, match=r"Use \.gz, or install it with: pip install 'checker-smtp\[scan\]'"):
        LineWriter(io.BytesIO(), tmp_path / "x.jsonl.zst")


KILLED = """
import sys
from pathlib import Path
from checker_smtp.lines import LineWriter
path = Path(sys.argv[1])
with path.open("ab", buffering=0) as file, LineWriter(file, path) as writer:
    for number in range(10**9):
        writer.write(b'{"n":%d}' % number)
        if number % 10 == 0:
            writer.flush()
            print(number, flush=True)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_while_writing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    kept = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as process:
            assert process.stdout is not None
            reported = [int(process.stdout.readline()) for _ in range(30)]
            process.kill()
        repair(path)
        before, kept = kept, len(whole(path))
        # every line that was flushed before it said so
        assert kept >= before + reported[-1] + 1
        numbers = [int(line.removeprefix(b'{"n":').removesuffix(b"}")) for line in whole(path)[before:]]
        assert numbers == list(range(kept - before))
