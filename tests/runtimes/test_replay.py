"""A replay proves that we say what we said; these prove that it notices when we do not."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.backends.recording.player import ReplayMismatch, run_replay
from checker_smtp.backends.transport.blocking import run_blocking
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Transcript,
    Upgrade,
    tap,
)
from tests.runtimes.peer import ScriptedPeer
from tests.runtimes.session_script import probe_session
from tests.runtimes.test_conformance import WHOLE

RECORD: list[tuple[Effect, Outcome]] = [
    (Connect("192.0.2.7", 25, 0), Done(0.1)),
    (Receive(0), Received(0.2, b"220 mx.test\r\n")),
    (Send(b"STARTTLS\r\n", 0), Done(0.2)),
    (Upgrade("mx.test", 0), Secured(0.3, "TLSv1.3", "TLS_AES_256_GCM_SHA384")),
]
CONNECT, RECEIVE, SEND, UPGRADE = (effect for effect, _ in RECORD)


def saying(*effects: Effect) -> Script[list[Outcome]]:
    outcomes: list[Outcome] = []
    for effect in effects:
        outcome = yield effect
        outcomes.append(outcome)
    return outcomes


def test_outcomes_are_the_recorded_ones_and_timeouts_do_not_matter() -> None:
    script = saying(Connect("192.0.2.7", 25, 7), Receive(8), Send(b"STARTTLS\r\n", 9), Upgrade("mx.test", 1))
    assert run_replay(script, RECORD) == [outcome for _, outcome in RECORD]


@pytest.mark.parametrize(
    ("effects", "line", "recorded", "asked"),
    [
        (
            [Connect("192.0.2.8", 25, 1)],
            1,
            "connect to 192.0.2.7 port 25",
            "connect to 192.0.2.8 port 25",
        ),
        ([CONNECT, RECEIVE, Send(b"QUIT\r\n", 1)], 3, "send 'STARTTLS\\r\\n'", "send 'QUIT\\r\\n'"),
        (
            [CONNECT, RECEIVE, SEND, Upgrade("", 1)],
            4,
            "upgrade to TLS as client of 'mx.test'",
            "upgrade to TLS as client of ''",
        ),
        ([CONNECT, SEND], 2, "receive", "send 'STARTTLS\\r\\n'"),
        ([CONNECT, RECEIVE, SEND, UPGRADE, RECEIVE], 5, "nothing more", "receive"),
        ([CONNECT, RECEIVE], 3, "send 'STARTTLS\\r\\n'", "nothing more"),
        ([], 1, "connect to 192.0.2.7 port 25", "nothing more"),
    ],
)
def test_mismatches(effects: list[Effect], line: int, recorded: str, asked: str) -> None:
    with pytest.raises(ReplayMismatch) as raised:
        run_replay(saying(*effects), RECORD)
    assert str(raised.value) == (
        f"transcript, line {line}: the script does not do what was recorded\n"
        f"  recorded: {recorded}\n"
        f"  asked:    {asked}"
    )


def test_the_script_is_closed_on_a_mismatch() -> None:
    closed = []

    def script() -> Script[None]:
        try:
            yield Receive(1)
        finally:
            closed.append(True)

    with pytest.raises(ReplayMismatch):
        run_replay(script(), RECORD)
    assert closed


def test_pieces_wait_for_the_next_receive() -> None:
    script = saying(CONNECT, RECEIVE, SEND, RECEIVE, RECEIVE, UPGRADE)
    record = [*RECORD[:3], (RECEIVE, Received(0.3, b"")), RECORD[3]]
    outcomes = run_replay(script, record, resplit=lambda data: [data[:3], b"", data[3:]])
    assert outcomes[1:5] == [
        Received(0.2, b"220"),
        Done(0.2),
        Received(0.2, b" mx.test\r\n"),
        Received(0.3, b""),
    ]


@pytest.fixture(scope="module")
def recorded() -> Transcript:
    transcript, peer = Transcript(), ScriptedPeer(WHOLE)
    run_blocking(tap(probe_session(), transcript.note), dial=peer.dial)
    peer.join()
    return transcript


@given(seed=st.integers(0, 2**32))
def test_a_session_is_the_same_however_its_octets_come(recorded: Transcript, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - cuts, not secrets

    def resplit(data: bytes) -> Iterator[bytes]:
        while data:
            cut = random.choice([1, 2, 3, random.randrange(1, 64)])
            yield data[:cut]
            data = data[cut:]

    assert run_replay(probe_session(), recorded, resplit=resplit) == run_replay(probe_session(), recorded)
