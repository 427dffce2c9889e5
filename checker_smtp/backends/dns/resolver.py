"""DNS questions on asyncio or trio.

A question is a script too: connect, send, receive. So it runs on the driver of the SMTP sessions, and its
failures have the same names. dnspython reads unusual messages here, but its resolver and its sockets are not
used, for speed and for cancellation: a question costs 0.4 of its processor time (python -m benchmarks dns),
and a question that is cancelled has closed its socket by then, not in a later turn of the event loop.

Each try has a socket, a port and an ID of its own, and anything but a response to the question is ignored.
A try gets an equal part of the timeout, and there are at least two; a server whose response settled nothing
is not asked again. Where all tries fail, the most informative failure is returned.

Not here: a search list; and a cache, which `SharedResolver` has.
"""

import ipaddress
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import TypeVar

from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.transport import OpenSocket, connect_tcp, connect_udp
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import Connect, Done, Failed, FailureKind, Receive, Received, Script, Send

from .messages import Question, Response

__all__ = ["DnsResolver", "ResolverUnavailable", "most_informative"]

# One lost datagram is no failure; dig asks three times, glibc twice.
_MIN_TRIES = 2
_MOST_INFORMATIVE = (DnsStatus.SERVFAIL, DnsStatus.REFUSED, DnsStatus.ERROR, DnsStatus.TIMEOUT)

_F = TypeVar("_F", DnsAnswer, Response)


class ResolverUnavailable(ValueError):  # noqa: N818 - a state of this host, in one sentence
    """No resolver can be asked: none is configured here, or the one given is no address."""


class DnsResolver:
    """A client of recursive resolvers, over UDP and, where an answer was truncated, TCP.

    `server` is an IP address, or None for those the system is configured with; `timeout` is seconds for
    one question in all. `udp` and `tcp` open the sockets. Raises `ResolverUnavailable`.

    `queries` counts the questions sent, second tries and TCP included; `responses` those that were answered
    over UDP, be it by an error.
    """

    def __init__(
        self,
        server: str | None = None,
        port: int = 53,
        timeout: float = 5.0,
        *,
        udp: OpenSocket = connect_udp,
        tcp: OpenSocket = connect_tcp,
    ) -> None:
        self.servers = _configured() if server is None else (server,)
        for address in self.servers:
            if not _is_address(address):
                raise ResolverUnavailable(
                    f"the resolver {address!r} is no IP address: give one such as 9.9.9.9"
                )
        self.port = port
        self.timeout = timeout
        self.queries = 0
        self.responses = 0
        self._udp = udp
        self._tcp = tcp

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype`. Raises nothing but cancellation."""
        started_at = monotonic()
        name = name.lower()
        response = await self._ask(name, rdtype, unvalidated, started_at + self.timeout)
        return DnsAnswer(
            name=name,
            rdtype=rdtype,
            status=response.status,
            records=response.records,
            seconds=round(monotonic() - started_at, 3),
            detail=response.detail,
            unvalidated=unvalidated,
        )

    async def _ask(self, name: str, rdtype: str, unvalidated: bool, deadline: float) -> Response:
        failures: list[Response] = []
        servers = deque(self.servers)
        tries = max(_MIN_TRIES, len(servers))
        while servers and len(failures) < tries:
            try:
                question = Question(name, rdtype, unvalidated=unvalidated)
            except ValueError as error:
                return Response(DnsStatus.ERROR, detail=str(error))
            server = servers.popleft()
            response = await self._try(question, server, self.timeout / tries, deadline)
            if response.status.known:
                return response
            failures.append(response)
            if response.status is DnsStatus.TIMEOUT:
                servers.append(server)
        return most_informative(failures)

    async def _try(self, question: Question, server: str, seconds: float, deadline: float) -> Response:
        script = _over_udp(question, server, self.port, seconds)
        self.queries += 1
        response = await run_anyio(script, dial=self._udp)
        if isinstance(response, Failed):
            return _no_response(response)
        self.responses += 1
        if not response.truncated:
            return response
        script = _over_tcp(question, server, self.port, deadline - monotonic())
        self.queries += 1
        whole = await run_anyio(script, dial=self._tcp)
        if isinstance(whole, Failed):
            failure = _no_response(whole)
            detail = f"the answer was cut short, and over TCP: {failure.detail}"
            return Response(failure.status, response.records, detail)
        return whole


def most_informative(failures: Iterable[_F]) -> _F:
    """Return the failure that says most about the question, of several failures to answer it."""
    return min(failures, key=lambda failure: _MOST_INFORMATIVE.index(failure.status))


def _over_udp(question: Question, server: str, port: int, timeout: float) -> Script[Response | Failed]:
    outcome = yield Connect(server, port, timeout)
    if isinstance(outcome, Done):
        outcome = yield Send(question.wire, timeout)
    while not isinstance(outcome, Failed):
        outcome = yield Receive(timeout - outcome.at)
        if isinstance(outcome, Received) and (response := question.read(outcome.data)) is not None:
            return response
    return outcome


def _over_tcp(question: Question, server: str, port: int, timeout: float) -> Script[Response | Failed]:
    outcome = yield Connect(server, port, timeout)
    if isinstance(outcome, Done):
        outcome = yield Send(len(question.wire).to_bytes(2, "big") + question.wire, timeout)
    data = b""
    while not isinstance(outcome, Failed):
        outcome = yield Receive(timeout - outcome.at)
        if isinstance(outcome, Received):
            data += outcome.data
            if len(data) >= 2 and len(data) - 2 >= int.from_bytes(data[:2], "big"):
                return question.read(data[2:]) or Response(
                    DnsStatus.ERROR, detail="an answer to another question"
                )
            if not outcome.data:
                return Failed(outcome.at, FailureKind.CLOSED, "the server closed the connection")
    return outcome


def _no_response(failed: Failed) -> Response:
    if failed.kind is FailureKind.TIMEOUT:
        return Response(DnsStatus.TIMEOUT, detail="no answer")
    return Response(DnsStatus.ERROR, detail=failed.detail)


def _configured() -> tuple[str, ...]:
    """Return the addresses of the system's resolvers."""
    import dns.resolver  # late: it loads transports that nothing here uses

    try:
        return tuple(str(server) for server in dns.resolver.Resolver().nameservers)
    except (dns.resolver.NoResolverConfiguration, OSError, ValueError) as error:
        raise ResolverUnavailable(
            f"no DNS resolver is configured here ({error}): name one, as in --resolver 9.9.9.9"
        ) from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
