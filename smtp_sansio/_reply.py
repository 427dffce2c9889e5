"""A parser of replies: octets in, in reads of any size, codes and octets of whole replies out.

Rules:

* A line ends at LF. CRLF is right, a bare LF is a deviation, a bare CR is part of the line.
* A reply ends at the first line whose code is not followed by `-` (RFC 5321 §4.2.1). A line without a
  code inside a multi-line reply is text that lost its prefix: kept, and noted as a deviation. A reply
  that *begins* without a code cannot be paired with anything: `RemoteProtocolError`.
* Where the codes of one reply disagree the worst one counts, that is the highest: a server that sends
  250 and then 550 has refused.

Cost is linear in the octets received however they are split (python -m benchmarks linear). A reply that is
complete and regular in the buffer, as nearly all are, is matched by one expression, which saves the loop over
its lines (python -m benchmarks parser). Anything else is read line by line, each line once; a read without LF
is not searched at all. The two paths agree by construction: the expression admits exactly the replies in
which the line path would note nothing, and a test splits everything everywhere.
"""

import re
from typing import TypeAlias

from ._deviations import DeviationKind, DeviationLog
from ._errors import RemoteProtocolError
from ._policy import Policy

__all__ = ["CODE", "LINE", "RawReply", "ReplyParser"]

RawReply: TypeAlias = tuple[int, bytes]
"""The code that counts and the exact octets; the deviations are in the `DeviationLog`."""

# How a line that was received is read: after its code there may be a separator, and before LF a CR.
# (No possessive groups here: CPython before 3.11.3 loses what is captured behind one.)
CODE = rb"(?:[0-9]{3}(?![0-9])[ -]?)?"
LINE = re.compile(CODE + rb"([^\r\n]*(?:\r(?!\n)[^\r\n]*)*)\r?\n")

# 512 octets of line (RFC 5321 §4.5.3.1.5) less the code, the separator and CRLF. Possessive
# quantifiers keep a line that does not match from being tried again at every shorter length.
_TEXT = rb"[\t -~]{0,506}+\r\n"
_whole = re.compile(
    rb"(?:([2-5][0-5][0-9])-" + _TEXT + rb"(?:\1-" + _TEXT + rb")*+(?=\1 ))?([2-5][0-5][0-9]) " + _TEXT
).match
_regular_line = re.compile(rb"([2-5][0-5][0-9])([ -])" + _TEXT).match
_start_of_line = re.compile(rb"([0-9]{3})(?![0-9])([ -])?").match
_control = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").search
_non_ascii = re.compile(rb"[\x80-\xff]").search
_SHORTEST_LINE = len(b"250 \r\n")
_MAX_REGULAR_LINE = 512
_NO_CODE = -1


class ReplyParser:
    """Feed octets with `feed`, take replies with `next_reply` until it returns None."""

    __slots__ = (
        "_buffer",
        "_code",
        "_count",
        "_deviations",
        "_has_line",
        "_line",
        "_max_line",
        "_policy",
        "_scan",
        "_start",
        "_surely_within",
    )

    def __init__(self, policy: Policy, deviations: DeviationLog) -> None:
        self._policy = policy
        self._max_line = policy.max_line
        self._deviations = deviations
        self._buffer = bytearray()
        self._start = 0  # where the current reply begins
        self._line = 0  # where its first unread line begins
        self._scan = 0  # up to where there is surely no LF
        self._has_line = False  # an LF may lie beyond _scan
        self._code = _NO_CODE  # worst code of the reply so far
        self._count = 0  # lines of the reply so far
        # a reply no longer than this is within every limit, so its lines need not be counted
        self._surely_within = min(policy.max_line, policy.max_reply, policy.max_reply_lines * _SHORTEST_LINE)

    @property
    def pending(self) -> bytes:
        """The octets received that are part of no reply returned yet."""
        return bytes(self._buffer[self._start :])

    @property
    def is_empty(self) -> bool:
        """True where there are no such octets."""
        return self._start == len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take the octets of one read."""
        start = self._start
        if start:
            del self._buffer[:start]
            self._line -= start
            self._scan -= start
            self._start = 0
        self._buffer += data
        if b"\n" in data:
            self._has_line = True

    def clear(self) -> None:
        """Discard the octets that are part of no reply returned yet."""
        self._buffer.clear()
        self._start = self._line = self._scan = self._count = 0
        self._code = _NO_CODE
        self._has_line = False

    def next_reply(self) -> RawReply | None:
        """Return the next whole reply, or None where more octets are needed.

        Raises `RemoteProtocolError`: `limit.line`, `limit.reply`, `syntax.reply`, `deviation.*`.
        """
        if self._has_line:
            if self._line == self._start and (m := _whole(self._buffer, self._start)) is not None:
                end = m.end()
                if end - self._start <= self._surely_within:
                    self._start = self._line = self._scan = end
                    return int(m[2]), m[0]
            while (end := self._buffer.find(b"\n", self._scan) + 1) > 0:
                if self._take_line(end):
                    return self._finish(end)
            self._has_line = False
            self._scan = len(self._buffer)
        if len(self._buffer) - self._line > self._max_line:
            raise self._long_line(bytes(self._buffer[self._line : self._line + self._policy.max_line]))
        return None

    def _take_line(self, end: int) -> bool:
        """Read the line that ends before `end`; return True where it is the last of its reply."""
        policy = self._policy
        count = self._count = self._count + 1
        if (
            end - self._line > policy.max_line
            or end - self._start > policy.max_reply
            or count > policy.max_reply_lines
        ):
            raise self._past_limit(bytes(self._buffer[self._line : end]), end)
        if (m := _regular_line(self._buffer, self._line)) is not None:
            code, last = int(m[1]), m[2] == b" "
        else:
            code, last = self._read_irregular_line(bytes(self._buffer[self._line : end]))
        worst = self._code
        if code != worst:
            if worst != _NO_CODE != code:
                self._note(DeviationKind.MIXED_CODES, 0, bytes(self._buffer[self._line : end]))
            if code > worst:
                self._code = code
        self._line = self._scan = end
        return last

    def _past_limit(self, line: bytes, end: int) -> RemoteProtocolError:
        if len(line) > self._policy.max_line:
            return self._long_line(line)
        if end - self._start > self._policy.max_reply:
            return self._too_much(
                "limit.reply", f"a reply of more than {self._policy.max_reply} octets", line
            )
        return self._too_much(
            "limit.reply-lines", f"a reply of more than {self._policy.max_reply_lines} lines", line
        )

    def _read_irregular_line(self, line: bytes) -> tuple[int, bool]:
        """Note the deviations of a line; return its code, or `_NO_CODE`, and True where the reply ends."""
        self._note_octets(line)
        body = line[:-1].removesuffix(b"\r")
        m = _start_of_line(body)
        if m is None:
            if self._count == 1:
                raise RemoteProtocolError(
                    "syntax.reply",
                    "the peer sent a line that begins no SMTP reply",
                    line[: self._policy.max_excerpt],
                )
            self._note(DeviationKind.MISSING_CODE, 0, body)
            return _NO_CODE, False
        code = int(m[1])
        if not 200 <= code <= 559 or code % 100 > 59:
            self._note(DeviationKind.CODE_OUT_OF_RANGE, 0, m[1])
        if m[2] is None:
            kind = DeviationKind.NO_SEPARATOR if len(body) == 3 else DeviationKind.BAD_SEPARATOR
            self._note(kind, 3, body)
        return code, m[2] != b"-"

    def _note_octets(self, line: bytes) -> None:
        body = line[:-1]
        if body.endswith(b"\r"):
            body = body[:-1]
        else:
            self._note(DeviationKind.BARE_LF, len(body), line[-20:])
        if (at := body.find(b"\r")) >= 0:
            self._note(DeviationKind.BARE_CR, at, body)
        if (m := _control(body)) is not None:
            self._note(DeviationKind.CONTROL, m.start(), body)
        if (m := _non_ascii(body)) is not None:
            self._note(DeviationKind.NON_ASCII, m.start(), body)
        if len(line) > _MAX_REGULAR_LINE:
            self._note(DeviationKind.LONG_LINE, _MAX_REGULAR_LINE, body)

    def _note(self, kind: DeviationKind, offset_in_line: int, octets: bytes) -> None:
        self._deviations.note(kind, self._count, self._line - self._start + offset_in_line, octets)

    def _finish(self, end: int) -> RawReply:
        reply = self._code, bytes(self._buffer[self._start : end])
        self._start = end
        self._count = 0
        self._code = _NO_CODE
        return reply

    def _long_line(self, octets: bytes) -> RemoteProtocolError:
        # cut at the limit, so that the error is the same whatever the reads were
        limit = self._policy.max_line
        return self._too_much("limit.line", f"a line of more than {limit} octets", octets[:limit])

    def _too_much(self, code: str, what: str, octets: bytes) -> RemoteProtocolError:
        return RemoteProtocolError(code, f"the peer sent {what}", octets[: self._policy.max_excerpt])
