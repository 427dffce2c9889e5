"""One helper for every test of the reply parser: the octets whole, in two, one by one, and with a tail."""

from collections.abc import Iterable
from dataclasses import dataclass

from smtp_sansio import Deviation, Policy, RemoteProtocolError
from smtp_sansio._deviations import DeviationLog
from smtp_sansio._reply import ReplyParser

TAIL = b"221 2.0.0 tail\r\n"


@dataclass(frozen=True)
class Parsed:
    """The replies in some octets, or the error."""

    replies: tuple[tuple[int, bytes, tuple[Deviation, ...]], ...]
    error: tuple[str, str, bytes] | None
    pending: bytes


def parse(pieces: Iterable[bytes], policy: Policy | None = None) -> Parsed:
    """Feed a new parser piece by piece, as a connection does."""
    policy = policy or Policy()
    irregular = DeviationLog(policy)
    parser = ReplyParser(policy, irregular)
    replies: list[tuple[int, bytes, tuple[Deviation, ...]]] = []
    fed = b""
    try:
        for piece in pieces:
            parser.feed(piece)
            fed += piece
            while (reply := parser.next_reply()) is not None:
                replies.append((*reply, irregular.take()))
            assert parser.is_empty == (parser.pending == b"")
            assert b"".join(raw for _, raw, _ in replies) + parser.pending == fed, "no octet is lost"
    except RemoteProtocolError as error:
        return Parsed(tuple(replies), (error.code, str(error), error.excerpt), b"")
    return Parsed(tuple(replies), None, parser.pending)


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def parse_all_ways(data: bytes, policy: Policy | None = None) -> Parsed:
    """Require the same replies however the octets are split, and that octets behind them stay apart."""
    whole = parse([data], policy)
    assert parse(single(data), policy) == whole
    assert parse([b"", data, b""], policy) == whole
    step = max(1, len(data) // 200)
    for at in range(1, len(data), step):
        assert parse([data[:at], data[at:]], policy) == whole
    if whole.error is None and not whole.pending:
        followed = parse([data + TAIL], policy)
        assert followed.replies == (*whole.replies, (221, TAIL, ()))
        assert parse(single(data + TAIL), policy) == followed
        cut = parse([data + TAIL[:5]], policy)
        assert (cut.replies, cut.pending) == (whole.replies, TAIL[:5])
    return whole


def one_reply(data: bytes, policy: Policy | None = None) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the code of octets that must be one reply, and its deviations as kind, line and offset."""
    parsed = parse_all_ways(data, policy)
    assert parsed.error is None
    assert parsed.pending == b""
    ((code, raw, deviations),) = parsed.replies
    assert raw == data
    return code, [(str(d.kind), d.line, d.offset) for d in deviations]
