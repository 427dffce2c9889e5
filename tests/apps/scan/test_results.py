"""Results on disk: their place, their manifest, and how they are continued."""

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest

from checker_smtp.lines import LineWriter
from checker_smtp.scan.output.manifest import ScanManifest, locked_results
from checker_smtp.scan.output.results import ResultsError
from checker_smtp.scan.output.results_file import ResultsFile

MANIFEST = ScanManifest(list_digest="abc", options={"timeout": "4.0", "port": "25"})
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


@pytest.fixture(params=SUFFIXES)
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"results{request.param}"


def line(domain: str) -> bytes:
    return json.dumps({"version": 1, "observation": {"domain": domain, "x": [1, {"domain": "no"}]}}).encode()


def write(path: Path, numbers: Iterable[int], *, in_order: bool = False) -> None:
    with ResultsFile(path).open(in_order=in_order) as target:
        for number in numbers:
            target.put(number, line(f"d{number}.test"))


def begin(
    path: Path, manifest: ScanManifest = MANIFEST, *, resume: bool = False, force: bool = False
) -> None:
    with locked_results(ResultsFile(path), manifest, resume=resume, force=force) as make_ready:
        make_ready()


def read(path: Path) -> list[str]:
    return list(ResultsFile(path).done_domains())


def test_in_order_of_completion_and_continued(results: Path) -> None:
    begin(results)
    write(results, [2, 0, 1])
    begin(results, resume=True)
    write(results, [4, 3])
    assert read(results) == [f"d{n}.test" for n in (2, 0, 1, 4, 3)]


def test_in_the_order_of_the_list(results: Path) -> None:
    begin(results)
    write(results, [2, 0, 3, 1, 5], in_order=True)
    # the fifth waits for the fourth, which was not written
    assert read(results) == [f"d{n}.test" for n in range(4)]


def test_lines_that_come_early_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checker_smtp.scan.output.results_file._MAX_EARLY", 1000)
    results = tmp_path / "r.jsonl"
    for numbers in (range(500, -1, -1), [*range(1, 300), 0, 301, 300]):
        begin(results, force=True)
        write(results, numbers, in_order=True)
        assert read(results) == [f"d{n}.test" for n in sorted(numbers)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl", "r.jsonl.scan"]


def test_a_line_can_be_read_as_soon_as_it_was_put(tmp_path: Path) -> None:
    results = tmp_path / "r.jsonl"
    with ResultsFile(results).open(in_order=False) as target:
        for number in range(5):
            target.put(number, line(f"d{number}.test"))
            assert len(read(results)) == number + 1


def test_a_half_written_end_is_cut_off(results: Path) -> None:
    begin(results)
    write(results, range(3))
    whole = results.read_bytes()
    for cut in range(1, 40, 3):
        results.write_bytes(whole[:-cut])
        begin(results, resume=True)
        done = read(results)
        assert done == [f"d{n}.test" for n in range(len(done))]
        assert len(done) <= 3
        write(results, range(len(done), 3))
        assert read(results) == ["d0.test", "d1.test", "d2.test"]


# refusals


def refusal(
    path: Path, manifest: ScanManifest = MANIFEST, *, resume: bool = False, force: bool = False
) -> str:
    """Return the error of `begin`; nothing may have been changed."""
    before = {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    with pytest.raises(ResultsError) as caught:
        begin(path, manifest, resume=resume, force=force)
    assert {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()} == before
    return str(caught.value)


def test_results_that_exist(results: Path) -> None:
    results.write_bytes(b"precious")
    assert "Continue that scan with --resume, overwrite the file with --force" in refusal(results)
    begin(results, force=True)
    assert read(results) == []


def test_results_of_another_list(results: Path) -> None:
    begin(results)
    write(results, [0])
    other = ScanManifest(list_digest="abd", options=MANIFEST.options)
    assert "it has the results of another list" in refusal(results, other, resume=True)


def test_results_of_other_options(results: Path) -> None:
    begin(results)
    write(results, [0])
    other = ScanManifest(list_digest="abc", options={"timeout": "5.0", "ipv6": "True"})
    assert "(ipv6 was not given; port was 25; timeout was 4.0)" in refusal(results, other, resume=True)


@pytest.mark.parametrize(
    "manifest", [None, b"", b"{", b"[]", b'{"list_digest":1,"options":{}}', b"\xff", b"{}"]
)
def test_a_missing_or_unreadable_manifest(results: Path, manifest: bytes | None) -> None:
    write(results, [0])
    if manifest is not None:
        ScanManifest.path_of(results).write_bytes(manifest)
    assert "is missing or unreadable" in refusal(results, resume=True)


def test_a_manifest_that_is_a_folder(results: Path) -> None:
    write(results, [0])
    ScanManifest.path_of(results).mkdir()
    assert "is missing or unreadable" in refusal(results, resume=True)
    assert "cannot be used: Is a directory" in refusal(results, force=True)


@pytest.mark.parametrize("there", ["nothing", "manifest", "empty results", "both"])
def test_resume_without_a_line_starts_anew(results: Path, there: str) -> None:
    """A process that is killed early enough leaves any of these."""
    if there in ("manifest", "both"):
        ScanManifest.path_of(results).write_text("{")
    if there in ("empty results", "both"):
        results.touch()
    begin(results, resume=True)
    assert ScanManifest.read(results) == MANIFEST
    write(results, [0])
    assert read(results) == ["d0.test"]


@pytest.mark.parametrize("at", ["write_bytes", "replace"])
def test_being_killed_while_old_results_are_overwritten(
    results: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """At no moment do old lines lie beside the new manifest."""
    begin(results)
    write(results, [0])
    monkeypatch.setattr(Path, at, _killed)
    with pytest.raises(KeyboardInterrupt):
        begin(results, ScanManifest(list_digest="new", options={}), force=True)
    manifest, lines = ScanManifest.read(results), read(results)
    assert (manifest, lines) in [(MANIFEST, ["d0.test"]), (MANIFEST, [])]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"cannot be used: .*\. Name a file in a folder that is writable"):
        begin(tmp_path / "nowhere" / "r.jsonl")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("x" * 250 + ".jsonl"))


def test_lines_that_are_not_from_a_scan(tmp_path: Path) -> None:
    results = tmp_path / "r.jsonl"
    begin(results)
    for bad in (b"\0\0\0\n", b"[]\n", b'{"observation":null}\n', b'{"domain":1}\n', b"\n", b'"\xff"\n'):
        results.write_bytes(line("a.test") + b"\n" + bad)
        with pytest.raises(ResultsError, match=r"line 2 is not a line of a scan\. Remove it"):
            read(results)


def test_names_that_were_not_checked_count_as_done(tmp_path: Path) -> None:
    results = tmp_path / "r.jsonl"
    results.write_bytes(b'{"version":1,"domain":"a b","not_checked":"bad-name","reason":"no"}\n')
    assert read(results) == ["a b"]


# two at once


def test_two_scans_do_not_write_to_the_same_results(results: Path) -> None:
    for force in (False, True):
        with ExitStack() as first:
            first.enter_context(locked_results(ResultsFile(results), MANIFEST, resume=False, force=force))()
            write(results, [0])
            for again in ({"resume": True}, {"force": True}):
                assert "another scan is writing" in refusal(results, **again)
            assert read(results) == ["d0.test"]
    begin(results, resume=True)


def test_two_scans_started_at_the_same_moment(results: Path) -> None:
    """Neither finds a lock of the other when it takes its own."""
    with ExitStack() as both:
        first, second = (
            both.enter_context(locked_results(ResultsFile(results), MANIFEST, resume=False, force=False))
            for _ in range(2)
        )
        first()
        write(results, [0])
        with pytest.raises(ResultsError, match="another scan is writing"):
            second()
        assert ScanManifest.read(results) == MANIFEST
        assert read(results) == ["d0.test"]


# a full disk


class _Full:
    """Stands for the file of a `LineWriter`; it has room for `room` octets."""

    def __init__(self, file: BinaryIO, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data: bytes) -> int:
        if not self._room:
            raise OSError(28, os.strerror(28))
        taken = min(self._room, len(data))
        self._room -= taken
        return self._file.write(bytes(data[:taken]))


@pytest.mark.parametrize("room", [0, 1, 100, 250])
def test_a_full_disk(results: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Also where room is missing only at the end, for the last member of a compressed file."""
    begin(results)
    opened = LineWriter.__init__

    def open_full(self: LineWriter, file: BinaryIO, path: Path) -> None:
        opened(self, _Full(file, room), path)  # type: ignore[arg-type]

    monkeypatch.setattr(LineWriter, "__init__", open_full)
    with pytest.raises(ResultsError, match=r"No space left on device\. The lines so far are kept"):
        write(results, range(1000))
    monkeypatch.undo()
    begin(results, resume=True)
    done = read(results)
    assert done == [f"d{n}.test" for n in range(len(done))]
    write(results, range(len(done), 5))
    assert len(read(results)) == max(len(done), 5)
