"""`import --swaks`: what swaks 20201014.0 printed against servers of this package, as transcripts."""

from pathlib import Path

import pytest

from checker_smtp.backends.recording.case_files import TextError
from checker_smtp.backends.recording.swaks import NOT_KNOWN, read_swaks
from checker_smtp.testing import TranscriptServer
from smtp_sansio import (
    Connect,
    Done,
    Failed,
    FailureKind,
    Receive,
    Received,
    Secured,
    Send,
    Transcript,
    Upgrade,
)
from tests.apps.command import run

OUTPUTS = Path(__file__).parent / "swaks"
CONNECTED = "=== Trying mx.test:25...\n=== Connected to mx.test.\n"


def read(name: str) -> list[tuple[object, object]]:
    return list(read_swaks((OUTPUTS / f"{name}.txt").read_text("utf-8")))


def sent(pairs: list[tuple[object, object]]) -> list[bytes]:
    return [effect.data for effect, _ in pairs if isinstance(effect, Send)]


def test_a_whole_session_under_tls() -> None:
    pairs = read("tls")
    assert pairs[0] == (Connect("127.0.0.1", 35739, 0), Done(0.0))
    assert pairs[1] == (Receive(0), Received(0.0, b"220 mx.test ESMTP\r\n"))
    assert (Upgrade("", 0), Secured(0.0, "TLSv1.3", "TLS_AES_256_GCM_SHA384")) in pairs
    assert [data.split()[0] for data in sent(pairs)] == [
        b"EHLO",
        b"STARTTLS",
        b"EHLO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"Date:",
        b"QUIT",
    ]
    assert sent(pairs)[6].endswith(b"\r\n\r\nThis is a test mailing\r\n\r\n\r\n.\r\n")
    assert pairs[-1] == (Receive(0), Received(0.0, b"221 2.0.0 Bye\r\n"))


def test_a_pipelined_group_is_one_write() -> None:
    assert b"MAIL FROM:<a@b.test>\r\nRCPT TO:<you@example.test>\r\nDATA\r\n" in sent(read("pipelined"))


def test_replies_that_swaks_marks_as_errors_are_replies() -> None:
    assert (Receive(0), Received(0.0, b"550 5.1.1 no such user\r\n")) in read("refused-recipient")
    assert read("refused-greeting")[1] == (Receive(0), Received(0.0, b"554 go away\r\n"))


def test_failures_have_their_kinds() -> None:
    assert read("no-connection") == [
        (Connect("127.0.0.1", 9, 0), Failed(0.0, FailureKind.REFUSED, "Connection refused"))
    ]
    assert read("silent")[1] == (Receive(0), Failed(0.0, FailureKind.TIMEOUT))
    closed = CONNECTED + "<-  220 a\n -> EHLO b\n*** Remote host closed connection unexpectedly.\n"
    assert list(read_swaks(closed))[-1] == (Receive(0), Received(0.0, b""))
    failed = (
        CONNECTED + "<-  220 go\n*** TLS startup failed (connect(): error:0A00010B:wrong version number)\n"
    )
    assert list(read_swaks(failed))[-1] == (
        Upgrade("", 0),
        Failed(0.0, FailureKind.TLS, "connect(): error:0A00010B:wrong version number"),
    )


def test_no_password_is_imported() -> None:
    assert b"AUTH PLAIN [hidden]\r\n" in sent(read("auth"))
    login = " -> AUTH LOGIN\n<-  334 VXNlcm5hbWU6\n -> dQ==\n<-  334 UGFzc3dvcmQ6\n -> c2VjcmV0\n<-  235 ok\n"
    assert sent(list(read_swaks(f"{CONNECTED}<-  220 a\n{login} -> QUIT\n"))) == [
        b"AUTH LOGIN\r\n",
        b"[hidden]\r\n",
        b"[hidden]\r\n",
        b"QUIT\r\n",
    ]


@pytest.mark.parametrize("path", sorted(OUTPUTS.iterdir()), ids=lambda path: path.stem)
def test_every_output_becomes_a_transcript_that_can_be_read_and_played(path: Path) -> None:
    done = run("import", "--swaks", path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(NOT_KNOWN)
    transcript = Transcript.loads(done.out)
    assert all(outcome.at == 0.0 for _, outcome in transcript)
    if path.stem != "no-connection":
        session = TranscriptServer(transcript, arguments=True).session()
        assert list(session.greet())


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "=== Trying mx.test:25...\n\n220 mx.test\n",
            3,
            "'220 mx.test' is not a line of swaks: they begin with",
        ),
        ("", 0, "swaks tried no connection here: give all that it printed, from === Trying on"),
        ("=== Trying nothing\n", 0, "swaks tried no connection here"),
    ],
)
def test_what_is_not_of_swaks_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(TextError, match=message) as refused:
        read_swaks(text)
    assert refused.value.line == line


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello\n")
    done = run("import", "--swaks", tmp_path / "other.txt")
    assert (done.code, done.out) == (3, "")
    assert f"{tmp_path / 'other.txt'}, line 1: 'hello' is not a line of swaks" in done.err
    assert run("import").code == 3
    assert (
        "missing.txt cannot be read: No such file" in run("import", "--swaks", tmp_path / "missing.txt").err
    )


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    done = run("import", "--swaks", OUTPUTS / "tls.txt", "-o", tmp_path / "session.jsonl")
    assert (done.code, done.out) == (0, "")
    assert len(Transcript.loads((tmp_path / "session.jsonl").read_text("utf-8"))) > 10
