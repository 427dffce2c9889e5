"""The same scripts on asyncio, on trio, on a blocking socket, and replayed from what the last one recorded.

What a script gives back has to be the same, to the octet and to the word. The server is a thread at the
other end of a socket pair, so all of it happens for real but the network.
"""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import pytest

from checker_smtp.backends.recording.player import run_replay
from checker_smtp.backends.transport.transport import OpenSocket
from smtp_sansio import (
    Connect,
    ConnectionClosed,
    Done,
    Failed,
    FailureKind,
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
from tests.runtimes.peer import ScriptedPeer, leaf_der
from tests.runtimes.session_script import RUNTIMES, SHORT, SessionOutcome, probe_session, timeless

IN_CLEAR = """
    S: 220 mx.test ESMTP
    C: EHLO probe.test
    S: 250-mx.test
    S: 250 STARTTLS
    C: STARTTLS
"""
UNDER_TLS = """
    TLS
    C: EHLO probe.test
    S: 250-mx.test
    S: 250 PIPELINING
    C: MAIL FROM:<>
    C: RCPT TO:<postmaster@mx.test>
    C: RSET
    C: QUIT
    S: 250 2.1.0 Ok
    S: 550 5.1.1 No such user
    S: 250 2.0.0 Ok
    S: 221 2.0.0 Bye
"""
WHOLE = IN_CLEAR + "S: 220 Go ahead" + UNDER_TLS


def everywhere(script: Callable[[], Script[SessionOutcome]], play: str) -> SessionOutcome:
    """What `script` gives back everywhere, which is the same, its record included."""
    outcome: dict[str, SessionOutcome] = {}
    transcript = Transcript()
    for runtime, run in RUNTIMES.items():
        peer = ScriptedPeer(play)
        transcript = Transcript()
        outcome[runtime] = run(tap(script(), transcript.note), peer.dial)
        peer.join()
    outcome["replay"] = run_replay(script(), Transcript.loads(transcript.dumps()))
    (first, *others) = outcome.values()
    assert all(other == first for other in others), outcome
    return first


def codes(outcome: SessionOutcome) -> list[int]:
    return [event.code for event in outcome.events if not isinstance(event, ConnectionClosed)]


@pytest.mark.parametrize("before", ["", "DRIP\n"])
def test_a_whole_session(before: str) -> None:
    outcome = everywhere(probe_session, before + WHOLE)
    assert codes(outcome) == [220, 250, 220, 250, 250, 550, 250, 221]
    assert outcome.end is None
    assert isinstance(outcome.tls, Secured)
    assert (outcome.tls.version, outcome.tls.cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert outcome.tls.certificate is not None
    assert outcome.tls.certificate.dns_names == ("mx.test",)
    assert outcome.tls.certificate.sha256 == sha256(leaf_der()).hexdigest()


def test_injection_in_the_segment_of_the_220() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nS: 250 injected\nSILENT")
    assert outcome.end == (
        "starttls.plaintext",
        "the peer sent octets in the clear between its 220 and the handshake",
        b"250 injected\r\n",
    )


def test_injection_in_the_next_segment() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nHELLO\nS: 250 injected\nSILENT")
    assert outcome.tls == Failed(0.0, FailureKind.TLS, "wrong version number")
    assert outcome.end is None


@pytest.mark.parametrize(
    ("step", "play"),
    [
        ("greeting", "SILENT"),
        ("greeting", "S: 220-mx.test\nSILENT"),
        ("ehlo", "S: 220 mx.test\nC: EHLO probe.test\nRAW: 250\nSILENT"),
        ("ehlo over tls", IN_CLEAR + "S: 220 Go ahead\nTLS\nC: EHLO probe.test\nSILENT"),
    ],
)
def test_silence(step: str, play: str) -> None:
    outcome = everywhere(lambda: probe_session(impatient_at=step), play)
    assert outcome.end == Failed(0.0, FailureKind.TIMEOUT)


@pytest.mark.parametrize("said", ["", r"RAW: \x16\x03\x03"])
def test_silence_in_the_handshake(said: str) -> None:
    play = f"{IN_CLEAR}S: 220 Go ahead\nHELLO\n{said}\nSILENT"
    outcome = everywhere(lambda: probe_session(impatient_at="starttls"), play)
    assert outcome.tls == Failed(0.0, FailureKind.TIMEOUT)


def test_reset() -> None:
    outcome = everywhere(probe_session, "S: 220 mx.test\nRESET")
    assert outcome.end == Failed(0.0, FailureKind.RESET, os.strerror(errno.ECONNRESET))


def test_reset_in_the_handshake() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nRESET")
    assert outcome.tls == Failed(0.0, FailureKind.RESET, os.strerror(errno.ECONNRESET))


def test_half_a_line_and_the_end() -> None:
    outcome = everywhere(probe_session, "S: 220 mx.test\nC: EHLO probe.test\nS: 250-mx.test\nRAW: 250 STA")
    assert isinstance(outcome.end, ConnectionClosed)
    assert outcome.end.partial == b"250-mx.test\r\n250 STA"


def test_the_end_under_tls_without_closing_handshake() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nTLS\nC: EHLO probe.test\nRAW: 25")
    assert isinstance(outcome.end, ConnectionClosed)
    assert outcome.end.partial == b"25"


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("RAW: HTTP/1.1 400 Bad Request\\r\\n", Failed(0.0, FailureKind.TLS, "wrong version number")),
        (r"RAW: \x15\x03\x03\x00\x02\x02\x28", Failed(0.0, FailureKind.TLS, "sslv3 alert handshake failure")),
        (r"RAW: \x15\x03\x03\x00\x02\x02\x46", Failed(0.0, FailureKind.TLS, "tlsv1 alert protocol version")),
        (
            r"RAW: \x15\x03\x03\x00\x02\x01\x00",
            Failed(0.0, FailureKind.CLOSED, "the peer closed the connection"),
        ),
    ],
)
def test_handshakes_that_fail(answer: str, failed: Failed) -> None:
    outcome = everywhere(probe_session, f"{IN_CLEAR}S: 220 Go ahead\nHELLO\n{answer}\nSILENT")
    assert outcome.tls == failed


def test_a_server_without_a_certificate() -> None:
    outcome = everywhere(probe_session, WHOLE.replace("    TLS\n", "    TLS ANONYMOUS\n"))
    assert outcome.end is None
    assert isinstance(outcome.tls, Secured)
    assert (outcome.tls.version, outcome.tls.certificate) == ("TLSv1.2", None)


def test_an_alert_after_the_handshake_is_named_although_the_write_fails_first() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nTLS WANTS CERTIFICATE")
    assert outcome.end == Failed(0.0, FailureKind.TLS, "tlsv13 alert certificate required")


def test_the_peer_closes_in_the_handshake() -> None:
    outcome = everywhere(probe_session, IN_CLEAR + "S: 220 Go ahead\nEAT")
    assert outcome.tls == Failed(0.0, FailureKind.CLOSED, "the peer closed the connection")


def test_a_server_that_refuses_the_name() -> None:
    outcome = everywhere(
        lambda: probe_session(server_name="refused.test"), IN_CLEAR + "S: 220 Go ahead\nTLS FAILS"
    )
    assert outcome.tls == Failed(0.0, FailureKind.TLS, "tlsv1 unrecognized name")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("mx.test", "mx.test"),
        ("MX_1.test", "MX_1.test"),
        ("", None),
        ("192.0.2.7", None),
        ("mx,a.test", None),
        ("mx\\032a.test", None),
        ("mx\0.test", None),
        ("-.", None),
        ("m\u00fc.test", None),
        ("a" * 64 + ".test", None),
        (".".join(["a" * 60] * 5), None),
    ],
)
def test_the_name_sent(given: str, sent: str | None) -> None:
    for run in RUNTIMES.values():
        peer = ScriptedPeer(WHOLE)
        outcome = run(probe_session(server_name=given), peer.dial)
        peer.join()
        assert isinstance(outcome.tls, Secured)
        assert peer.server_names == [sent]


def steps(*effects: Connect | Send | Receive | Upgrade) -> Script[list[Outcome]]:
    """The outcomes of these effects, one after the other, whatever they are."""
    outcomes: list[Outcome] = []
    for effect in effects:
        outcome = yield effect
        outcomes.append(timeless(outcome))
    return outcomes


@pytest.mark.parametrize("runtime", RUNTIMES)
class TestEffects:
    def run(
        self, runtime: str, dial: OpenSocket, *effects: Connect | Send | Receive | Upgrade
    ) -> list[Outcome]:
        outcomes: list[Outcome] = RUNTIMES[runtime](steps(*effects), dial)
        return outcomes

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            (errno.ECONNREFUSED, FailureKind.REFUSED),
            (errno.EHOSTUNREACH, FailureKind.HOST_UNREACHABLE),
            (errno.ENETUNREACH, FailureKind.NETWORK_UNREACHABLE),
            (errno.EADDRNOTAVAIL, FailureKind.NETWORK_UNREACHABLE),
            (errno.EAFNOSUPPORT, FailureKind.NETWORK_UNREACHABLE),
            (errno.EACCES, FailureKind.NOT_PERMITTED),
            (errno.EPERM, FailureKind.NOT_PERMITTED),
            (errno.ETIMEDOUT, FailureKind.TIMEOUT),
            (errno.EMFILE, FailureKind.OTHER),
        ],
    )
    def test_connecting_fails(self, runtime: str, number: int, kind: FailureKind) -> None:
        def dial(host: str, port: int) -> socket.socket:
            raise OSError(number, "not the system's word", f"{host}:{port}")

        outcomes = self.run(runtime, dial, Connect("192.0.2.7", 25, 20))
        assert outcomes == [Failed(0.0, kind, os.strerror(number))]

    def test_connecting_fails_after_a_while(self, runtime: str) -> None:
        # what a refusal does to a socket that is still connecting: an error is pending in it
        near, far = socket.socketpair()
        near.setblocking(False)
        near.send(b"x")
        far.close()
        outcomes = self.run(runtime, lambda *_: near, Connect("192.0.2.7", 25, 20))
        assert outcomes == [Failed(0.0, FailureKind.RESET, os.strerror(errno.ECONNRESET))]

    def test_connecting_takes_too_long(self, runtime: str) -> None:
        full, far = socket.socketpair()
        full.setblocking(False)
        with suppress(BlockingIOError):
            while full.send(b"x" * 65536):
                pass
        outcomes = self.run(runtime, lambda *_: full, Connect("192.0.2.7", 25, SHORT))
        assert outcomes == [Failed(0.0, FailureKind.TIMEOUT)]
        assert full.fileno() == -1
        far.close()

    def test_sending_takes_too_long(self, runtime: str) -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        effects = Connect("192.0.2.7", 25, 20), Send(b"x" * 16_000_000, SHORT)
        assert self.run(runtime, lambda *_: near, *effects)[1] == Failed(0.0, FailureKind.TIMEOUT)
        far.close()

    @pytest.mark.parametrize("play", ["SILENT", "TLS\nSILENT"])
    def test_sending_much(self, runtime: str, play: str) -> None:
        peer = ScriptedPeer(play)
        upgrade = [Upgrade("mx.test", 20)] if "TLS" in play else []
        outcomes = self.run(runtime, peer.dial, Connect("h", 25, 20), *upgrade, Send(b"x" * 4_000_000, 20))
        peer.join()
        assert outcomes[-1] == Done(0.0)

    def test_sending_after_the_end(self, runtime: str) -> None:
        peer = ScriptedPeer("")
        outcomes = self.run(runtime, peer.dial, Connect("h", 25, 20), Receive(20), Send(b"QUIT\r\n", 20))
        peer.join()
        assert outcomes[1:] == [Received(0.0, b""), Failed(0.0, FailureKind.CLOSED, os.strerror(errno.EPIPE))]

    def test_no_time_at_all(self, runtime: str) -> None:
        peer = ScriptedPeer("SILENT")
        outcomes = self.run(runtime, peer.dial, Connect("h", 25, 20), Receive(0), Receive(-1))
        peer.join()
        assert outcomes[1:] == [Failed(0.0, FailureKind.TIMEOUT)] * 2

    def test_a_second_connection_closes_the_first(self, runtime: str) -> None:
        first, second = ScriptedPeer("SILENT"), ScriptedPeer("S: 220 second")
        peers = iter([first, second])
        outcomes = self.run(
            runtime, lambda *to: next(peers).dial(*to), Connect("h", 1, 20), Connect("h", 2, 20), Receive(20)
        )
        first.join()
        second.join()
        assert outcomes[-1] == Received(0.0, b"220 second\r\n")

    def test_an_effect_before_any_connection(self, runtime: str) -> None:
        with pytest.raises(RuntimeError, match="begin with Connect"):
            self.run(runtime, ScriptedPeer("").dial, Receive(1))

    def test_a_script_without_effects(self, runtime: str) -> None:
        assert self.run(runtime, ScriptedPeer("").dial) == []
