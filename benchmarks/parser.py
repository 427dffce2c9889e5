"""Reading replies: how many a second, beside smtplib, aiosmtplib and smtpproto.

Theory: the octets are in memory and arrive as a socket would give them, read by read. Time is this process's
CPU time, each run has a reader of its own, and each has to give the known number of replies and the known
sum of their codes: a reader that loses a reply is an error, not fast.

The corpus resembles what a checker reads: 60 % of the replies are one line, 20 % an answer to EHLO in ten
lines, 20 % a refusal of one to four lines.

The comparison: ours is `ReplyParser` under the default limits: code and exact octets, all irregularities
noted, text made when it is read. As the others make their text at once, a second line has ours made into
an event and its text read, too. aiosmtplib takes one reply a read and drops the rest, so its private parser
is called in a loop, which it would need for pipelining. smtpproto's state table allows 221 and 554 in few
states; it is passed by, and only its framing and its response object are measured.
"""

import asyncio
import io
import smtplib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import cycle, islice
from time import process_time

import aiosmtplib.protocol
import smtpproto.protocol

from smtp_sansio import Noop, Policy, Reply
from smtp_sansio._deviations import DeviationLog
from smtp_sansio._reply import ReplyParser

from .figures import Requirement, in_turns, table

__all__ = ["run"]

_ROUNDS = 7
_REPLIES = 10_000
_OURS, _AIOSMTPLIB, _SMTPPROTO, _SMTPLIB = "checker-smtp", "aiosmtplib", "smtpproto", "smtplib"
_OURS_TEXT = "checker-smtp, event and text"
# An Ethernet frame's worth of TCP, the size for which figures are required.
_FRAME = "1460 B"
_READS = {"a reply": None, "64 B": 64, _FRAME: 1460, "64 KiB": 65536}
# How many times as many replies a second as each peer, at least.
_REQUIRED = {_AIOSMTPLIB: 2.0, _SMTPPROTO: 2.0, _SMTPLIB: 1.0}

_SINGLE = (
    b"250 2.1.0 Ok\r\n",
    b"250 2.1.5 Ok\r\n",
    b"250 2.0.0 Ok\r\n",
    b"220 mx2.example.net ESMTP ready at Mon, 03 Feb 2025\r\n",
    b"220 2.0.0 Ready to start TLS\r\n",
    b"250 2.1.5 postmaster@example.net... Recipient ok\r\n",
    b"221 2.0.0 Goodbye\r\n",
)
_EHLO = b"\r\n".join(
    (
        b"250-mx2.example.net greets probe.example.org",
        b"250-SIZE 36700160",
        b"250-8BITMIME",
        b"250-DSN",
        b"250-ENHANCEDSTATUSCODES",
        b"250-PIPELINING",
        b"250-CHUNKING",
        b"250-STARTTLS",
        b"250-SMTPUTF8",
        b"250 HELP\r\n",
    )
)
_REFUSALS = (
    b"\r\n".join(
        (
            b"550-5.7.1 Our system has found that the host which sends this message",
            b"550-5.7.1 has no name in the reverse DNS, or one that does not lead back.",
            b"550-5.7.1 Ask the network's operator to give it one; more about it is at",
            b"550 5.7.1 https://postmaster.example.net/reverse-dns?ticket=2c9f1ab7\r\n",
        )
    ),
    b"\r\n".join(
        (
            b"550-5.1.1 There is nobody of this name here. Please look for typing errors",
            b"550-5.1.1 and blanks in the address of the recipient, then try again.",
            b"550 5.1.1 Reference q14-20020a170902edc1 - mx2\r\n",
        )
    ),
    b"554 5.7.1 <postmaster@example.com>: Relay access denied\r\n",
)

Sums = tuple[int, int]
"""How many replies were read, and the sum of their codes."""


def run() -> list[Requirement]:
    """Print replies a second for each reader and size of read; judge the one required."""
    corpus = tuple(islice(_mixed(), _REPLIES))
    octets = sum(map(len, corpus))
    known = len(corpus), sum(int(reply[:3]) for reply in corpus)
    seconds = in_turns(
        _ROUNDS,
        {
            (name, size): partial(_seconds, reader, _cut(corpus, octets_a_read), known)
            for size, octets_a_read in _READS.items()
            for name, reader in _READERS.items()
        },
    )
    print(f"{len(corpus)} replies of {octets / len(corpus):.0f} octets on average, median of {_ROUNDS} runs,")
    print("thousand replies a second of CPU time (and how many times that checker-smtp reads)")
    print(
        table(
            ["reader", *(f"{size} a read" for size in _READS)],
            [
                [
                    name,
                    *(
                        f"{len(corpus) / seconds[name, size] / 1000:.0f}"
                        f" ({seconds[name, size] / seconds[_OURS, size]:.2f})"
                        for size in _READS
                    ),
                ]
                for name in _READERS
            ],
        )
    )
    ratios = {peer: seconds[peer, _FRAME] / seconds[_OURS, _FRAME] for peer in _REQUIRED}
    return [
        Requirement(
            f"at least {least:g} × {peer}'s replies/s in reads of {_FRAME}",
            f"{ratios[peer]:.2f} ×",
            ratios[peer] >= least,
        )
        for peer, least in _REQUIRED.items()
    ]


def _mixed() -> Iterable[bytes]:
    single, refusals = cycle(_SINGLE), cycle(_REFUSALS)
    while True:
        yield from (next(single), next(single), next(single), _EHLO, next(refusals))


def _cut(corpus: Sequence[bytes], size: int | None) -> Sequence[bytes]:
    """Return the reads in which the corpus arrives: of `size` octets, or one for each reply."""
    if size is None:
        return corpus
    octets = b"".join(corpus)
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def _seconds(reader: Callable[[Iterable[bytes]], Sums], reads: Sequence[bytes], known: Sums) -> float:
    began = process_time()
    sums = reader(reads)
    took = process_time() - began
    if sums != known:
        raise RuntimeError(f"{reader.__name__} read {sums} where {known} were sent")
    return took


def _read_ours(reads: Iterable[bytes]) -> Sums:
    policy = Policy()
    parser = ReplyParser(policy, DeviationLog(policy))
    count = total = 0
    for data in reads:
        parser.feed(data)
        while (reply := parser.next_reply()) is not None:
            count += 1
            total += reply[0]
    return count, total


def _read_ours_with_text(reads: Iterable[bytes]) -> Sums:
    policy = Policy()
    irregular = DeviationLog(policy)
    parser = ReplyParser(policy, irregular)
    command = Noop()
    count = total = 0
    for data in reads:
        parser.feed(data)
        while (raw := parser.next_reply()) is not None:
            reply = Reply(*raw, irregular.take(), command)
            count += bool(reply.text)
            total += reply.code
    return count, total


class _Reads(io.RawIOBase):
    """Replaces the socket below smtplib's file: each read returns at most one read."""

    def __init__(self, reads: Iterable[bytes]) -> None:
        self._reads = iter(reads)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._rest or next(self._reads, b"")
        taken = min(len(buffer), len(data))
        buffer[:taken] = data[:taken]
        self._rest = data[taken:]
        return taken


def _read_smtplib(reads: Iterable[bytes]) -> Sums:
    client = smtplib.SMTP()
    client.file = io.BufferedReader(_Reads(reads))
    count = total = 0
    try:
        while True:
            code, _ = client.getreply()
            count += 1
            total += code
    except smtplib.SMTPServerDisconnected:
        return count, total


def _read_aiosmtplib(reads: Iterable[bytes]) -> Sums:
    loop = asyncio.new_event_loop()
    protocol = aiosmtplib.protocol.SMTPProtocol(loop=loop)
    loop.close()
    count = total = 0
    for data in reads:
        protocol._buffer.extend(data)
        while (reply := protocol._read_response_from_buffer()) is not None:
            count += 1
            total += reply.code
    return count, total


class _AnyState(smtpproto.protocol.SMTPClientProtocol):
    """smtpproto's framing, whatever was asked."""

    def _parse_response(self, code: int, lines: Sequence[str]) -> smtpproto.protocol.SMTPResponse:
        return smtpproto.protocol.SMTPResponse(code, "\n".join(lines))


def _read_smtpproto(reads: Iterable[bytes]) -> Sums:
    protocol = _AnyState()
    count = total = 0
    for data in reads:
        reply = protocol.feed_bytes(data)
        while reply is not None:
            count += 1
            total += reply.code
            reply = protocol.feed_bytes(b"")
    return count, total


_READERS: dict[str, Callable[[Iterable[bytes]], Sums]] = {
    _OURS: _read_ours,
    _OURS_TEXT: _read_ours_with_text,
    _SMTPLIB: _read_smtplib,
    _AIOSMTPLIB: _read_aiosmtplib,
    _SMTPPROTO: _read_smtpproto,
}
