r"""A notation for SMTP sessions, and a scripted server that plays them.

    C: EHLO probe.example      the client sends this line; consecutive lines are one write
    S: 250-mx.example          the server sends this in one read, CRLF added; Python's escapes are understood
    S+ 250 PIPELINING          more of the same read
    S: 250 to be co\           a backslash at the end: no CRLF, the line continues in the next read
    -- eof                     the server closes the connection
    -- connected               any other outcome: `connected`, `tls VERSION CIPHER`,
    -- timeout some detail     or the name of a `FailureKind` and its detail
    @ 12.5                     the clock, in seconds since the session began, from here on

A dialogue that does not begin with the outcome of connecting is one whose connection succeeds at once.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from anyio.lowlevel import checkpoint

from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)

from .session import drive

__all__ = [
    "CHECKER_VERBS",
    "DialogueMismatch",
    "DialogueStep",
    "ScriptedServer",
    "parse_dialogue",
    "play_dialogue",
]

_T = TypeVar("_T")

CHECKER_VERBS = frozenset({"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"})
"""The commands that a check sends; it sends no other."""


class DialogueMismatch(AssertionError):  # noqa: N818 - nothing is broken: it says what differs
    """The client does not do what the dialogue says; the message shows both."""


@dataclass(frozen=True, slots=True)
class DialogueStep:
    """One step of a dialogue.

    `mark` is `C` for `octets` that the client writes, `S` for `octets` that the client reads, and `--` for
    any other `outcome`, as written in the dialogue. `at` is the clock in seconds.
    """

    mark: str
    octets: bytes = b""
    outcome: str = ""
    at: float = 0.0


def parse_dialogue(text: str) -> list[DialogueStep]:
    r"""Return the steps of a dialogue in the notation of this module. Empty lines are skipped.

    Raises `ValueError` for a line that is not in the notation.

    >>> [step.mark for step in parse_dialogue("C: QUIT\nS: 221 bye\n-- eof")]
    ['C', 'S', '--']
    """
    steps: list[DialogueStep] = []
    clock = 0.0
    for line in filter(None, map(str.strip, text.splitlines())):
        mark, rest = line[:2], line[3:]
        match mark:
            case "C:":
                octets = rest.encode("ascii") + b"\r\n"
                if steps and steps[-1].mark == "C":
                    octets = steps.pop().octets + octets
                steps.append(DialogueStep("C", octets, at=clock))
            case "S:":
                steps.append(DialogueStep("S", _unescape(rest), at=clock))
            case "S+" if steps and steps[-1].mark == "S":
                steps.append(DialogueStep("S", steps.pop().octets + _unescape(rest), at=clock))
            case "--":
                steps.append(DialogueStep("--", outcome=rest, at=clock))
            case "@ ":
                clock = float(line[2:])
            case _:
                raise ValueError(f"not a line of a dialogue: {line!r}. Begin it with C:, S:, S+, -- or @")
    return steps


def _unescape(text: str) -> bytes:
    whole = not text.endswith("\\")
    octets = text.removesuffix("\\").encode("latin-1").decode("unicode_escape").encode("latin-1")
    return octets + b"\r\n" if whole else octets


class _Player:
    """A dialogue in progress; each effect has to be the one of the next step."""

    def __init__(self, text: str, verbs: frozenset[str] | None) -> None:
        self._steps = deque(parse_dialogue(text))
        self._verbs = verbs

    def outcome(self, effect: Effect) -> Outcome:
        if effect.timeout <= 0:
            return Failed(self._steps[0].at if self._steps else 0.0, effect.late)
        if isinstance(effect, Connect) and not self._states_connection():
            return Done(0.0)
        if not self._steps:
            raise DialogueMismatch(f"the dialogue is over, and the client continues with {effect}")
        step = self._steps.popleft()
        word, _, detail = step.outcome.partition(" ")
        match effect:
            case Send() if step.mark == "C":
                self._compare(effect.data, step.octets)
                return Done(step.at)
            case Receive() | Upgrade() if step.mark == "S":
                return Received(step.at, step.octets)
            case Receive() if word == "eof":
                return Received(step.at, b"")
            case Connect() if word == "connected":
                return Done(step.at)
            case Upgrade() if word == "tls" and detail.startswith("TLSv"):
                version, _, cipher = detail.partition(" ")
                return Secured(step.at, version, cipher)
        if step.mark != "--":
            raise DialogueMismatch(f"the client does {effect}, where the dialogue has {step}")
        return Failed(step.at, FailureKind(word), detail)

    def expect_end(self) -> None:
        if self._steps:
            raise DialogueMismatch(f"the client ended the session before {self._steps[0]}")

    def _compare(self, sent: bytes, expected: bytes) -> None:
        if sent != expected:
            raise DialogueMismatch(f"the client sends {sent!r}, where the dialogue has {expected!r}")
        verbs = {line.split()[0] for line in sent.decode("ascii").splitlines()}
        if self._verbs is not None and not verbs <= self._verbs:
            raise DialogueMismatch(f"the client sends {sent!r}, which a check never does")

    def _states_connection(self) -> bool:
        return bool(self._steps) and self._steps[0].mark == "--" and self._steps[0].outcome != "eof"


def play_dialogue(script: Script[_T], text: str, *, verbs: frozenset[str] | None = None) -> _T:
    """Run `script` against the dialogue `text` without an event loop, and return its value.

    Raises `DialogueMismatch` where the script and the dialogue differ, or where the script sends a command
    that is not among `verbs`, if given. Raises what the script raises.
    """
    player = _Player(text, verbs)
    value = drive(script, player.outcome)
    player.expect_end()
    return value


class ScriptedServer:
    """A `Runner` that plays, at each address, one dialogue for each connection.

    `dialogues` maps an address to one dialogue, or to one for each connection in order. `connected` lists
    the host and port of each connection, `server_names` the names of the TLS handshakes. `max_open` is the
    largest number of connections open at once, `max_open_to` the same for each address.

    >>> server = ScriptedServer({"192.0.2.7": "S: 554 no service"})
    """

    def __init__(self, dialogues: Mapping[str, str | Iterable[str]]) -> None:
        self._dialogues = {
            address: deque([texts] if isinstance(texts, str) else texts)
            for address, texts in dialogues.items()
        }
        self._open: Counter[str] = Counter()
        self.connected: list[tuple[str, int]] = []
        self.server_names: list[str] = []
        self.max_open = 0
        self.max_open_to: Counter[str] = Counter()

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` against the next dialogue of the address that it connects to.

        Raises `DialogueMismatch` where the two differ or a command is not one of `CHECKER_VERBS`, and
        `KeyError` or `IndexError` for a connection that no dialogue is left for.
        """
        effect = next(script)
        if not isinstance(effect, Connect):
            raise DialogueMismatch(f"the client begins with {effect} instead of connecting")
        address = effect.host
        self.connected.append((address, effect.port))
        player = _Player(self._dialogues[address].popleft(), CHECKER_VERBS)
        self._open[address] += 1
        self.max_open = max(self.max_open, self._open.total())
        self.max_open_to[address] = max(self.max_open_to[address], self._open[address])
        try:
            while True:
                await checkpoint()
                if isinstance(effect, Upgrade):
                    self.server_names.append(effect.server_name)
                effect = script.send(player.outcome(effect))
        except StopIteration as stop:
            player.expect_end()
            value: _T = stop.value
            return value
        finally:
            self._open[address] -= 1

    def expect_end(self) -> None:
        """Raise `DialogueMismatch` if a dialogue was not played."""
        if left := [address for address, texts in self._dialogues.items() if texts]:
            raise DialogueMismatch(f"dialogues are left for {', '.join(left)}")
