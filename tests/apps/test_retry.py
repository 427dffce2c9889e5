"""`check --retry-deferred`: its errors, its sessions, and the replay of its recording."""

from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from checker_smtp import RunContext, check, replay
from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.report.document import dump
from checker_smtp.testing import FakeResolver, RuleServer, resume
from smtp_sansio import Connect, Script
from tests.apps.command import run
from tests.probes.world import options

T = TypeVar("T")
ADDRESSES = ("192.0.2.7", "192.0.2.8", "2001:db8::7")
ZONE = """
    example.test      MX    10 mx.example.test.
    mx.example.test   A     192.0.2.7
    mx.example.test   A     192.0.2.8
    mx.example.test   AAAA  2001:db8::7
"""
GREYLISTED = RuleServer(rcpt_replies={"postmaster@example.test": "450 4.2.0 Greylisted"})


class GreylistingNetwork:
    """Three addresses that greylist the first session of a client."""

    def __init__(self) -> None:
        self._names = FakeResolver(ZONE)
        self._seen: set[str] = set()

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        return await self._names.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[T]) -> T:
        effect = next(script)
        assert isinstance(effect, Connect)
        host = RuleServer() if effect.host in self._seen else GREYLISTED
        self._seen.add(effect.host)
        return await host.run(resume(effect, script))


async def no_pause(_: float) -> None:
    """Return at once."""


def recorded(folder: Path, given: Options) -> str:
    """Record a check with a retry and return its document."""
    recording = Recording(GreylistingNetwork())
    context = RunContext(run_at="2026-11-22T09:00:00Z", seed=1)

    async def run() -> str:
        result = await check(given, recording, context=context, pause=no_pause)
        recording.save(folder, given, result, seed=context.seed)
        return dump(result)

    return anyio.run(run)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_recording_of_retries_gives_the_same_report_again(loop: str, tmp_path: Path) -> None:
    first = recorded(tmp_path / "case", options("example.test", retry_deferred=10))
    result = anyio.run(replay, tmp_path / "case", backend=loop)
    assert dump(result) == first
    assert [[s.purpose for s in e.sessions] for e in result.observation.endpoints] == [
        ["main", "revisit"]
    ] * 3
    assert result.status == "warning"  # this zone has no PTR records


def test_the_connections_of_a_record_are_always_in_the_same_order(tmp_path: Path) -> None:
    given = options("example.test", retry_deferred=10)
    for name in ("one", "other"):
        recorded(tmp_path / name, given)
    names = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("one", "other")]
    assert names[0] == names[1]
    for name in set(names[0]) - {"case.toml"}:  # which has how long it took
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "other" / name).read_text()
    assert read_case(tmp_path / "one").options.retry_deferred == 10


@pytest.mark.parametrize("minutes", ["-1", "1441", "nan", "soon"])
def test_minutes_that_are_none_are_refused_in_one_sentence(minutes: str) -> None:
    done = run("check", "example.test", "--retry-deferred", minutes)
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1
    assert "retry_deferred" in done.err.replace("-", "_")
