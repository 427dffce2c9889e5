"""A scan from its list to its file, with everything but sockets and signals."""

import io
import json
import os
import resource
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from checker_smtp.lines import LinesError
from checker_smtp.probes.dns import ResolverError
from checker_smtp.probes.options import OptionError
from checker_smtp.probes.policy import FindingPolicy
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import Acceptance, Severity
from checker_smtp.report.document import load
from checker_smtp.scan import job as jobs
from checker_smtp.scan.input.domain_list import DomainList, DomainListError, open_domain_list
from checker_smtp.scan.job import ScanJob, run_job
from checker_smtp.scan.output.manifest import ScanManifest
from checker_smtp.scan.output.results import ResultsError
from checker_smtp.scan.output.results_file import ResultsWriter
from checker_smtp.scan.politeness.exclusions import Exclusions
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, settings, shared, zone
from tests.probes.world import questions

LOOPS = ("asyncio", "trio")
HERE, THERE = "192.0.2.7", "192.0.2.8"
MX = shared(20) | shared(5, "mx.slow.test", "s")
RECORDS = zone(MX, {"mx.host.test": HERE, "mx.slow.test": THERE})


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> FakeInternet:
    """Replace the network of a job; THERE takes longer than HERE."""
    internet = FakeInternet(
        FakeResolver(RECORDS), {HERE: RuleServer(), THERE: [RuleServer(fault="421"), RuleServer()]}, seconds=0
    )
    monkeypatch.setattr(jobs, "SharedResolver", lambda *_, **__: internet)
    monkeypatch.setattr(jobs, "Network", lambda *_, **__: internet)
    return internet


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list"
    path.write_text("\n".join(["s0.test", "a b", *MX, "D0.test"]) + "\n")
    return path


def run(
    listed: Path, results: Path, loop: str = "asyncio", *, column: str | None = None, **given: Any
) -> int:
    """Return the number of domains done in this run, which must not be interrupted."""
    own = {name: given.pop(name) for name in ("retry_delay", "policy") if name in given}
    how = settings(per_session=5, **{"retry_delay": 0.05} | own)
    with open_domain_list(listed, column) as names:
        job = ScanJob(
            settings=how,
            domain_list=names,
            results=results,
            resolvers=(jobs.SharedResolver(()),),
            exclusions=Exclusions(),
            **given,
        )
        stats, whole = run_job(job, loop)
    assert whole
    return stats.done


def domains(results: Path) -> list[str]:
    lines = map(json.loads, results.read_bytes().splitlines())
    return [line["domain"] if "domain" in line else line["observation"]["domain"] for line in lines]


@pytest.mark.parametrize("loop", LOOPS)
def test_each_name_has_one_line(internet: FakeInternet, listed: Path, tmp_path: Path, loop: str) -> None:
    results = tmp_path / "r.jsonl"
    assert run(listed, results, loop, retry_delay=1.0) == 26
    assert sorted(domains(results)) == sorted([*MX, "a b"])
    # in order of completion: the domains of the throttling server are last
    assert set(domains(results)[-5:]) == set(shared(5, prefix="s"))


def test_a_server_that_is_this_machine_is_no_open_relay(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet.hosts = {HERE: RuleServer(relays=True), THERE: RuleServer(relays=True)}
    monkeypatch.setattr(internet, "find_sources", lambda _: (HERE,))
    run(listed, tmp_path / "r.jsonl")
    results = [
        load(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines() if b"observation" in line
    ]
    relays = {r.observation.domain for r in results if "smtp.open_relay" in {f.code for f in r.findings}}
    assert relays == set(shared(5, prefix="s"))


@pytest.mark.parametrize("loop", LOOPS)
def test_in_the_order_of_the_list(internet: FakeInternet, listed: Path, tmp_path: Path, loop: str) -> None:
    results = tmp_path / "r.jsonl"
    run(listed, results, loop, in_order=True)
    assert domains(results) == ["s0.test", "a b", *(name for name in MX if name != "s0.test")]


@pytest.mark.slow
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_resume(internet: FakeInternet, listed: Path, tmp_path: Path, loop: str, in_order: bool) -> None:
    results = tmp_path / "r.jsonl"
    run(listed, results, in_order=in_order)
    whole = results.read_bytes()
    done = domains(results)
    for cut in (1, len(whole) // 3, len(whole) - 10, len(whole)):
        results.write_bytes(whole[:-cut])
        kept = whole[:-cut].count(b"\n")
        internet.names.asked.clear()
        assert run(listed, results, loop, resume=True, in_order=in_order) == 26 - kept
        assert domains(results)[:kept] == done[:kept]
        assert sorted(domains(results)) == sorted(done)
        asked = {name for name, rdtype in questions(internet.names) if rdtype == "MX"} - {"example.com"}
        assert asked == set(done[kept:]) - {"a b"}
    assert run(listed, results, loop, resume=True) == 0


def test_the_manifest_has_the_options_that_change_a_result(
    internet: FakeInternet, listed: Path, tmp_path: Path
) -> None:
    run(listed, tmp_path / "r.jsonl")
    manifest = ScanManifest.read(tmp_path / "r.jsonl")
    assert manifest is not None
    assert {"timeout", "helo_name", "port", "retry_deferred", "allow_targets"} < set(manifest.options)
    assert "domain" not in manifest.options


def test_the_decisions_of_the_operator_are_in_the_results(
    internet: FakeInternet, listed: Path, tmp_path: Path
) -> None:
    def found(name: str, **given: Any) -> dict[str, Any]:
        run(listed, tmp_path / name, **given)
        lines = map(json.loads, (tmp_path / name).read_bytes().splitlines())
        return {f["code"]: f for line in lines for f in line.get("findings", [])}

    before = found("before")
    code = next(code for code, finding in before.items() if finding["severity"] == "info")
    accepted = Acceptance(code=code, reason="known", until=date(2999, 1, 1))
    policy = FindingPolicy(severities={code: Severity.WARN}, acceptances=(accepted,))
    after = found("after", policy=policy)
    assert (after[code]["severity"], after[code]["rule_severity"]) == ("warn", "info")
    assert after[code]["acceptance"]["reason"] == "known"
    for other, said in (
        (replace(policy, severities={code: Severity.INFO}), f"severity of {code}"),
        (
            replace(policy, acceptances=(replace(accepted, until=None),)),
            f"acceptance of {code} for all domains",
        ),
    ):
        with pytest.raises(ResultsError, match=said):
            run(listed, tmp_path / "after", resume=True, policy=other)


def test_another_column_of_the_same_file_is_another_list(internet: FakeInternet, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("one,two\nd0.test,d1.test\n")
    run(table, tmp_path / "r.jsonl", column="one")
    with pytest.raises(ResultsError, match="another list"):
        run(table, tmp_path / "r.jsonl", column="two", resume=True)


# lists


def test_resume_with_a_list_from_standard_input(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "r.jsonl"
    for given, done in (({}, 26), ({"resume": True}, 0)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.read_bytes())))
        assert run(Path("-"), results, **given) == done
    assert run(listed, results, resume=True) == 0


def test_a_list_that_can_be_read_only_once(internet: FakeInternet, listed: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(listed.read_bytes()), daemon=True).start()
    assert run(pipe, tmp_path / "r.jsonl") == 26


@pytest.mark.parametrize("name", ["list.gz", "list.zst"])
def test_a_list_that_is_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(LinesError, match="is damaged"), open_domain_list(tmp_path / name, None):
        pass


def test_a_missing_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(DomainListError, match=f"cannot be read: {why}"), open_domain_list(path, None):
            pass
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(LinesError, match="standard input cannot be read"), open_domain_list(Path("-"), None):
        pass


def test_no_room_for_the_copy_of_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.test\n" * 1000)))
    monkeypatch.setattr(Path, "open", lambda *_: io.FileIO("/dev/full", "wb"))
    with (
        pytest.raises(DomainListError, match=r"standard input cannot be copied to .*: No space left"),
        open_domain_list(Path("-"), None),
    ):
        pass


def test_lists_are_identified_by_content(tmp_path: Path) -> None:
    lists: list[DomainList] = []
    for text in ("a.test\n#x\n\nb.test\n", "a.test\nb.test\n", "a.test\nb.test"):
        (tmp_path / "l").write_text(text)
        with open_domain_list(tmp_path / "l", None) as names:
            lists.append(names)
    assert [names.length for names in lists] == [2, 2, 2]
    assert len({names.digest for names in lists}) == 3


def test_a_missing_column_is_reported_before_results_are_overwritten(
    internet: FakeInternet, listed: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.jsonl").write_text("precious")
    with pytest.raises(DomainListError, match="no column 'domain'"):
        run(listed, tmp_path / "r.jsonl", column="domain", force=True)
    assert (tmp_path / "r.jsonl").read_text() == "precious"


# what ends a scan


@pytest.mark.parametrize("loop", LOOPS)
def test_results_that_cannot_be_written(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """An error of a task is raised as it is, not in a group of groups."""
    put = ResultsWriter.put

    def fail(self: ResultsWriter, number: int, line: bytes) -> None:
        if len(domains(tmp_path / "r.jsonl")) == 7:
            raise ResultsError("no room")
        put(self, number, line)

    monkeypatch.setattr(ResultsWriter, "put", fail)
    with pytest.raises(ResultsError, match="no room"):
        run(listed, tmp_path / "r.jsonl", loop)
    monkeypatch.undo()
    assert len(domains(tmp_path / "r.jsonl")) == 7


@pytest.mark.parametrize("loop", LOOPS)
def test_a_list_that_disappears(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    with open_domain_list(listed, None) as names:
        listed.unlink()
        how = settings()
        job = ScanJob(
            settings=how,
            domain_list=names,
            results=tmp_path / "r.jsonl",
            resolvers=(jobs.SharedResolver(()),),
            exclusions=Exclusions(),
        )
        with pytest.raises(DomainListError, match="cannot be read: No such file"):
            run_job(job, loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_bug_is_not_hidden(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    monkeypatch.setattr(ResultsWriter, "put", lambda *_: 1 / 0)
    with pytest.raises(ExceptionGroup) as caught:
        run(listed, tmp_path / "r.jsonl", loop)
    assert caught.group_contains(ZeroDivisionError)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_resolver_that_does_not_answer(
    internet: FakeInternet, listed: Path, tmp_path: Path, loop: str
) -> None:
    (tmp_path / "r.jsonl").write_text("precious")
    internet.names = FakeResolver.failing(DnsStatus.TIMEOUT, "no answer")
    with pytest.raises(ResolverError, match="cannot be used: no answer"):
        run(listed, tmp_path / "r.jsonl", loop, force=True)
    assert (tmp_path / "r.jsonl").read_text() == "precious"


# open files


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((100, 1000), (764, 1000)),
        ((100, 400), (400, 400)),
        ((764, 1000), None),
        ((100, resource.RLIM_INFINITY), (764, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_file_limit_is_raised(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: tuple[int, int] | None
) -> None:
    found: list[Sequence[int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: found.append(given))
    jobs.raise_file_limit(100)
    assert found == ([wanted] if wanted else [])


def test_more_sessions_than_allowed_files(
    internet: FakeInternet, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 300))
    with pytest.raises(
        OptionError, match=r"concurrency is 100, .* 300 are allowed: give at most 78, or raise"
    ):
        run(listed, tmp_path / "r.jsonl")
    assert not (tmp_path / "r.jsonl").exists()
