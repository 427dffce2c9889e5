"""A check that reached its limits: its document, its reports, and the replay of its recording."""

from pathlib import Path

import anyio
import pytest

from checker_smtp import RunContext, check, replay
from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, load
from checker_smtp.report.formats import render
from checker_smtp.testing import FakeNetwork, FakeResolver, RuleServer, backend_options
from smtp_sansio import Receive, Received
from tests.apps.command import run
from tests.probes.limited_worlds import FEW, ZONE, Silent, Sleepy, Verbose
from tests.probes.world import options

MIB = 1024 * 1024


def recorded(folder: Path, given: Options, network: FakeNetwork, evidence: int, loop: str) -> Result:
    """Record a check on this network and return its result."""
    recording = Recording(network)
    context = RunContext(run_at="2026-11-28T20:00:00Z", seed=1)

    async def work() -> Result:
        result = await check(given, recording, context=context, evidence=EvidenceBudget(evidence))
        recording.save(folder, given, result, seed=context.seed)
        return result

    return anyio.run(work, backend=loop, backend_options=backend_options(loop))


def replayed(folder: Path, loop: str) -> Result:
    return anyio.run(replay, folder, backend=loop)


WORLDS = {
    "too-much": (options(), lambda: FakeNetwork(FakeResolver(FEW), Verbose()), MIB),
    "octet-by-octet": (
        options(),
        lambda: FakeNetwork(FakeResolver("\n".join(ZONE.splitlines()[:2])), Verbose(1)),
        MIB * 3 // 16,
    ),
    "silent-servers": (
        options(check_budget=30, timeout=12),
        lambda: FakeNetwork(FakeResolver(ZONE), Silent()),
        8 * MIB,
    ),
    "slow-lookups": (
        options(check_budget=6),
        lambda: FakeNetwork(Sleepy(ZONE, after=4), RuleServer()),
        8 * MIB,
    ),
    "no-lookup": (options(check_budget=6), lambda: FakeNetwork(Sleepy(ZONE, after=9)), 8 * MIB),
    "no-room-for-answers": (
        options(),
        lambda: FakeNetwork(FakeResolver(ZONE), RuleServer()),
        64 * 1024,
    ),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_replay_gives_the_same_document(world: str, tmp_path: Path, loop: str) -> None:
    given, network, evidence = WORLDS[world]
    folder = tmp_path / "case"
    result = recorded(folder, given, network(), evidence, loop)
    assert dump(replayed(folder, loop)) == dump(result)
    assert load(dump(result)) == result
    text = render(result, "text")
    assert "check-budget" in text or "more than this check keeps" in text or "keeps no more answers" in text


def test_the_report_says_what_was_cut(tmp_path: Path, loop: str) -> None:
    given, network, evidence = WORLDS["too-much"]
    result = recorded(tmp_path / "case", given, network(), evidence, loop)
    sentence = "the server sent more than this check keeps of one endpoint"
    for form in ("text", "html"):
        assert sentence in render(result, form)
    last = result.observation.endpoints[0].main.transcript[-1]
    assert (last["do"], last["failed"]) == ("receive", "evidence")


def test_the_report_says_how_the_check_gets_more_time(tmp_path: Path, loop: str) -> None:
    given, network, evidence = WORLDS["silent-servers"]
    text = " ".join(render(recorded(tmp_path / "case", given, network(), evidence, loop), "text").split())
    assert "the time for the whole check ran out" in text
    assert "Repeat the check with a longer --check-budget" in text.replace("`", "")
    assert "With --check-budget 600 the whole check has more time." in text.replace("`", "")


def test_the_report_says_what_was_joined(tmp_path: Path, loop: str) -> None:
    given, network, evidence = WORLDS["octet-by-octet"]
    html = render(recorded(tmp_path / "case", given, network(), evidence, loop), "html")
    assert "reads since 1.000 s, recorded as one" in html


def test_a_case_of_single_reads_has_the_result_of_one_with_joined_reads(tmp_path: Path, loop: str) -> None:
    """Cases of older versions have a line for each read."""
    given, network, evidence = WORLDS["octet-by-octet"]
    folder = tmp_path / "case"
    recorded(folder, given, network(), evidence, loop)
    (session,) = folder.glob("*-192.0.2.1.jsonl")
    lines = []
    for effect, outcome in read_case(folder).sessions[0]:
        line = session_line(effect, outcome) if isinstance(outcome, Received) and outcome.reads > 1 else []
        lines.append(line)
    assert any(lines)
    expected = dump(replayed(folder, loop))
    text = session.read_text()
    for number, (line, pieces) in enumerate(zip(text.splitlines(), lines, strict=True)):
        if pieces:
            text = text.replace(line, "\n".join(pieces), 1)
        assert number >= 0
    assert text.count("\n") > 1000
    session.write_text(text)
    assert "first" not in text
    assert findings(replayed(folder, loop)) == findings(load(expected))


def session_line(effect: object, outcome: Received) -> list[str]:
    """Return a line for each octet of a joined read."""
    assert isinstance(effect, Receive)
    return [
        f'{{"do": "receive", "got": "{chr(octet) if octet > 31 else f"{chr(92)}u{octet:04x}"}", '
        f'"at": {outcome.at}}}'
        for octet in outcome.data
    ]


def findings(result: Result) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.subject, finding.message) for finding in result.findings]


def test_the_option_of_the_command_line() -> None:
    assert "--check-budget" in run("check", "--help").out
    for seconds in ("0", "-1", "nan", "3601"):
        failed = run("check", "example.org", "--check-budget", seconds)
        assert failed.code == 3
        assert "give seconds, more than 0, at most 3600" in failed.err
