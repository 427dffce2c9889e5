"""From octets to replies, whatever the reads they arrive in.

Rules:

* A line ends at LF. CRLF is right, a bare LF is a deviation, a bare CR is part of the line.
* A reply ends at the first line whose code is not followed by `-` (RFC 5321 §4.2.1). A line without a
  code inside a multi-line reply is text that lost its prefix: kept, and told as a deviation. A reply
  that *begins* without a code cannot be paired with anything: `RemoteProtocolError`.
* Where the codes of one reply disagree the worst one counts, that is the highest: a server that says
  250 and then 550 has refused.

Cost is linear in the octets received however they are split. A reply that lies complete and regular in
the buffer, nearly all of them, is taken by one expression. Anything else goes line by line, each line
looked at once; a read that brings no LF costs no look at all. The two ways agree by construction: the
expression admits exactly what the line path would pass without noting anything, and a test splits
everything everywhere.
"""

import re
from typing import TypeAlias

from ._deviations import DeviationKind, DeviationLog
from ._errors import RemoteProtocolError
from ._policy import Policy

__all__ = ["CODE", "LINE", "RawReply", "ReplyParser"]

RawReply: TypeAlias = tuple[int, bytes]
"""The code that counts and the exact octets; what was irregular waits in the `DeviationLog`."""

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
    """Feed octets with `feed`, take replies with `next_reply` until it gives None."""

    __slots__ = (
        "_buffer",
        "_code",
        "_count",
        "_has_line",
        "_irregular",
        "_line",
        "_max_line",
        "_policy",
        "_scan",
        "_start",
        "_surely_within",
    )

    def __init__(self, policy: Policy, irregular: DeviationLog) -> None:
        self._policy = policy
        self._max_line = policy.max_line
        self._irregular = irregular
        self._buffer = bytearray()
        self._start = 0  # where the reply at hand begins
        self._line = 0  # where its first line not looked at yet begins
        self._scan = 0  # up to where there is surely no LF
        self._has_line = False  # an LF may lie beyond _scan
        self._code = _NO_CODE  # worst code of the reply so far
        self._count = 0  # lines of the reply so far
        # a reply no longer than this passes every limit without a look at its lines
        self._surely_within = min(policy.max_line, policy.max_reply, policy.max_reply_lines * _SHORTEST_LINE)

    @property
    def pending(self) -> bytes:
        """The octets received that are part of no reply given out yet."""
        return bytes(self._buffer[self._start :])

    @property
    def is_empty(self) -> bool:
        """Whether no such octets are there."""
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
        """Forget everything received and not given out."""
        self._buffer.clear()
        self._start = self._line = self._scan = self._count = 0
        self._code = _NO_CODE
        self._has_line = False

    def next_reply(self) -> RawReply | None:
        """The next whole reply, or None where more octets are needed.

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
        """Look at the line that ends before `end`; whether it is the last of its reply."""
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
            code, last = self._irregular_line(bytes(self._buffer[self._line : end]))
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

    def _irregular_line(self, line: bytes) -> tuple[int, bool]:
        """The code (`_NO_CODE` where there is none) and whether the reply ends here; notes what is odd."""
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
        self._irregular.note(kind, self._count, self._line - self._start + offset_in_line, octets)

    def _finish(self, end: int) -> RawReply:
        reply = self._code, bytes(self._buffer[self._start : end])
        self._start = end
        self._count = 0
        self._code = _NO_CODE
        return reply

    def _long_line(self, octets: bytes) -> RemoteProtocolError:
        # no more than is there whatever the reads, so that the error is the same
        limit = self._policy.max_line
        return self._too_much("limit.line", f"a line of more than {limit} octets", octets[:limit])

    def _too_much(self, code: str, what: str, octets: bytes) -> RemoteProtocolError:
        return RemoteProtocolError(code, f"the peer sent {what}", octets[: self._policy.max_excerpt])
