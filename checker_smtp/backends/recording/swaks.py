"""Read the output of swaks as a transcript.

    === Trying 192.0.2.7:25...
    === Connected to 192.0.2.7.
    <-  220 mx.example ESMTP
     -> EHLO probe.example
    <** 550 no
    *** Remote host closed connection unexpectedly.

swaks prints neither times nor the borders of its reads: every time is 0, and what came in a row is one read.
Passwords and what else follows AUTH are left out.
"""

import re
from typing import Final

from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Secured,
    Send,
    Transcript,
    Upgrade,
)

from .case_files import TextError

__all__ = ["NOT_KNOWN", "read_swaks"]

NOT_KNOWN: Final = (
    "# Imported from swaks. Not known: times (at is 0), borders of reads, the certificate, all DNS answers.\n"
)
"""The comment that a transcript from swaks begins with."""

_HIDDEN: Final = "[hidden]"
_tried = re.compile(r"=== Trying (?P<host>.+):(?P<port>[0-9]{1,5})\.\.\.").fullmatch
_secured = re.compile(
    r"=== TLS started (?:with|w/) cipher (?:(?P<version>[^:]+):)?(?P<cipher>[^: ]+).*"
).fullmatch
_CLIENT: Final = (" ->", " ~>")
_SERVER: Final = ("<- ", "<~ ", "<**", "<~*")
_TIMEOUT: Final = "<** Timeout"
_KINDS: Final = {
    "refused": FailureKind.REFUSED,
    "timed out": FailureKind.TIMEOUT,
    "no route": FailureKind.HOST_UNREACHABLE,
    "network is unreachable": FailureKind.NETWORK_UNREACHABLE,
}


def read_swaks(text: str) -> Transcript:
    """Return the session that swaks printed. Raises `TextError` where `text` is not the output of swaks."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not reader.read(line):
            raise TextError(
                f"{line[:40]!r} is not a line of swaks: they begin with ===, ***, ->, ~>, <- or <~", number
            )
    if not len(transcript := reader.end()):
        raise TextError("swaks tried no connection here: give all that it printed, from === Trying on")
    return transcript


class _Reader:
    """The lines in a row that are one effect, and the transcript before them."""

    def __init__(self) -> None:
        self._transcript = Transcript()
        self._sent: list[str] = []
        self._received: list[str] = []
        self._target = Connect("", 0, 0)
        self._is_connected = self._is_secret = False

    def read(self, line: str) -> bool:
        """Read one line; return False where it is not one of swaks."""
        if line.startswith(_TIMEOUT):
            self._note(Receive(0), Failed(0.0, FailureKind.TIMEOUT))
        elif line.startswith(_CLIENT):
            self._on_sent(line[4:])
        elif line.startswith(_SERVER):
            self._on_received(line[4:])
        elif line.startswith("==="):
            self._on_step(line)
        elif line.lstrip().startswith("***"):
            self._on_error(line.lstrip(" *\t"))
        else:
            return False
        return True

    def end(self) -> Transcript:
        """Return the whole transcript."""
        self._flush()
        return self._transcript

    def _on_sent(self, text: str) -> None:
        if self._received:
            self._is_secret = self._received[-1].startswith("334")
            self._flush()
        words = text.split(" ")
        if self._is_secret:
            text = _HIDDEN
        elif words[0].upper() == "AUTH" and len(words) > 2:
            text = f"{words[0]} {words[1]} {_HIDDEN}"
        self._sent.append(text)

    def _on_received(self, text: str) -> None:
        if self._sent:
            self._flush()
        self._received.append(text)

    def _on_step(self, line: str) -> None:
        if (tried := _tried(line)) is not None:
            self._target = Connect(tried["host"].strip("[]"), int(tried["port"]), 0)
        elif line.startswith("=== Connected to"):
            self._is_connected = True
            self._note(self._target, Done(0.0))
        elif (secured := _secured(line)) is not None:
            self._note(Upgrade("", 0), Secured(0.0, secured["version"] or "", secured["cipher"]))

    def _on_error(self, text: str) -> None:
        kind = next((kind for words, kind in _KINDS.items() if words in text.lower()), None)
        if text.startswith("TLS startup failed"):
            self._note(Upgrade("", 0), Failed(0.0, FailureKind.TLS, text.partition("(")[2].rstrip(")")))
        elif text.startswith("Remote host closed"):
            self._note(Receive(0), Received(0.0, b""))
        elif kind is not None and not self._is_connected:
            self._note(self._target, Failed(0.0, kind, text.rpartition(": ")[2]))

    def _note(self, effect: Effect, outcome: Outcome) -> None:
        self._flush()
        self._transcript.note(effect, outcome)

    def _flush(self) -> None:
        """Note what was sent or received in a row."""
        octets = "".join(f"{line}\r\n" for line in self._sent + self._received).encode("utf-8")
        if self._sent:
            self._transcript.note(Send(octets, 0), Done(0.0))
        elif self._received:
            self._transcript.note(Receive(0), Received(0.0, octets))
        self._sent, self._received = [], []
