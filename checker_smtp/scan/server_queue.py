"""One address, and the domains that wait for their turn there.

Domains are taken by the session. What the first session finds out about the address stands for those who
come later, until it is too old. A server that shows us the door for the moment (4yz at the greeting, "too
many connections") is left in peace, each time twice as long, and its domains wait; after that they are told
what it said. A server that put off a domain's own questions, as greylisting does, is asked about that domain
once more, if so wished.
"""

from collections import deque
from copy import copy
from dataclasses import dataclass, field

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Session
from checker_smtp.probes.ports import Runner

from .domain_scan import DomainScan
from .settings import ScanSettings

__all__ = ["MAX_BACKOFFS", "Server", "is_throttled"]

# With the usual half a minute, one, two: longer than a server's memory of a burst, shorter than a scan.
MAX_BACKOFFS = 3


def is_throttled(sessions: tuple[Session, ...]) -> bool:
    """Whether the server would rather have us come back later, whoever we ask about."""
    session = sessions[-1]
    replies = [reply for reply in session.replies if reply is not session.quit]
    if not replies or any(t.mail is not None for t in session.transactions):
        return False
    refusal = replies[-1]
    return refusal.code == 421 or (
        refusal is session.greeting
        and not refusal.positive
        and (refusal.transient or "too many connections" in refusal.text.lower())
    )


@dataclass(slots=True)
class Server:
    """An address with its guests; `provider` is whose it is, `workers` how many ask there now.

    `deferrals` is how often in a row nobody was let in.
    """

    address: str
    provider: str
    server_name: str
    guests: deque[DomainScan] = field(default_factory=deque)
    workers: int = 0
    deferrals: int = 0
    backing_off: bool = False
    _silences: int = 0
    _known: EndpointProbe | None = None
    _known_until: float = 0.0

    def take(self, most: int) -> list[DomainScan]:
        """The next guests, at most so many."""
        return [] if self.backing_off else [self.guests.popleft() for _ in range(min(most, len(self.guests)))]

    def visit(
        self, runner: Runner, guest: DomainScan, settings: ScanSettings, seed: int, now: float
    ) -> EndpointProbe:
        """A visit that begins with what is known of the address at `now`."""
        if self._known is not None and now < self._known_until:
            return copy(self._known)
        most = settings.per_session
        return EndpointProbe(runner, guest.options, self.address, self.server_name, seed, max_domains=most)

    def learn(self, visit: EndpointProbe, began: float, ttl: float, *, heard: bool) -> None:
        """Keep what this visit, begun at `began`, found out about the address; it holds for `ttl` seconds.

        A visit that began with what was known makes that no younger. Where nothing was `heard` at all, that
        is held to be true from the second time on: one lost connection must not be told of everybody.
        """
        self._silences = 0 if heard else self._silences + 1
        if self._silences == 1:
            return
        if began >= self._known_until:
            self._known_until = began + ttl
        elif began < self._known_until - ttl:
            return
        self._known = visit

    @property
    def known(self) -> bool:
        return self._known is not None

    def defer(self, guests: list[DomainScan]) -> bool:
        """Put these guests back and rest; False where it rests already."""
        self.guests.extendleft(reversed(guests))
        if self.backing_off:
            return False
        self.backing_off = True
        self._known, self._known_until = None, 0.0
        self.deferrals += 1
        return True
