"""DNS questions on asyncio or trio.

A question is a script too: connect, send, receive. So it runs on the driver that SMTP runs on, its sockets
are closed the moment it is cancelled, and its failures have the same names. That is why dnspython, which
knows the messages, does not carry them here: its UDP sockets are not connected, so a server that refuses
cannot be told from one that is silent.

Each try has a socket, a port and an ID of its own, and nothing but an answer to the question is heard. A
try is given an equal part of the timeout, and there are at least two; a server that answered without
being of use is not asked again. Where all fail, the failure told is the one that says most.

Not here: a search list; and a cache, which is `SharedResolver`'s.
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

__all__ = ["DnsResolver", "ResolverUnavailable", "most_telling"]

# One lost datagram is no failure; dig asks three times, glibc twice.
_MIN_TRIES = 2
_MOST_TELLING = (DnsStatus.SERVFAIL, DnsStatus.REFUSED, DnsStatus.ERROR, DnsStatus.TIMEOUT)

_F = TypeVar("_F", DnsAnswer, Response)


class ResolverUnavailable(ValueError):  # noqa: N818 - a state of this host, told in one sentence
    """No resolver can be asked: none is configured here, or the one given is no address."""


class DnsResolver:
    """Asks recursive resolvers, over UDP and, where an answer was truncated, TCP.

    `server` is an IP address, or None for those the system is configured with; `timeout` is seconds for
    one question in all. `udp` and `tcp` open the sockets. Raises `ResolverUnavailable`.

    `queries` counts what was sent, second tries and TCP included; `heard` the answers, whatever they said.
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
        self.heard = 0
        self._udp = udp
        self._tcp = tcp

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype`. Raises nothing but cancellation."""
        began = monotonic()
        name = name.lower()
        heard = await self._ask(name, rdtype, began + self.timeout)
        return DnsAnswer(
            name=name,
            rdtype=rdtype,
            status=heard.status,
            records=heard.records,
            seconds=round(monotonic() - began, 3),
            detail=heard.detail,
        )

    async def _ask(self, name: str, rdtype: str, deadline: float) -> Response:
        failures: list[Response] = []
        servers = deque(self.servers)
        tries = max(_MIN_TRIES, len(servers))
        while servers and len(failures) < tries:
            try:
                question = Question(name, rdtype)
            except ValueError as error:
                return Response(DnsStatus.ERROR, detail=str(error))
            server = servers.popleft()
            heard = await self._try(question, server, self.timeout / tries, deadline)
            if heard.status.known:
                return heard
            failures.append(heard)
            if heard.status is DnsStatus.TIMEOUT:
                servers.append(server)
        return most_telling(failures)

    async def _try(self, question: Question, server: str, patience: float, deadline: float) -> Response:
        script = _over_udp(question, server, self.port, patience)
        self.queries += 1
        heard = await run_anyio(script, dial=self._udp)
        if isinstance(heard, Failed):
            return _unheard(heard)
        self.heard += 1
        if not heard.truncated:
            return heard
        script = _over_tcp(question, server, self.port, deadline - monotonic())
        self.queries += 1
        whole = await run_anyio(script, dial=self._tcp)
        if isinstance(whole, Failed):
            failure = _unheard(whole)
            detail = f"the answer was cut short, and over TCP: {failure.detail}"
            return Response(failure.status, heard.records, detail)
        return whole


def most_telling(failures: Iterable[_F]) -> _F:
    """Of several failures to answer one question, the one that says most about it."""
    return min(failures, key=lambda failure: _MOST_TELLING.index(failure.status))


def _over_udp(question: Question, server: str, port: int, patience: float) -> Script[Response | Failed]:
    outcome = yield Connect(server, port, patience)
    if isinstance(outcome, Done):
        outcome = yield Send(question.wire, patience)
    while not isinstance(outcome, Failed):
        outcome = yield Receive(patience - outcome.at)
        if isinstance(outcome, Received) and (heard := question.read(outcome.data)) is not None:
            return heard
    return outcome


def _over_tcp(question: Question, server: str, port: int, patience: float) -> Script[Response | Failed]:
    outcome = yield Connect(server, port, patience)
    if isinstance(outcome, Done):
        outcome = yield Send(len(question.wire).to_bytes(2, "big") + question.wire, patience)
    data = b""
    while not isinstance(outcome, Failed):
        outcome = yield Receive(patience - outcome.at)
        if isinstance(outcome, Received):
            data += outcome.data
            if len(data) >= 2 and len(data) - 2 >= int.from_bytes(data[:2], "big"):
                return question.read(data[2:]) or Response(
                    DnsStatus.ERROR, detail="an answer to another question"
                )
            if not outcome.data:
                return Failed(outcome.at, FailureKind.CLOSED, "the server closed the connection")
    return outcome


def _unheard(failed: Failed) -> Response:
    if failed.kind is FailureKind.TIMEOUT:
        return Response(DnsStatus.TIMEOUT, detail="no answer")
    return Response(DnsStatus.ERROR, detail=failed.detail)


def _configured() -> tuple[str, ...]:
    """The system's resolvers."""
    import dns.resolver  # late: it brings transports along that nothing here uses

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
