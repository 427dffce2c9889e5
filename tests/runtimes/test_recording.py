"""A recorded check is replayed with the same answers and sessions, or fails where it departs from them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from checker_smtp.backends.recording.case import (
    Case,
    read_case,
    write_case,
)
from checker_smtp.backends.recording.player import ReplayMismatch
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Outcome,
    Receive,
    Received,
    Script,
    Send,
    tap,
)
from tests.runtimes.cases import EXPECTED, HEADER, same
from tests.runtimes.peer import ScriptedPeer
from tests.runtimes.session_script import SessionOutcome, probe_session
from tests.runtimes.test_conformance import WHOLE

_T = TypeVar("_T")


class PeerBackend:
    """A backend: one answer to every question, and a server of its own for every session."""

    def __init__(self, play: str) -> None:
        self._play = play
        self.peers: list[ScriptedPeer] = []

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:  # noqa: ARG002
        await anyio.lowlevel.checkpoint()
        return DnsAnswer(name=name, rdtype=rdtype, status=DnsStatus.NODATA, seconds=0.001 * len(self.peers))

    async def run(self, script: Script[_T]) -> _T:
        self.peers.append(ScriptedPeer(self._play))
        return await run_anyio(script, dial=self.peers[-1].dial)


def test_recorded_and_replayed(loop: str, tmp_path: Path) -> None:
    lab = PeerBackend(WHOLE)
    recording = Recording(lab)

    async def record() -> tuple[DnsAnswer, SessionOutcome, SessionOutcome]:
        return (
            await recording.resolve("mx.test", "MX"),
            await recording.run(probe_session()),
            await recording.run(probe_session()),
        )

    recorded = anyio.run(record, backend=loop)
    write_case(tmp_path, recording.case(HEADER, [*reversed(EXPECTED)]))
    case = read_case(tmp_path)
    assert case.expected == EXPECTED
    assert same(case, recording.case(HEADER, EXPECTED))

    async def replay() -> tuple[DnsAnswer, SessionOutcome, SessionOutcome]:
        replay = Replay(case)
        assert replay.unused() == ("mx.test MX", "1-192.0.2.7.jsonl", "2-192.0.2.7.jsonl")
        told = (
            await replay.resolve("MX.test", "MX"),
            await replay.run(probe_session()),
            await replay.run(probe_session()),
        )
        assert replay.unused() == ()
        return told

    assert anyio.run(replay, backend=loop) == recorded
    for peer in lab.peers:
        peer.join()


def test_a_session_cancelled_is_recorded_as_far_as_it_came(loop: str) -> None:
    lab = PeerBackend("S: 220 mx.test\nC: EHLO probe.test\nSILENT")
    recording = Recording(lab)

    async def main() -> None:
        waiting = anyio.Event()

        def note(effect: Effect, _: Outcome) -> None:
            if isinstance(effect, Send):
                waiting.set()

        async with anyio.create_task_group() as group:
            group.start_soon(recording.run, tap(probe_session(), note))
            await waiting.wait()
            group.cancel_scope.cancel()

    anyio.run(main, backend=loop)
    (transcript,) = recording.case(HEADER, ()).sessions
    _, receive, send = (outcome for _, outcome in transcript)
    assert receive == Received(receive.at, b"220 mx.test\r\n")
    assert send == Done(send.at)
    lab.peers[0].join()


def replayed(case: Case, *calls: Callable[[Replay], Awaitable[object]]) -> tuple[str, ...]:
    replay = Replay(case)

    async def main() -> None:
        for call in calls:
            await call(replay)

    anyio.run(main)
    return replay.unused()


def connecting(host: str) -> Script[None]:
    outcome = yield Connect(host, 25, 1)
    if isinstance(outcome, Done):
        yield Receive(1)


def test_what_was_not_asked_for_is_told(case: Case) -> None:
    left = replayed(
        case,
        lambda replay: replay.resolve("mx.test", "MX"),
        lambda replay: replay.run(connecting("192.0.2.8")),
    )
    assert left == ("mx.test A", "z.test A", "1-192.0.2.7.jsonl", "3-2001_db8__7.jsonl")


def test_repeated_questions_get_their_answers_in_order_and_then_the_last(case: Case) -> None:
    replay = Replay(case)

    async def main() -> list[DnsStatus]:
        return [(await replay.resolve("z.test", "A")).status for _ in range(3)]

    assert anyio.run(main) == [DnsStatus.SERVFAIL, DnsStatus.TIMEOUT, DnsStatus.TIMEOUT]


@pytest.mark.parametrize(
    ("script", "where", "asked"),
    [
        (
            connecting("192.0.2.9"),
            "no connection to 192.0.2.9 is left, line 1",
            "connect to 192.0.2.9 port 25",
        ),
        (probe_session(), "1-192.0.2.7.jsonl, line 3", "send 'EHLO probe.test\\r\\n'"),
    ],
)
def test_mismatches(case: Case, script: Script[object], where: str, asked: str) -> None:
    with pytest.raises(ReplayMismatch) as raised:
        replayed(case, lambda replay: replay.run(script))
    assert str(raised.value) == (
        f"{where}: the script does not do what was recorded\n  recorded: nothing more\n  asked:    {asked}"
    )


def test_a_question_that_was_not_recorded(case: Case) -> None:
    with pytest.raises(ReplayMismatch) as raised:
        replayed(case, lambda replay: replay.resolve("mx.test", "AAAA"))
    assert str(raised.value) == "dns.jsonl: mx.test AAAA is asked for, and was not recorded"


def test_a_session_that_connects_nowhere() -> None:
    def idle() -> Script[int]:
        yield from ()
        return 7

    case = Case.from_header(HEADER, (), (), ())

    async def main() -> int:
        return await Replay(case).run(idle())

    assert anyio.run(main) == 7
