"""Every recorded check, evaluated again: on both event loops, offline, with the octets split differently."""

import itertools
import shutil
import socket
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import pytest_socket
from hypothesis import given, settings
from hypothesis import strategies as st

from checker_smtp import Result, evaluate, replay
from checker_smtp.backends.recording.case import (
    Case,
    file_name,
    host_of,
    read_case,
    write_case,
)
from checker_smtp.backends.recording.case_files import PARTIAL_RETRIES
from checker_smtp.backends.recording.player import Entries, Resplit, run_matching
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.probes import check as probing
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.report.document import dump, load
from smtp_sansio import Connect, Effect, Script

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(path for path in FIXTURES.iterdir() if path.is_dir())
CASES = [pytest.param(folder, id=folder.name) for folder in FOLDERS]
# Injection is defined by octets in the same read as the 220, so this case cannot be split.
RECUT = [case for case in CASES if case.id != "odd-starttls-injection"]

# Each of these occurs on the Internet, so each has a fixture.
CODES = """
    smtp.null_mx smtp.null_mx.mixed
    smtp.mx.none smtp.mx.lookup_failed smtp.mx.implicit
    smtp.mx.ip_literal smtp.mx.cname smtp.mx.unresolved smtp.mx.not_public
    smtp.tcp.unreachable smtp.all_unreachable
    smtp.banner.missing smtp.banner.refused smtp.banner.deferred smtp.banner.slow
    smtp.ehlo.failed smtp.ehlo.fallback
    smtp.all_no_starttls smtp.starttls.missing
    smtp.starttls.failed smtp.starttls.deferred smtp.starttls.injection
    smtp.auth.plaintext
    smtp.ptr.missing smtp.fcrdns.mismatch
    smtp.null_sender.rejected smtp.null_sender.deferred
    smtp.postmaster.rejected smtp.postmaster.deferred
    smtp.open_relay smtp.open_relay.suspected
    smtp.ext.pipelining smtp.ext.8bitmime smtp.protocol.deviation
    smtp.ipv6.none smtp.ipv4.none
    smtp.tls.weak_tls_version
    smtp.refused_us smtp.not_tested
"""


class Recut:
    """Replay a case with its octets split by `cut`."""

    def __init__(self, case: Case, cut: Resplit) -> None:
        self._cut = cut
        self._dns = Replay(case)
        self._sessions: dict[str, deque[tuple[str, Entries]]] = {}
        for number, one in enumerate(case.sessions, start=1):
            self._sessions.setdefault(host_of(one), deque()).append((file_name(number, one), one))

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        return await self._dns.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[object]) -> object:
        await anyio.lowlevel.checkpoint()
        return run_matching(script, self._find, resplit=self._cut)

    def _find(self, effect: Effect | None) -> tuple[str, Entries]:
        assert isinstance(effect, Connect)
        return self._sessions[effect.host].popleft()

    def left(self) -> int:
        return sum(map(len, self._sessions.values()))


def replay_on(folder: Path, loop: str) -> Result:
    return anyio.run(replay, folder, backend=loop)


@cache
def replayed(folder: Path) -> Result:
    return replay_on(folder, "asyncio")


async def no_pause(_: float) -> None:
    """Return at once: a replay does not wait."""


def recut(folder: Path, cut: Resplit) -> Result:
    case = read_case(folder)
    backend = Recut(case, cut)

    async def run() -> Result:
        observation = await probing.check(
            case.options,
            backend,
            backend,
            run_at=case.run_at,
            seed=case.seed,
            resolver_name=case.resolver,
            pause=no_pause,
            repeat_all=case.format < PARTIAL_RETRIES,
        )
        return evaluate(observation)

    result = anyio.run(run)
    assert backend.left() == 0
    return result


@cache
def expected(folder: Path) -> list[tuple[str, ...]]:
    """Return the findings of the recording with its octets as they were read."""
    return verdicts(replayed(folder))


def found(result: Result) -> list[tuple[str, str]]:
    return sorted((finding.code, finding.subject) for finding in result.findings)


def verdicts(result: Result) -> list[tuple[str, ...]]:
    """Return the findings without the transcript lines that they cite."""
    return [(f.code, f.severity, f.outcome, f.subject, f.message, f.fix) for f in result.findings]


def pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    ends = itertools.takewhile(lambda end: end < len(data), itertools.accumulate(sizes))
    return [data[start:end] for start, end in itertools.pairwise([0, *ends, len(data)])]


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_there_is_no_network_here() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        with pytest.raises(pytest_socket.SocketBlockedError):
            socket.socket(family)


@pytest.mark.parametrize("folder", CASES)
def test_finds_what_is_expected_on_either_loop_and_again(folder: Path) -> None:
    result = replayed(folder)
    assert found(result) == sorted(read_case(folder).expected)
    document = dump(result)
    assert document.isascii()
    assert load(document) == result
    assert dump(replay_on(folder, "trio")) == document
    assert dump(replay_on(folder, "asyncio")) == document


def test_a_retry_is_not_waited_for(loop: str, tmp_path: Path) -> None:
    folder = FIXTURES / "postfix-greylisting-passed"
    day = shutil.copytree(folder, tmp_path / "day")
    header = (day / "case.toml").read_text(encoding="utf-8")
    assert "revisit = 0.05" in header
    (day / "case.toml").write_text(header.replace("revisit = 0.05", "revisit = 1440.0"), encoding="utf-8")

    async def run() -> Result:
        with anyio.fail_after(60):
            return await replay(day)

    result = anyio.run(run, backend=loop)
    (endpoint,) = result.observation.endpoints
    assert [session.purpose for session in endpoint.sessions] == ["main", "revisit"]
    assert found(result) == sorted(read_case(folder).expected)


@pytest.mark.parametrize("folder", RECUT)
def test_cuts_do_not_matter_byte_by_byte(folder: Path) -> None:
    result = recut(folder, lambda data: pieces(data, itertools.repeat(1)))
    assert verdicts(result) == expected(folder)


@pytest.mark.slow
@pytest.mark.parametrize("folder", RECUT)
@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_cuts_do_not_matter_wherever_they_are(folder: Path, sizes: list[int]) -> None:
    result = recut(folder, lambda data: pieces(data, itertools.cycle(sizes)))
    assert verdicts(result) == expected(folder)


@pytest.mark.parametrize("folder", CASES)
def test_the_files_are_as_record_writes_them(folder: Path, tmp_path: Path) -> None:
    case = read_case(folder)
    write_case(tmp_path / "again", case)
    again = read_case(tmp_path / "again")
    assert replace(again, sessions=()) == replace(case, sessions=())
    # a later version may know more options, so what it writes of them may be more
    for path in folder.iterdir():
        if path.name != "case.toml":
            assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_every_kind_of_finding_occurs() -> None:
    met = {code for folder in FOLDERS for code, _ in read_case(folder).expected}
    assert met == set(CODES.split())


def test_the_readme_explains_each() -> None:
    lines = (FIXTURES / "README.md").read_text(encoding="utf-8").splitlines()
    explained = [line.split("|")[1].strip(" `") for line in lines if line.startswith("| `")]
    assert sorted(explained) == [folder.name for folder in FOLDERS]
