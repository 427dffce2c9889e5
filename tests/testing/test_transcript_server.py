"""Servers made of transcripts: real clients over a socket pair, and every way to depart from a recording."""

import smtplib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checker_smtp.backends.recording.case import read_case
from checker_smtp.testing import RuleServer
from checker_smtp.testing.live_server import LiveServer, SessionSource
from checker_smtp.testing.message_server import MessageServer, ReceivedMessage
from checker_smtp.testing.transcript_server import TranscriptServer
from smtp_sansio import Connect, Done, Failed, FailureKind, Receive, Received, Send, Transcript, Upgrade

FIXTURES = Path(__file__).parents[2] / "fixtures"


class Client(smtplib.SMTP):
    """smtplib's client on a socket that is connected already."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(local_hostname="client.test")
        sock.settimeout(20)
        self._host = "localhost"
        self.sock = sock
        self.greeting = self.getreply()  # type: ignore[attr-defined]


Open = Callable[[SessionSource], Client]


@pytest.fixture
def connect() -> Iterator[Callable[[SessionSource], Client]]:
    opened: list[Client] = []
    servers: list[LiveServer[SessionSource]] = []

    def open_client(source: SessionSource) -> Client:
        servers.append(LiveServer(source).__enter__())
        opened.append(Client(servers[-1].connect()))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()
    for server in servers:
        server.__exit__()


def transcript(*pairs: tuple[Any, Any]) -> Transcript:
    made = Transcript()
    made.note(Connect("192.0.2.7", 25, 0), Done(0.0))
    for effect, outcome in pairs:
        made.note(effect, outcome)
    return made


def said(text: str) -> Transcript:
    """A transcript in lines: `C:` is sent, `S:` received."""
    pairs: list[tuple[Any, Any]] = []
    for line in text.strip().splitlines():
        mark, octets = line.strip()[:2], line.strip()[3:].encode() + b"\r\n"
        pairs.append((Receive(0), Received(0.0, octets)) if mark == "S:" else (Send(octets, 0), Done(0.0)))
    return transcript(*pairs)


SHORT = said(
    "S: 220 mx.test\nC: EHLO probe.test\nS: 250 mx.test\nC: MAIL FROM:<>\nS: 250 ok\nC: QUIT\nS: 221 bye"
)


def recorded(name: str) -> TranscriptServer:
    return TranscriptServer(*read_case(FIXTURES / name).sessions)


def test_a_recorded_server_answers_smtplib_under_tls(connect: Open) -> None:
    server = recorded("postfix-open-relay")
    client = connect(server)
    assert client.greeting[0] == 220
    assert client.ehlo()[0] == 250
    assert client.starttls()[0] == 220
    assert client.ehlo()[0] == 250
    assert client.mail("") == (250, b"2.1.0 Ok")
    assert client.rcpt("postmaster@relay.example")[0] == 250
    assert client.quit()[0] == 221
    assert [line.partition(" ")[0].upper() for line in server.received[0]] == [
        "EHLO",
        "STARTTLS",
        "EHLO",
        "MAIL",
        "RCPT",
        "QUIT",
    ]
    assert server.departures == []


@pytest.mark.parametrize(
    ("commands", "recorded_line", "client_line", "why"),
    [
        (["EHLO a", "MAIL FROM:<>", "DATA"], "QUIT", "DATA", "No recording has a message"),
        (
            ["EHLO a", "STARTTLS"],
            "MAIL FROM:<>",
            "STARTTLS",
            "This recording has no TLS, and the client insists",
        ),
        (["HELO a"], "EHLO probe.test", "HELO a", ""),
        (["EHLO a", "RCPT TO:<a@b.test>"], "MAIL FROM:<>", "RCPT TO:<a@b.test>", ""),
        (["EHLO a", "MAIL FROM:<>", "EHLO a"], "QUIT", "EHLO a", ""),
    ],
)
def test_a_departure_is_shown_with_both_lines(
    connect: Open, commands: list[str], recorded_line: str, client_line: str, why: str
) -> None:
    server = TranscriptServer(SHORT)
    client = connect(server)
    replies = [client.docmd(command) for command in commands]
    assert [code for code, _ in replies[:-1]] == [250] * (len(commands) - 1)
    assert replies[-1] == (421, b"4.3.0 The client departs from the recording")
    (departure,) = server.departures
    assert departure.splitlines()[:3] == [
        "connection 1: the client departs from the recording",
        f"  recorded: {recorded_line}",
        f"  client:   {client_line}",
    ]
    assert "".join(departure.splitlines()[3:]).startswith(why)
    assert bool(departure.splitlines()[3:]) == bool(why)


def test_a_client_that_stays_in_the_clear_departs_where_the_recorded_one_began_tls(connect: Open) -> None:
    server = recorded("postfix-open-relay")
    client = connect(server)
    client.ehlo()
    assert client.mail("")[0] == 421
    assert "  recorded: STARTTLS\n  client:   mail FROM:<>\n" in server.departures[0]
    assert server.departures[0].endswith(
        "The recorded client began TLS before this: the replies without it are not known."
    )


@pytest.mark.parametrize(("arguments", "code"), [(False, 250), (True, 421)])
def test_arguments_are_compared_on_request(connect: Open, arguments: bool, code: int) -> None:
    server = TranscriptServer(SHORT, arguments=arguments)
    client = connect(server)
    assert client.docmd("EHLO other.test")[0] == code
    assert bool(server.departures) is arguments
    exact = TranscriptServer(SHORT, arguments=True)
    assert connect(exact).docmd("EHLO probe.test")[0] == 250
    assert exact.departures == []


def test_commands_may_be_left_out_and_nothing_may_follow_the_end(connect: Open) -> None:
    server = TranscriptServer(SHORT)
    assert connect(server).quit()[0] == 221
    again = TranscriptServer(said("S: 220 a\nC: NOOP\nS: 250 ok"))
    client = connect(again)
    client.noop()
    assert client.noop()[0] == 421
    assert "  recorded: nothing more\n  client:   noop" in again.departures[0]


def test_each_connection_plays_the_next_session_and_a_further_one_departs(connect: Open) -> None:
    nothing = Transcript()
    nothing.note(Connect("192.0.2.7", 25, 0), Failed(0.0, FailureKind.REFUSED))
    server = TranscriptServer(said("S: 220 one"), nothing, said("S: 220 two"))
    assert [connect(server).greeting for _ in range(3)] == [
        (220, b"one"),
        (220, b"two"),
        (421, b"4.3.0 The client departs from the recording"),
    ]
    (departure,) = server.departures
    assert departure.splitlines() == [
        "connection 3: the client departs from the recording",
        "  recorded: nothing more",
        "  client:   a connection more than recorded",
    ]


def test_the_replies_to_a_group_are_given_one_by_one_and_the_last_has_the_rest(connect: Open) -> None:
    flight = (Send(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nQUIT\r\n", 0), Done(0.0))
    first = (Receive(0), Received(0.0, b"220 mx.test\r\n"))
    replies = (Receive(0), Received(0.0, b"250-2.1.0\r\n250 Ok\r\n550 5.1.1 no\r\n221 bye\r\n421 late\r\n"))
    client = connect(TranscriptServer(transcript(first, flight, replies)))
    assert client.mail("") == (250, b"2.1.0\nOk")
    assert client.rcpt("a@b.test") == (550, b"5.1.1 no")
    assert client.docmd("QUIT") == (221, b"bye")
    assert client.getreply() == (421, b"late")  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", [Received(0.0, b""), Failed(0.0, FailureKind.RESET)])
def test_the_connection_ends_where_it_ended(connect: Open, end: Any) -> None:
    flight = (Send(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n", 0), Done(0.0))
    pairs = [
        (Receive(0), Received(0.0, b"220 mx.test\r\n")),
        flight,
        (Receive(0), Received(0.0, b"250 Ok\r\n")),
    ]
    client = connect(TranscriptServer(transcript(*pairs, (Receive(0), end))))
    assert client.mail("") == (250, b"Ok")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.docmd("RCPT TO:<a@b.test>")


def test_silence_is_silence(connect: Open) -> None:
    timed_out = (Receive(0), Failed(12.0, FailureKind.TIMEOUT))
    client = connect(
        TranscriptServer(
            transcript(
                (Receive(0), Received(0.0, b"220 a\r\n")), (Send(b"NOOP\r\n", 0), Done(0.0)), timed_out
            )
        )
    )
    assert client.sock is not None
    client.sock.settimeout(0.1)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.docmd("NOOP")


def test_a_handshake_that_failed_fails(connect: Open) -> None:
    client = connect(recorded("odd-no-tls-after-starttls"))
    client.ehlo()
    with pytest.raises(OSError):  # noqa: PT011 - by OpenSSL's version an SSLError or a ConnectionError
        client.starttls()


def test_an_injection_is_sent_with_the_220(connect: Open) -> None:
    client = connect(recorded("odd-starttls-injection"))
    client.ehlo()
    assert client.docmd("STARTTLS")[0] == 220
    assert client.getreply() == (250, b"2.1.0 Ok")  # type: ignore[attr-defined]


def test_octets_that_a_driver_held_are_sent_with_the_220(connect: Open) -> None:
    text = said("S: 220 a\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go")
    text.note(Upgrade("a", 0), Received(0.0, b"250 injected\r\n"))
    client = connect(TranscriptServer(text))
    client.ehlo()
    client.docmd("STARTTLS")
    assert client.getreply() == (250, b"injected")  # type: ignore[attr-defined]


def test_a_command_in_two_writes_is_one() -> None:
    pieces = [(Send(octets, 0), Done(0.0)) for octets in (b"NO", b"OP\r\n", b"")]
    text = transcript(
        (Receive(0), Received(0.0, b"220 a\r\n")), *pieces, (Receive(0), Received(0.0, b"250 ok\r\n"))
    )
    session = TranscriptServer(text).session()
    assert list(session.greet()) == [b"220 a\r\n"]
    assert session.receive(b"NO") == []
    assert session.receive(b"OP\r\n") == [b"250 ok\r\n"]


def test_a_recording_that_was_never_connected_is_refused() -> None:
    nothing = Transcript()
    nothing.note(Connect("192.0.2.7", 25, 0), Failed(0.0, FailureKind.REFUSED))
    with pytest.raises(ValueError, match="no session of this recording was ever connected"):
        TranscriptServer(nothing)


@pytest.mark.parametrize(
    "folder", sorted(filter(Path.is_dir, FIXTURES.iterdir())), ids=lambda folder: folder.name
)
def test_every_recorded_server_can_be_played_to_a_client_that_says_what_was_recorded(folder: Path) -> None:
    """Its replies are the recorded ones, octet by octet, for each session of each fixture."""
    for one in read_case(folder).sessions:
        if not any(isinstance(outcome, Received) for _, outcome in one):
            continue
        server = TranscriptServer(one, arguments=True)
        session = server.session()
        played, expected = b"".join(o for o in session.greet() if isinstance(o, bytes)), b""
        for effect, outcome in one:
            if isinstance(effect, Send):
                played += b"".join(o for o in session.receive(effect.data) if isinstance(o, bytes))
            elif isinstance(outcome, Received):
                expected += outcome.data
        assert played == expected
        assert server.departures == []


def test_a_message_server_takes_whole_messages(connect: Open) -> None:
    server = MessageServer(local_domains=("example.test",), rcpt_replies={"no@example.test": "550 no"})
    client = connect(server)
    text = "Subject: hello\r\n\r\n.a dot\r\n..\r\n" + "x" * 5000 + "\r\n"
    assert client.sendmail("a@b.test", ["you@example.test", "no@example.test"], text) == {
        "no@example.test": (550, b"no")
    }
    client.sendmail("", ["you@example.test"], ".\r\n")
    assert client.quit()[0] == 221
    assert server.messages == [
        ReceivedMessage("a@b.test", ("you@example.test",), text.encode()),
        ReceivedMessage("", ("you@example.test",), b".\r\n"),
    ]


def test_a_message_server_has_the_faults_of_a_rule_server(connect: Open) -> None:
    server = MessageServer.like(RuleServer(null_sender=False, local_domains=("example.test",)))
    client = connect(server)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("", ["you@example.test"], "x")
    assert client.docmd("DATA")[0] == 503
    assert server.messages == []


def test_a_message_that_is_too_big_is_read_and_refused(connect: Open) -> None:
    server = MessageServer(local_domains=("example.test",))
    client = connect(server)
    client.ehlo()
    client.mail("a@b.test")
    client.rcpt("you@example.test")
    assert client.docmd("DATA")[0] == 354
    client.send((b"x" * 998 + b"\r\n") * 10_300 + b".\r\n")
    assert client.getreply()[0] == 552  # type: ignore[attr-defined]
    assert client.sendmail("a@b.test", "you@example.test", "small") == {}
    assert [message.data for message in server.messages] == [b"small\r\n"]


def test_what_was_said_is_recorded_and_can_be_played(connect: Open) -> None:
    source = MessageServer(local_domains=("example.test",))
    with LiveServer(source) as server:
        client = Client(server.connect())
        client.starttls(context=None)
        client.sendmail("a@b.test", ["you@example.test"], "hello\r\n")
        client.quit()
        client.close()
        (record,) = server.transcripts
    again = TranscriptServer(Transcript.loads(record.dumps()), arguments=True)
    client = connect(again)
    client.starttls()
    client.ehlo()
    assert client.mail("a@b.test", ["size=7"])[0] == 250
    assert client.rcpt("you@example.test")[0] == 250
    assert client.data("another\r\n..\r\nmessage")[0] == 250
    assert client.quit()[0] == 221
    assert again.departures == []
