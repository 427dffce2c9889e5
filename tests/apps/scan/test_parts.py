"""The folder of a cluster's results: its lock, and parts that are complete or missing."""

import gzip
from contextlib import ExitStack
from pathlib import Path

import pytest

from checker_smtp.scan.output.manifest import ScanManifest, locked_results
from checker_smtp.scan.output.parts_folder import PartsFolder
from checker_smtp.scan.output.results import ResultsError

MANIFEST = ScanManifest(list_digest="list", options={"timeout": "12.0"})


def prepare(
    folder: Path, manifest: ScanManifest = MANIFEST, *, resume: bool = False, force: bool = False
) -> int:
    """Lock the folder, prepare it, and return the number of the next part."""
    parts = PartsFolder(folder)
    with locked_results(parts, manifest, resume=resume, force=force) as make_ready:
        make_ready()
        return parts.next_number


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with the parts 0 and 7."""
    folder = tmp_path / "out"
    prepare(folder)
    for number in (7, 0):
        PartsFolder(folder).put_part(number, gzip.compress(b"%d\n" % number))
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WHOLE = [".scan", "part-00000.jsonl", "part-00007.jsonl"]


def test_parts_are_in_the_order_of_their_numbers(out: Path) -> None:
    assert [part.read_text() for part in PartsFolder(out).files()] == ["0\n", "7\n"]
    assert contents(out) == WHOLE


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("out", ".jsonl"), ("out.gz", ".jsonl.gz"), ("o.jsonl.ZST", ".jsonl.zst"), ("o.2026", ".jsonl")],
)
def test_the_folder_name_chooses_the_compression(name: str, suffix: str) -> None:
    assert PartsFolder(Path(name)).suffix == suffix


def test_resume_continues_after_the_last_part(out: Path) -> None:
    (out / ".part-00008.jsonl").write_text("half a li")
    assert prepare(out, resume=True) == 8
    assert contents(out) == WHOLE


def test_resume_without_parts(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        assert prepare(folder, resume=True) == 0
        assert ScanManifest.read(folder) == MANIFEST


def test_results_are_overwritten_only_with_force(out: Path) -> None:
    with pytest.raises(ResultsError, match=r"it has results\. Continue that scan with --resume, overwrite"):
        prepare(out)
    assert contents(out) == WHOLE
    other = ScanManifest(list_digest="other", options={})
    assert prepare(out, other, force=True) == 0
    assert contents(out) == [".scan"]
    assert ScanManifest.read(out) == other


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (ScanManifest(list_digest="other", options=MANIFEST.options), "results of another list"),
        (ScanManifest(list_digest="list", options={"timeout": "7.0"}), "timeout was 12.0"),
    ],
)
def test_results_of_another_scan_are_not_continued(out: Path, manifest: ScanManifest, words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        prepare(out, manifest, resume=True)
    assert contents(out) == WHOLE
    assert ScanManifest.read(out) == MANIFEST


def test_nothing_is_changed_before_make_ready(out: Path) -> None:
    with locked_results(
        PartsFolder(out), ScanManifest(list_digest="other", options={}), resume=False, force=True
    ):
        pass
    assert contents(out) == WHOLE
    assert ScanManifest.read(out) == MANIFEST


@pytest.mark.parametrize("ready", [False, True])
def test_two_scans_do_not_share_a_folder(out: Path, ready: bool) -> None:
    with ExitStack() as first:
        make_ready = first.enter_context(locked_results(PartsFolder(out), MANIFEST, resume=False, force=True))
        if ready:
            make_ready()
        with pytest.raises(ResultsError, match="another scan is writing"):
            prepare(out, resume=True)
    prepare(out, resume=True)


def test_two_scans_started_at_the_same_moment(tmp_path: Path) -> None:
    """A cluster is slow to start, and neither finds a lock of the other when it takes its own."""
    folder = tmp_path / "out"
    with ExitStack() as both:
        first, second = (
            both.enter_context(locked_results(PartsFolder(folder), MANIFEST, resume=False, force=False))
            for _ in range(2)
        )
        first()
        PartsFolder(folder).put_part(0, gzip.compress(b"{}\n"))
        with pytest.raises(ResultsError, match="another scan is writing"):
            second()
        assert ScanManifest.read(folder) == MANIFEST
        assert [path.name for path in PartsFolder(folder).files()] == ["part-00000.jsonl"]


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="it is a file"):
        prepare(tmp_path / "file")
    with pytest.raises(ResultsError, match="cannot be used: No such file or directory"):
        prepare(tmp_path / "no" / "out")


def test_a_part_that_cannot_be_written(out: Path) -> None:
    (out / "part-00008.jsonl").mkdir()
    with pytest.raises(ResultsError, match="cannot be written: Is a directory"):
        PartsFolder(out).put_part(8, gzip.compress(b"8\n"))
    assert contents(out) == [*WHOLE, "part-00008.jsonl"]
