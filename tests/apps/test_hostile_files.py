"""Files that are damaged, endless or hostile get one sentence of at most 300 characters, and no traceback."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.apps.command import FIXTURES, Run, run, run_process

HOSTILE = "\x1b]0;title\x07\u202e\n\r\u2028"


def refusal(done: Run) -> str:
    """Return the only line of an error."""
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("checker-smtp: ")
    assert done.err.count("\n") == 1
    assert done.err[:-1].isprintable()
    assert len(done.err) <= 300
    return done.err[len("checker-smtp: ") : -1]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "postfix-healthy", tmp_path / "case"))


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def replace_by_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def replace_by_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def grow(path: Path) -> None:
    os.truncate(path, 1 << 40)


def nest(path: Path) -> None:
    path.write_text('{"a":' * 200_000, encoding="utf-8")


def add_files(path: Path) -> None:
    for number in range(1001):
        (path.parent / f"{number}-x.jsonl").touch()


SPECIAL = "is a pipe, a socket or a device: a case has plain files only"
LARGE = "is too large: a case has at most 1000 files and 64 MiB. Give the folder of one check"


@pytest.mark.parametrize("name", ["case.toml", "dns.jsonl", "expected.json", "1-127.1.1.10.jsonl"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (replace_by_pipe, SPECIAL),
        (replace_by_device, SPECIAL),
        (replace_by_socket, SPECIAL),
        (replace_by_loop, "cannot be read: Too many levels of symbolic links"),
        (grow, LARGE),
        (add_files, LARGE),
        (nest, ""),
    ],
)
def test_a_file_of_a_case(case: Path, name: str, spoil: Callable[[Path], None], words: str) -> None:
    spoil(case / name)
    assert words in refusal(run("replay", case))


@pytest.mark.parametrize("spoil", [replace_by_pipe, replace_by_device, grow])
def test_a_process_ends_at_once(case: Path, spoil: Callable[[Path], None]) -> None:
    spoil(case / "dns.jsonl")
    refusal(run_process("replay", case))


@pytest.mark.parametrize(
    "command", [["replay"], ["check", "--config"], ["scan", "-o", "r", "--exclude-file"]]
)
@pytest.mark.parametrize("path", [HOSTILE, "x" * 5000, f"{HOSTILE}/" * 100])
def test_a_path_in_an_error_is_safe_and_short(tmp_path: Path, command: list[str], path: str) -> None:
    refusal(run(*command, path, *(["list"] if command[0] == "scan" else []), cwd=tmp_path))


def test_a_long_error_keeps_its_beginning_and_its_end() -> None:
    words = refusal(run("replay", "x" * 5000))
    assert words.startswith("xxx")
    assert words.endswith("xxx is no case, which is a folder: File name too long")
    assert len(words) > 250


def scan_of(tmp_path: Path, name: str, octets: bytes, *options: str) -> str:
    (tmp_path / name).write_bytes(octets)
    return refusal(run("scan", name, "-o", "r.jsonl", *options, cwd=tmp_path))


def test_a_list_with_an_open_quotation_mark(tmp_path: Path) -> None:
    rows = [b"id,domain", b'1,"a.test', *(b"%d,d%d.test" % (n, n) for n in range(20_000))]
    assert scan_of(tmp_path, "list.csv", b"\n".join(rows), "--column", "domain") == (
        "line 2 of the list opens a quotation mark that is not closed within 253 characters: "
        "close it, or double a quotation mark that is part of the text"
    )
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_list_in_utf_16(tmp_path: Path, encoding: str) -> None:
    words = scan_of(tmp_path, "list", "a.test\nb.test\n".encode(encoding))
    assert words == "the list is in UTF-16: give it in UTF-8, as made by: iconv -f UTF-16 -t UTF-8 LIST"


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_compressed_list_that_is_truncated(tmp_path: Path, kept: float) -> None:
    whole = zstandard.compress(b"".join(b"%s.test\n" % os.urandom(8).hex().encode() for _ in range(9999)))
    words = scan_of(tmp_path, "list.zst", whole[: int(len(whole) * kept)])
    assert words.startswith("'list.zst' is truncated: it ends within compressed data, at octet ")
    assert words.endswith("Copy it again, or decompress the rest by hand and use that as a plain file")


def test_a_list_whose_header_is_hostile(tmp_path: Path) -> None:
    header = (HOSTILE.replace("\n", "").replace("\r", "") * 100).encode()
    words = scan_of(tmp_path, "list.csv", header + b"\na.test\n", "--column", "domain")
    assert words.startswith("the list has no column 'domain': its first line names \\x1b]0;title")
