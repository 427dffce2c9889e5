"""One DNS server, and what was learnt of it in this run: if it responds, and if it takes EDNS.

Each try has a socket, a port and an ID of its own, and anything but a response to the question is ignored.
A truncated answer is asked for over TCP at once.

EDNS (RFC 6891) is left out of a question in two cases. Where the server refused it (FORMERR, NOTIMP), the
question is asked once again without. Where a try with EDNS was not answered and none ever was, the next one
goes without, because some devices drop such datagrams; if that is answered at once, it stays so.
"""

from dataclasses import replace
from time import monotonic

from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.transport import OpenSocket
from checker_smtp.probes.ports import DnsStatus

from .exchange import over_tcp, over_udp
from .messages import Question, Response

__all__ = ["DnsServer"]

_PORT = 53
# Questions in a row without a response until a server that did respond counts as dead.
_MAX_SILENT = 3
# Seconds until a datagram seems lost, however long the whole question may take: the last try has the rest.
_TRY = 2.5
# Seconds within which a question without EDNS is answered where EDNS was what kept the server silent. A
# server whose first try was lost, or waited for a slow zone, rarely answers the second one as fast.
_AT_ONCE = 0.25


class DnsServer:
    """A DNS server at an IP address and port; `udp` and `tcp` open the sockets.

    `name` is address and port for people. `queries` counts the questions sent, second tries and TCP included;
    `responses` those over UDP that were answered by what can be read, be it an error. `silent` is the number
    of failures in a row to get one.
    """

    def __init__(self, address: str, port: int, *, udp: OpenSocket, tcp: OpenSocket) -> None:
        host = f"[{address}]" if ":" in address else address
        self.name = address if port == _PORT else f"{host}:{port}"
        self.queries = self.responses = self.silent = 0
        self._address = address
        self._port = port
        self._udp = udp
        self._tcp = tcp
        self._edns: bool | None = None  # None: not known
        self._suspects_edns = False

    @property
    def is_dead(self) -> bool:
        """True where nothing was received from the server, or nothing lately."""
        return self.silent >= (_MAX_SILENT if self.responses else 1)

    async def ask(self, question: Question, tries: int, seconds: float, deadline: float) -> Response:
        """Ask `tries` times at most, in `seconds` altogether, until there is a response.

        TCP may take half of the time until `deadline` beside that.
        """
        end = monotonic() + seconds
        for left in range(tries, 0, -1):
            share = (end - monotonic()) / left
            response = await self._try(question, share if left == 1 else min(share, _TRY))
            if response.status is not DnsStatus.TIMEOUT:
                break
        return await self._whole(question, response, deadline) if response.truncated else response

    async def _try(self, question: Question, seconds: float) -> Response:
        edns = self._uses_edns
        response = await self._send(question, seconds, edns=edns)
        if edns and response.not_understood:
            plain = await self._send(question, seconds, edns=False)
            if plain.status is not DnsStatus.TIMEOUT:
                self._edns = plain.not_understood
                return plain
        return response

    @property
    def _uses_edns(self) -> bool:
        return self._edns is not False and not self._suspects_edns

    async def _send(self, question: Question, seconds: float, *, edns: bool) -> Response:
        self.queries += 1
        sent_at = monotonic()
        script = over_udp(question.again(edns=edns), self._address, self._port, self.name, seconds)
        response = await run_anyio(script, dial=self._udp)
        if response.status is DnsStatus.TIMEOUT:
            self.silent += 1
            self._suspects_edns = edns and self._edns is None
        elif response.status is DnsStatus.UNUSABLE and not (response.truncated or response.blocked):
            self.silent += 1
        else:
            self.responses += 1
            self.silent = 0
            self._learn_edns(edns=edns, seconds=monotonic() - sent_at)
        return response

    def _learn_edns(self, *, edns: bool, seconds: float) -> None:
        """Learn from a response after `seconds` to a question with EDNS, or without."""
        if edns:
            self._edns = True
        elif self._suspects_edns and seconds < _AT_ONCE:
            self._edns = False
        self._suspects_edns = False

    async def _whole(self, question: Question, part: Response, deadline: float) -> Response:
        """Ask for the whole answer over TCP; where that fails, the records of the part are evidence."""
        limit = (deadline - monotonic()) / 2
        self.queries += 1
        script = over_tcp(question.again(edns=self._uses_edns), self._address, self._port, self.name, limit)
        whole = await run_anyio(script, dial=self._tcp)
        return replace(whole, records=whole.records or part.records)
