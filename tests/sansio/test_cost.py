"""Cost is linear in the octets received, however they arrive: work is counted, no clock is read.

The parser touches octets in five ways: it searches a buffer, copies slices out of it, deletes from its front,
and runs two expressions over it. Each is counted here by the octets it can touch at most.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Self

import pytest

from smtp_sansio import Connection, Ehlo, Need, Noop, Policy, _reply
from tests.sansio.notation import converse

ROOMY = Policy(
    max_line=1 << 20,
    max_reply=1 << 30,
    max_reply_lines=1 << 30,
    max_session=1 << 30,
    max_unsolicited=1 << 30,
)


class Work:
    """Octets touched, and the most that lay in the buffer."""

    def __init__(self) -> None:
        self.octets = 0
        self.most = 0


class CountingBuffer(bytearray):
    """A buffer that counts what is done with it."""

    work: Work

    def find(self, octets: Any, start: Any = 0, end: Any = None) -> int:
        assert end is None
        at = super().find(octets, start)
        self.work.octets += (at if at >= 0 else len(self)) - start + 1
        return at

    def __getitem__(self, key: Any) -> Any:
        got = super().__getitem__(key)
        self.work.octets += len(got) if isinstance(got, bytes | bytearray) else 1
        return got

    def __delitem__(self, key: Any) -> None:
        assert not key.start, "only the front is deleted, which moves nothing"
        self.work.octets += 1
        super().__delitem__(key)

    def __iadd__(self, data: Any) -> Self:
        self.extend(data)
        self.work.octets += len(data)
        self.work.most = max(self.work.most, len(self))
        return self


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    whole = _reply._whole

    def counted(buffer: bytearray, start: int) -> re.Match[bytes] | None:
        m = whole(buffer, start)
        # without a match it ran over the regular lines there were and into the one that stopped it
        run = m or _run(buffer, start)
        assert run is not None
        work.octets += run.end() - start
        return m

    monkeypatch.setattr(_reply, "_whole", counted)
    monkeypatch.setattr(CountingBuffer, "work", work, raising=False)
    return work


_run = re.compile(rb"(?:[0-9]{3}-[\t -~]*\r\n)*(?:[0-9]{3}[ -][\t -~]*\r?)?").match


def hear(connection: Connection, pieces: Iterable[bytes]) -> Iterator[object]:
    connection._parser._buffer = CountingBuffer(connection._parser.pending)
    for piece in pieces:
        connection.receive_data(piece)
        while not isinstance(event := connection.next_event(), Need):
            yield event


def asked() -> Connection:
    connection = converse("S: 220 hi", ROOMY).connection
    connection.send(Noop())
    return connection


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("lines", [500, 5000])
def test_a_long_reply_a_line_at_a_time(work: Work, lines: int, end: bytes) -> None:
    pieces = [b"250-" + b"x" * 40 + end] * lines + [b"250 end" + end]
    assert len(list(hear(asked(), pieces))) == 1
    assert work.octets <= 8 * len(b"".join(pieces))


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_long_reply_in_one_read(work: Work, end: bytes) -> None:
    octets = (b"250-" + b"x" * 40 + end) * 5000 + b"250 end" + end
    assert len(list(hear(asked(), [octets]))) == 1
    assert work.octets <= 8 * len(octets)


@pytest.mark.parametrize("length", [700, 7000, 70000])
def test_a_long_line_octet_by_octet(work: Work, length: int) -> None:
    pieces = [b"%c" % octet for octet in b"250 " + b"x" * length + b"\r\n"]
    assert len(list(hear(asked(), pieces))) == 1
    assert work.octets <= 8 * len(pieces)


TEXT = b"2.1.5 <postmaster@example.org>... Recipient ok"


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        b"250 " + TEXT + b"\r\n",
        b"250 " + TEXT + b"\n",
        b"250-" + TEXT + b"\r\n250-" + TEXT + b"\r\n250 " + TEXT + b"\r\n",
        b"250-" + TEXT + b"\n250 " + TEXT + b"\r\n",
    ],
)
@pytest.mark.parametrize("megabytes", [0.2, 2])
def test_many_replies_in_one_read(work: Work, reply: bytes, megabytes: float) -> None:
    octets = reply * int(megabytes * 1_000_000 / len(reply))
    connection = asked()
    assert len(list(hear(connection, [octets]))) == len(octets) // len(reply)
    assert work.octets <= 8 * len(octets)


def test_many_replies_with_a_read_after_each(work: Work) -> None:
    """A caller that reads one event and receives one octet more, over and over."""
    replies = 20_000
    connection = asked()
    connection._parser._buffer = CountingBuffer()
    connection.receive_data(b"250 ok\r\n" * replies)
    heard = 0
    for octet in b"250 ok\r\n" * (replies // 8):
        heard += not isinstance(connection.next_event(), Need)
        connection.receive_data(b"%c" % octet)
    assert heard == replies
    assert work.octets <= 10 * 8 * (replies + replies // 8)


def test_many_replies_at_odd_cuts_keep_little(work: Work) -> None:
    octets = b"250-some text\r\n250 more text\r\n" * 5000
    pieces = [octets[at : at + 1447] for at in range(0, len(octets), 1447)]
    assert len(list(hear(asked(), pieces))) == 5000
    assert work.octets <= 8 * len(octets)
    assert work.most <= 2 * 1447


def test_a_long_answer_to_ehlo(work: Work) -> None:
    connection = converse("S: 220 hi", ROOMY).connection
    connection.send(Ehlo("a"))
    octets = b"".join(b"250-X%d a b\r\n" % number for number in range(5000)) + b"250 ETRN\r\n"
    assert len(list(hear(connection, [octets]))) == 1
    assert connection.capabilities is not None
    assert len(connection.capabilities.keywords) == 5000
    assert work.octets <= 8 * len(octets)
