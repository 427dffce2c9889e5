"""DNS questions on asyncio or trio.

dnspython reads unusual messages here, but its resolver and its sockets are not used, for speed and for
cancellation: a question costs 0.4 of its processor time (python -m benchmarks dns), and a question that is
cancelled has closed its socket by then, not in a later turn of the event loop.

A single server is asked twice, the first time for 2.5 seconds or half of the timeout; and once more where it
answers SERVFAIL, because there is no other to ask for a second opinion. Of several, one is
asked first, and has half a second; then all are, at once, and the first that settles the question wins. Half
a second is more than a resolver needs for nearly any name, so the others see few questions, and a dead server
costs half a second once: a server that was silent is asked last from then on.

Where all fail, the failure that accuses the domain least is returned (`failures`).

Not here: a search list; and a cache, which `SharedResolver` has.
"""

import ipaddress
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

import anyio

from checker_smtp.backends.transport.transport import OpenSocket, connect_tcp, connect_udp
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .failures import Failure, combine
from .messages import Question, Response
from .server import DnsServer
from .system_config import ResolverUnavailable, SystemConfig, read_system_config

__all__ = ["DnsResolver", "ResolverUnavailable"]

_log = logging.getLogger("checker_smtp.dns")
# Seconds for a question, and the most that a system's configuration may make of it.
_TIMEOUT = 5.0
_MAX_TIMEOUT = 30.0
# One lost datagram is no failure; dig asks three times, glibc twice.
_TRIES = 2
# Seconds until the other servers are asked as well.
_FIRST_ALONE = 0.5


class DnsResolver:
    """A client of recursive resolvers, over UDP and, where an answer was truncated, TCP.

    `server` is an IP address, or None for those the system is configured with; `timeout` is seconds for
    one question in all, by default 5 or what the system's configuration says. `udp` and `tcp` open the
    sockets, `system` reads the configuration. Raises `ResolverUnavailable`.

    `notes` has a sentence for each line of the system's configuration that could not be followed. `queries`
    counts the questions sent, second tries and TCP included; `responses` those that were answered over UDP,
    be it by an error.
    """

    def __init__(
        self,
        server: str | None = None,
        port: int = 53,
        timeout: float | None = None,
        *,
        udp: OpenSocket = connect_udp,
        tcp: OpenSocket = connect_tcp,
        system: Callable[[], SystemConfig] = read_system_config,
    ) -> None:
        config = system() if server is None else SystemConfig((_require_address(server),))
        self.notes = config.notes
        self.servers = config.servers
        self.port = port
        self._tries = config.attempts or _TRIES
        self.timeout = timeout or min(
            config.timeout * self._tries if config.timeout else _TIMEOUT, _MAX_TIMEOUT
        )
        self._rotates = config.rotate
        self._servers = [DnsServer(address, port, udp=udp, tcp=tcp) for address in config.servers]

    @property
    def name(self) -> str:
        """The servers, for people."""
        return ", ".join(server.name for server in self._servers)

    @property
    def queries(self) -> int:
        """Questions sent so far, second tries and TCP included."""
        return sum(server.queries for server in self._servers)

    @property
    def responses(self) -> int:
        """Questions answered over UDP so far, be it by an error."""
        return sum(server.responses for server in self._servers)

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype`. Raises nothing but cancellation."""
        started_at = monotonic()
        name = name.lower()
        try:
            question = Question(name, rdtype, unvalidated=unvalidated)
        except ValueError as error:
            response = Response(DnsStatus.ERROR, detail=str(error))
        else:
            response = await self._ask(question, started_at + self.timeout)
        _log.debug("%a %s: %s %a", name, rdtype, response.status, response.records or response.detail)
        return DnsAnswer(
            name=name,
            rdtype=rdtype,
            status=response.status,
            records=response.records,
            seconds=round(monotonic() - started_at, 3),
            detail=response.detail,
            omitted=response.omitted,
            unvalidated=unvalidated,
        )

    async def _ask(self, question: Question, deadline: float) -> Response:
        first, *others = self._ordered()
        if not others:
            response = await first.ask(question, self._tries, self.timeout, deadline)
            if response.status is DnsStatus.SERVFAIL:
                # often the resolver gave up on slow name servers and has the answer by now
                again = await first.ask(question, 1, deadline - monotonic(), deadline)
                return again if again.status.known else response
            return response
        response = await first.ask(question, 1, min(_FIRST_ALONE, self.timeout / 2), deadline)
        if response.status.known:
            return response
        results = await self._ask_all(question, {first: response}, others, deadline)
        for response in results.values():
            if response.status.known:
                return response
        failures = [Failure(server.name, result, server.responses > 0) for server, result in results.items()]
        least, detail = combine(failures)
        return replace(least, detail=detail)

    def _ordered(self) -> Sequence[DnsServer]:
        """Return the servers in the order to ask them: those that were silent last are the last."""
        if len(self._servers) == 1:
            return self._servers
        if self._rotates:
            self._servers.append(self._servers.pop(0))
        return sorted(self._servers, key=lambda server: server.silent > 0)

    async def _ask_all(
        self,
        question: Question,
        results: dict[DnsServer, Response],
        others: Sequence[DnsServer],
        deadline: float,
    ) -> dict[DnsServer, Response]:
        """Ask the `others`, and once more a server that was silent; return the results of all.

        The first response that settles the question ends it. A server that is dead gets as little time as
        the first one had, where that one did respond.
        """
        responded = all(result.status is not DnsStatus.TIMEOUT for result in results.values())
        tries = dict.fromkeys(others, self._tries)
        if not responded:
            tries |= dict.fromkeys(results, max(self._tries - 1, 1))

        async def ask(server: DnsServer) -> None:
            seconds = deadline - monotonic()
            if responded and server.is_dead:
                seconds = min(seconds, _FIRST_ALONE)
            results[server] = await server.ask(question, tries[server], seconds, deadline)
            if results[server].status.known:
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for server in tries:
                group.start_soon(ask, server)
        return results


def _require_address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ResolverUnavailable(
            f"the resolver {text!r} is no IP address: give one such as 9.9.9.9"
        ) from None
    return text
