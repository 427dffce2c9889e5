"""A server that replies anything at any time, on a network that may fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from smtp_sansio import Effect, Failed, FailureKind, Outcome, Script

from .scripted_server import CHECKER_VERBS
from .session import Output, ScriptRunner, ServerSession

__all__ = ["Choice", "FuzzServer", "NetworkFaults"]

_T = TypeVar("_T")


class Choice(Protocol):
    """Chooses one of several values, as `random.Random(seed).choice` does, or a draw of hypothesis."""

    def __call__(self, options: Sequence[_T], /) -> _T:
        """Return one of `options`, which are never empty."""
        ...


_TEXTS: Final = (
    "ok",
    "5.7.1 Your IP is listed",
    "5.1.1 no such user",
    "x" * 600,
    "\xff\x00",
    "",
    "\nSTARTTLS",
    "4.7.0 no",
)
_CODES: Final = (550, 421, 450, 454, 500, 502, 503, 530, 552, 554, 221, 250, 251, 354, 999)
_FORMS: Final = (
    "{0} {1}\r\n",
    "{0}-{1}\r\n{0} {1}\r\n",
    "250-a\n{0} {1}\n",
    "{0} {1}\r\n421 closing\r\n",
    "garbage\r\n",
    "{0}",
)
_KEYWORDS: Final = ("STARTTLS", "PIPELINING", "AUTH PLAIN")
_SECONDS_PER_STEP: Final = (0.0, 0.1, 1.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFaults:
    """The faults of a `FuzzServer`.

    `odd_verbs` are the commands that may be answered with anything (the empty one is the greeting),
    `keywords` what EHLO offers, `failures` how the effect of each number, counted from 1 over all
    connections, fails. Each effect takes `seconds_per_step`.
    """

    odd_verbs: frozenset[str] = frozenset()
    keywords: tuple[str, ...] = ()
    failures: Mapping[int, Failed] = field(default_factory=dict)
    seconds_per_step: float = 0.0

    @classmethod
    def chosen(cls, choose: Choice) -> "NetworkFaults":
        """Return faults drawn by `choose`: up to three odd verbs and two failures in the first 30 effects."""
        kinds, details = list(FailureKind), ("", "tlsv1 unrecognized name")
        return cls(
            odd_verbs=frozenset(choose(("", *sorted(CHECKER_VERBS))) for _ in range(choose(range(4)))),
            keywords=tuple({choose(_KEYWORDS): None for _ in range(choose(range(3)))}),
            failures={
                choose(range(31)): Failed(0.0, choose(kinds), choose(details))
                for _ in range(choose(range(3)))
            },
            seconds_per_step=choose(_SECONDS_PER_STEP),
        )


class FuzzServer:
    """A `Runner` whose servers do what they should, but for `faults`; `choose` draws the odd replies.

    `received` has the lines of all connections, `connections` counts them.

    >>> import random
    >>> choose = random.Random(1).choice
    >>> server = FuzzServer(choose, NetworkFaults.chosen(choose))
    """

    def __init__(self, choose: Choice, faults: NetworkFaults) -> None:
        self._choose = choose
        self._faults = faults
        self._effects = 0
        self.received: list[str] = []
        self.connections = 0

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` on a new connection and return its value; never waits."""
        self.connections += 1
        session = _FuzzSession(self._choose, self._faults, self.received)
        return _FailingRunner(session, self._faults, self._next_failure).run(script)

    def _next_failure(self) -> Failed | None:
        self._effects += 1
        return self._faults.failures.get(self._effects)


class _FailingRunner(ScriptRunner):
    """A runner whose effects fail where `failure` says so."""

    def __init__(
        self, session: ServerSession, faults: NetworkFaults, failure: Callable[[], Failed | None]
    ) -> None:
        super().__init__(session, faults.seconds_per_step)
        self._failure = failure

    def perform(self, effect: Effect) -> Outcome:
        if effect.timeout <= 0 and effect.late is FailureKind.TIMEOUT:
            raise AssertionError(f"{effect} has no time left: the client must not begin it")
        failure = self._failure()
        return self.fail(failure) if failure else super().perform(effect)


class _FuzzSession(ServerSession):
    """One connection; each reply is a read of its own, and without a command the stream ends."""

    def __init__(self, choose: Choice, faults: NetworkFaults, received: list[str]) -> None:
        self._choose = choose
        self._faults = faults
        self._received = received

    def greet(self) -> list[Output]:
        return [self._reply("")]

    def receive(self, data: bytes) -> list[Output]:
        lines = data.decode("ascii").splitlines()
        self._received += lines
        return [self._reply(line.split()[0]) for line in lines]

    def start_tls(self, server_name: str) -> None:
        """Accept the handshake."""

    def idle(self) -> bytes | Failed:
        return Failed(0.0, FailureKind.CLOSED)

    def _reply(self, verb: str) -> bytes:
        if verb in self._faults.odd_verbs and self._choose((False, True)):
            form, code, text = self._choose(_FORMS), self._choose(_CODES), self._choose(_TEXTS)
            return form.format(code, text).encode("latin-1")
        if verb == "EHLO":
            keywords = "".join(f"250-{keyword}\r\n" for keyword in self._faults.keywords)
            return f"250-mx\r\n{keywords}250 OK\r\n".encode()
        code = {"": 220, "STARTTLS": 220, "QUIT": 221}.get(verb, 250)
        return f"{code} ok\r\n".encode()
