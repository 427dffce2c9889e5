"""Scripted, recorded and random servers, and rule servers whose faults show over a stream."""

import math
import random
from contextlib import suppress

import anyio
import pytest
from anyio.streams.stapled import StapledObjectStream

from checker_smtp.probes.check import check
from checker_smtp.probes.options import Options
from checker_smtp.testing import (
    DialogueMismatch,
    FakeNetwork,
    FakeResolver,
    FuzzServer,
    NetworkFaults,
    RecordedServer,
    RuleServer,
    ScriptedServer,
    parse_dialogue,
    play_dialogue,
    serve_session,
    server_tls_context,
)
from smtp_sansio import Connect, Receive, Received, Script, Send
from tests.probes.sessions import probe_endpoint

pytestmark = pytest.mark.anyio

OPTIONS = Options(domain="example.test", helo_name="probe.test", allow_targets=("192.0.2.0/24",))
ZONE = "example.test MX 10 mx.example.test.\nmx.example.test A 192.0.2.7"
DIALOGUE = "S: 220 mx.test\nC: QUIT\nS: 221 bye"


def quit_at_once(command: bytes = b"QUIT\r\n", *, reads: int = 1) -> Script[bytes]:
    """Connect, read the greeting, send `command`, and read `reads` replies."""
    yield Connect("192.0.2.7", 25, 1.0)
    yield Receive(1.0)
    outcome = yield Send(command, 1.0)
    for _ in range(reads):
        outcome = yield Receive(1.0)
    return outcome.data if isinstance(outcome, Received) else b""


async def test_a_scripted_server_plays_its_dialogue() -> None:
    server = ScriptedServer({"192.0.2.7": DIALOGUE})
    with pytest.raises(DialogueMismatch, match=r"dialogues are left for 192\.0\.2\.7"):
        server.expect_end()
    assert await server.run(quit_at_once()) == b"221 bye\r\n"
    assert (server.connected, server.max_open) == ([("192.0.2.7", 25)], 1)
    server.expect_end()
    with pytest.raises(IndexError):
        await server.run(quit_at_once())


@pytest.mark.parametrize(
    ("command", "reads", "text", "message"),
    [
        (b"RSET\r\n", 1, DIALOGUE, r"the client sends b'RSET\\r\\n', where the dialogue has b'QUIT"),
        (b"QUIT\r\n", 2, DIALOGUE, "the dialogue is over, and the client continues with Receive"),
        (b"QUIT\r\n", 0, DIALOGUE, "the client ended the session before DialogueStep"),
        (b"QUIT\r\n", 1, "C: QUIT", "the client does Receive.*, where the dialogue has DialogueStep"),
        (b"DATA\r\n", 1, DIALOGUE.replace("QUIT", "DATA"), "which a check never does"),
    ],
)
async def test_where_client_and_dialogue_differ(command: bytes, reads: int, text: str, message: str) -> None:
    with pytest.raises(DialogueMismatch, match=message):
        await ScriptedServer({"192.0.2.7": text}).run(quit_at_once(command, reads=reads))


def test_a_dialogue_may_have_any_command_without_a_check() -> None:
    assert play_dialogue(quit_at_once(b"DATA\r\n"), DIALOGUE.replace("QUIT", "DATA")) == b"221 bye\r\n"


@pytest.mark.parametrize("line", ["X: 220", "S+ 220", "220 mx.test"])
def test_a_line_outside_the_notation(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of a dialogue"):
        parse_dialogue(line)


async def test_a_recorded_server_repeats_what_it_was_made_of() -> None:
    server = RuleServer(rcpt_replies={"postmaster@example.test": "550 5.1.1 no such user"})
    observation = await check(OPTIONS, FakeResolver(ZONE), server, run_at="", seed=1)
    recorded = RecordedServer(observation)
    again = await check(OPTIONS, FakeResolver(ZONE), recorded, run_at="", seed=1)
    first, second = observation.endpoints[0].sessions[0], again.endpoints[0].sessions[0]
    assert [t.rcpt.raw for t in first.transactions if t.rcpt] == [
        t.rcpt.raw for t in second.transactions if t.rcpt
    ]
    assert recorded.connected == ["192.0.2.7"]


async def test_a_seed_decides_everything_a_fuzz_server_does() -> None:
    async def run(seed: int) -> list[object]:
        choose = random.Random(seed).choice  # noqa: S311 - the same choices every time
        server = FuzzServer(choose, NetworkFaults.chosen(choose))
        sessions = await probe_endpoint(OPTIONS, server, "192.0.2.7", "mx.test", 1)
        return [server.received, sessions]

    runs = [await run(seed) for seed in range(30)]
    assert runs == [await run(seed) for seed in range(30)]
    assert len({str(received) for received, _ in runs}) > 5


async def test_a_network_without_a_part_fails_where_that_is_used() -> None:
    network = FakeNetwork()
    with pytest.raises(AssertionError, match="no DNS query was expected"):
        await network.resolve("example.test", "MX")
    with pytest.raises(AssertionError, match="no connection was expected"):
        await network.run(quit_at_once())


@pytest.mark.parametrize(
    ("server", "received"),
    [
        (RuleServer(fault="refused"), b""),
        (RuleServer(fault="silent"), None),
        (RuleServer(fault="ehlo-dropped"), b"220 mx.test ESMTP\r\n550 what?\r\n"),
        (RuleServer(fault="group"), b"220 mx.test ESMTP\r\n"),
        (RuleServer(limit=0, limited_verb="EHLO"), b"220 mx.test ESMTP\r\n421 4.7.0 too much\r\n"),
        (RuleServer(limit=0, limited_verb="EHLO", ending="timeout"), None),
    ],
)
async def test_faults_over_a_stream(server: RuleServer, received: bytes | None) -> None:
    """None: the server neither replies nor closes, until the client does."""
    to_server, from_client = anyio.create_memory_object_stream[bytes](math.inf)
    to_client, from_server = anyio.create_memory_object_stream[bytes](math.inf)
    stream = StapledObjectStream(to_client, from_client)
    async with anyio.create_task_group() as tasks, to_server, from_server:
        tasks.start_soon(serve_session, stream, server.session(), server_tls_context())
        with suppress(anyio.BrokenResourceError):  # where the connection is refused
            await to_server.send(b"EHLO a.test\r\n" + (b"RSET\r\n" if server.fault == "group" else b""))
        if received is None:
            await anyio.wait_all_tasks_blocked()
            await to_server.aclose()
        octets = b"".join([piece async for piece in from_server])
    assert received in (None, octets)
