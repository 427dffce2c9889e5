"""The queue of one address: the domains that wait for a session there.

A session takes several domains from the queue. Facts about the address that the first session found out are
cached, and later sessions do not repeat those questions. A server that throttles us (4yz at the greeting,
"too many connections") gets no session for a while, twice as long each time, and its domains stay in the
queue; after the last pause its reply is reported. A domain whose own recipients were deferred, as
greylisting does, is probed a second time if `--retry-deferred` is given.
"""

from collections import deque
from copy import copy
from dataclasses import dataclass, field

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Session
from checker_smtp.probes.ports import Runner

from .domain_scan import DomainScan
from .settings import ScanSettings

__all__ = ["MAX_BACKOFFS", "ServerQueue", "is_throttled"]

# With the default --retry-delay 30, 60 and 120 s: longer than servers remember a burst, shorter than a scan.
MAX_BACKOFFS = 3


def is_throttled(sessions: tuple[Session, ...]) -> bool:
    """Return True if the last session was refused for now, whatever domain it was for."""
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
class ServerQueue:
    """An address and its pending domains; `workers` probe it now, and none while it is `backing_off`.

    `backoffs` counts the pauses since a session was last accepted.
    """

    address: str
    provider: str
    server_name: str
    translated: str = ""
    pending: deque[DomainScan] = field(default_factory=deque)
    workers: int = 0
    backoffs: int = 0
    backing_off: bool = False
    _silent_sessions: int = 0
    _cached: EndpointProbe | None = None
    _cached_until: float = 0.0

    def take(self, max_domains: int) -> list[DomainScan]:
        """Remove and return the next domains; none while the server is backing off."""
        number = 0 if self.backing_off else min(max_domains, len(self.pending))
        return [self.pending.popleft() for _ in range(number)]

    def new_probe(
        self, runner: Runner, first: DomainScan, settings: ScanSettings, seed: int, now: float
    ) -> EndpointProbe:
        """Return a probe of this address that starts with the facts that are cached at `now`."""
        if self._cached is not None and now < self._cached_until:
            return copy(self._cached)
        return EndpointProbe(
            runner,
            first.options,
            self.address,
            self.server_name,
            seed,
            max_domains=settings.per_session,
            translated=self.translated,
        )

    def cache_facts(self, probe: EndpointProbe, started_at: float, ttl: float, *, replied: bool) -> None:
        """Cache the facts that `probe`, started at `started_at`, found out, for `ttl` seconds.

        A probe that started with cached facts does not extend their life. Where the server did not reply at
        all, that is cached from the second time on: one lost connection must not count for every domain.
        """
        self._silent_sessions = 0 if replied else self._silent_sessions + 1
        if self._silent_sessions == 1:
            return
        if started_at >= self._cached_until:
            self._cached_until = started_at + ttl
        elif started_at < self._cached_until - ttl:
            return
        self._cached = probe

    @property
    def has_facts(self) -> bool:
        """True once facts were cached, even if they have expired since."""
        return self._cached is not None

    def back_off(self, domains: list[DomainScan]) -> bool:
        """Return `domains` to the queue and pause it; False if it was paused already."""
        self.pending.extendleft(reversed(domains))
        if self.backing_off:
            return False
        self.backing_off = True
        self._cached, self._cached_until = None, 0.0
        self.backoffs += 1
        return True
