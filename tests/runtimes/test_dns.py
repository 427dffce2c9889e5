"""DNS on both event loops, against servers that are functions from a question to datagrams.

Each runs in a thread at the other end of a socket pair that keeps datagrams apart. No transport of
dnspython's is used, so nothing of it is faked.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from threading import Thread

import anyio
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.backends.dns.messages import Question
from checker_smtp.backends.dns.resolver import DnsResolver, ResolverUnavailable
from checker_smtp.backends.network import Network
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import Connect, Done, Script

Serve = Callable[[dns.message.Message], list[bytes] | None]
Say = Callable[[dns.message.Message], list[bytes]]
PATIENCE = 20.0


def reply(
    *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = dns.flags.RA, ede: str = ""
) -> Say:
    """A server that always says this."""

    def serve(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.flags |= flags
        for record in records:
            name, ttl, rdclass, rdtype, data = record.split(maxsplit=4)
            response.answer.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data))
        if ede:
            response.use_edns(options=[dns.edns.EDEOption(dns.edns.EDECode.NO_REACHABLE_AUTHORITY, ede)])
        return [response.to_wire(max_size=65535)]

    return serve


def silent(_: dns.message.Message) -> list[bytes]:
    return []


def gone(_: dns.message.Message) -> None:
    """Goes away over the question, which is as near to a refusal as a socket pair gets."""


class Servers:
    """Servers over UDP, by address, and over TCP; `asked` has every question and its transport."""

    def __init__(self, udp: dict[str, Serve], tcp: Callable[[bytes], list[bytes]] | None = None) -> None:
        self._udp = udp
        self._tcp = tcp
        self.asked: list[tuple[str, str, int, dns.message.Message]] = []
        self._threads: list[Thread] = []
        self.error: BaseException | None = None

    def connect_udp(self, host: str, port: int) -> socket.socket:
        return self._dial(socket.SOCK_SEQPACKET, partial(self._answer_udp, host, port))

    def connect_tcp(self, host: str, port: int) -> socket.socket:
        if self._tcp is None:
            raise OSError(errno.ECONNREFUSED, "whatever")
        return self._dial(socket.SOCK_STREAM, partial(self._answer_tcp, host, port))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
        if self.error is not None:
            raise self.error

    def _dial(self, kind: int, serve: Callable[[socket.socket], None]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        ours.settimeout(PATIENCE)
        theirs.setblocking(False)

        def run() -> None:
            with ours:
                try:
                    serve(ours)
                except BaseException as error:  # noqa: BLE001 - join raises it
                    self.error = error

        self._threads.append(Thread(target=run, daemon=True))
        self._threads[-1].start()
        return theirs

    def _answer_udp(self, host: str, port: int, sock: socket.socket) -> None:
        query = self._heard("udp", host, port, sock.recv(65535, socket.MSG_PEEK))
        answers = self._udp[host](query)
        if answers is None:
            return
        for answer in answers:
            sock.send(answer)
        sock.recv(65535)
        while sock.recv(65535):
            pass

    def _answer_tcp(self, host: str, port: int, sock: socket.socket) -> None:
        assert self._tcp is not None
        data = sock.recv(65535)
        (length,) = struct.unpack("!H", data[:2])
        assert len(data) == 2 + length
        self._heard("tcp", host, port, data[2:])
        for piece in self._tcp(data[2:]):
            sock.sendall(piece)

    def _heard(self, how: str, host: str, port: int, wire: bytes) -> dns.message.Message:
        query = dns.message.from_wire(wire)
        self.asked.append((how, host, port, query))
        return query


@pytest.fixture(params=["asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[..., DnsAnswer]]:
    """Asks `servers` (the first one's address is 192.0.2.1) for a name and type."""
    used: list[Servers] = []

    def run(
        servers: Servers, name: str = "mx.test", rdtype: str = "MX", *, timeout: float = PATIENCE
    ) -> DnsAnswer:
        used.append(servers)
        resolver = DnsResolver("192.0.2.1", 5353, timeout, udp=servers.connect_udp, tcp=servers.connect_tcp)
        resolver.servers = tuple(servers._udp)
        return anyio.run(resolver.resolve, name, rdtype, backend=request.param)

    yield run
    for servers in used:
        servers.join()


def only(serve: Serve, tcp: Callable[[bytes], list[bytes]] | None = None) -> Servers:
    return Servers({"192.0.2.1": serve}, tcp)


MX = "mx.test. 300 IN MX 10 a.mx.test."
CHAIN = ("mx.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME c.test.")
RA, AA = dns.flags.RA, dns.flags.AA


@pytest.mark.parametrize(
    ("serve", "status", "records", "detail"),
    [
        (reply(MX), DnsStatus.ANSWER, (MX,), ""),
        (reply("MX.Test. 300 IN MX 10 A.mx.TEST."), DnsStatus.ANSWER, (MX,), ""),
        (reply(*CHAIN, "c.test. 60 IN MX 0 ."), DnsStatus.ANSWER, (*CHAIN, "c.test. 60 IN MX 0 ."), ""),
        (reply(), DnsStatus.NODATA, (), ""),
        (reply(flags=AA), DnsStatus.NODATA, (), ""),
        (reply(*CHAIN), DnsStatus.NODATA, CHAIN, ""),
        (
            reply("other.test. 60 IN MX 10 x.test."),
            DnsStatus.NODATA,
            ("other.test. 60 IN MX 10 x.test.",),
            "",
        ),
        (reply(rcode=dns.rcode.NXDOMAIN), DnsStatus.NXDOMAIN, (), ""),
        (reply(*CHAIN, rcode=dns.rcode.NXDOMAIN), DnsStatus.NXDOMAIN, CHAIN, ""),
        (reply(rcode=dns.rcode.SERVFAIL), DnsStatus.SERVFAIL, (), "SERVFAIL"),
        (
            reply(rcode=dns.rcode.SERVFAIL, ede="at delegation mx.test"),
            DnsStatus.SERVFAIL,
            (),
            "SERVFAIL; EDE 22 (No Reachable Authority): at delegation mx.test",
        ),
        (reply(rcode=dns.rcode.REFUSED), DnsStatus.REFUSED, (), "REFUSED"),
        (reply(rcode=dns.rcode.FORMERR), DnsStatus.ERROR, (), "FORMERR"),
        (reply(rcode=dns.rcode.NOTIMP), DnsStatus.ERROR, (), "NOTIMP"),
        (
            reply(*CHAIN, "c.test. 60 IN CNAME mx.test."),
            DnsStatus.ERROR,
            (*CHAIN, "c.test. 60 IN CNAME mx.test."),
            "the aliases lead in a circle",
        ),
        (reply(flags=0), DnsStatus.ERROR, (), "the server asked is no resolver: it offers no recursion"),
        (
            reply(*CHAIN, flags=AA),
            DnsStatus.ERROR,
            CHAIN,
            "the server asked is no resolver: it offers no recursion",
        ),
    ],
)
def test_answers(
    ask: Callable[..., DnsAnswer], serve: Serve, status: DnsStatus, records: tuple[str, ...], detail: str
) -> None:
    answer = ask(only(serve))
    assert (answer.status, answer.records, answer.detail) == (status, records, detail)
    assert (answer.name, answer.rdtype) == ("mx.test", "MX")
    assert 0 <= answer.seconds == round(answer.seconds, 3)


def test_a_question(ask: Callable[..., DnsAnswer]) -> None:
    servers = only(reply("7.2.0.192.in-addr.arpa. 60 IN PTR mx.test."))
    answer = ask(servers, "7.2.0.192.IN-ADDR.arpa", "PTR")
    assert (answer.name, answer.status) == ("7.2.0.192.in-addr.arpa", DnsStatus.ANSWER)
    ((how, host, port, query),) = servers.asked
    assert (how, host, port) == ("udp", "192.0.2.1", 5353)
    assert str(query.question[0]) == "7.2.0.192.in-addr.arpa. IN PTR"
    assert (query.edns, query.payload) == (0, 1232)
    assert query.flags == dns.flags.RD


def test_the_root(ask: Callable[..., DnsAnswer]) -> None:
    answer = ask(only(reply(". 60 IN NS a.root.")), ".", "NS")
    assert (answer.name, answer.records) == (".", (". 60 IN NS a.root.",))


@pytest.mark.parametrize(
    ("name", "rdtype", "detail"),
    [
        ("a" * 64 + ".test", "MX", "A DNS label is > 63 octets long."),
        (".".join(["a" * 60] * 5), "MX", "A DNS name is > 255 octets long."),
        ("a..test", "MX", "A DNS label is empty."),
        ("", "MX", "A DNS label is empty."),
        ("m\u00fc.test", "MX", "the name is not in A-labels"),
        ("a\\", "MX", "An escaped code in a text format of DNS name is invalid."),
        ("a\\999.test", "MX", "an escaped "),
        ("mx.test", "NONSENSE", "DNS resource record type is unknown."),
    ],
)
def test_what_cannot_be_asked(ask: Callable[..., DnsAnswer], name: str, rdtype: str, detail: str) -> None:
    servers = only(silent)
    answer = ask(servers, name, rdtype)
    assert (answer.name, answer.status) == (name, DnsStatus.ERROR)
    assert answer.detail.lower().startswith(detail.lower())
    assert servers.asked == []


def test_silence_is_asked_twice_under_different_ids(ask: Callable[..., DnsAnswer]) -> None:
    servers = only(silent)
    answer = ask(servers, timeout=0.1)
    assert (answer.status, answer.detail) == (DnsStatus.TIMEOUT, "no answer")
    first, second = (query for *_, query in servers.asked)
    assert first.id != second.id


def test_a_lost_datagram_is_no_failure(ask: Callable[..., DnsAnswer]) -> None:
    answers = iter([silent, reply(MX)])
    assert ask(only(lambda query: next(answers)(query)), timeout=2).status is DnsStatus.ANSWER


def test_nobody_listens(ask: Callable[..., DnsAnswer]) -> None:
    servers = only(gone)
    answer = ask(servers)
    assert (answer.status, answer.detail) == (DnsStatus.ERROR, "Connection reset by peer")
    assert len(servers.asked) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_way_to_the_server(backend: str) -> None:
    def dial(host: str, port: int) -> socket.socket:
        raise OSError(errno.ENETUNREACH, "whatever")

    answer = anyio.run(DnsResolver("192.0.2.1", udp=dial).resolve, "mx.test", "MX", backend=backend)
    assert (answer.status, answer.detail) == (DnsStatus.ERROR, os.strerror(errno.ENETUNREACH))


@pytest.mark.parametrize(
    ("serve", "status"),
    [
        ([reply(rcode=dns.rcode.SERVFAIL), reply(MX)], DnsStatus.ANSWER),
        ([gone, reply(rcode=dns.rcode.NXDOMAIN)], DnsStatus.NXDOMAIN),
        ([silent, reply(rcode=dns.rcode.REFUSED), reply(MX)], DnsStatus.ANSWER),
        ([silent, reply(rcode=dns.rcode.REFUSED), reply(rcode=dns.rcode.SERVFAIL)], DnsStatus.SERVFAIL),
        ([silent, gone, reply(rcode=dns.rcode.REFUSED)], DnsStatus.REFUSED),
        ([silent, gone, silent], DnsStatus.ERROR),
        ([silent, silent, silent], DnsStatus.TIMEOUT),
    ],
)
def test_several_servers(ask: Callable[..., DnsAnswer], serve: list[Serve], status: DnsStatus) -> None:
    servers = Servers({f"192.0.2.{n}": one for n, one in enumerate(serve, start=1)})
    assert ask(servers, timeout=0.3).status is status
    assert [host for _, host, *_ in servers.asked] == list(servers._udp)


def strangers(query: dns.message.Message) -> list[bytes]:
    """Answers to other questions, then the right one."""
    wrong_id = dns.message.make_response(query)
    wrong_id.id = query.id ^ 1
    other = dns.message.make_response(dns.message.make_query("other.test", "MX", id=query.id))
    no_answer = query.to_wire()
    return [b"", b"x", wrong_id.to_wire(), other.to_wire(), no_answer, *reply(MX)(query)]


def test_answers_to_other_questions_are_not_heard(ask: Callable[..., DnsAnswer]) -> None:
    assert ask(only(strangers)).records == (MX,)


def test_an_answer_that_cannot_be_read(ask: Callable[..., DnsAnswer]) -> None:
    answer = ask(only(lambda query: [query.to_wire()[:2] + b"\xff\xff\xff"]))
    assert answer.status is DnsStatus.ERROR
    assert answer.detail.startswith("an answer that cannot be read: ")


def test_octets_that_are_no_text() -> None:
    question = Question("mx.test", "MX")
    (wire,) = reply('mx.test. 60 IN URI 1 2 "x"')(dns.message.from_wire(question.wire))
    heard = question.read(wire.replace(b"\x00\x01\x00\x02x", b"\x00\x01\x00\x02\xc0"))
    assert heard is not None
    assert len(heard.records) == 1
    assert heard.records[0].startswith("mx.test. 60 IN URI ")


def cut_short(*records: str) -> Serve:
    return reply(*records, flags=RA | dns.flags.TC)


def over_tcp(*records: str, pieces: int = 1) -> Callable[[bytes], list[bytes]]:
    def serve(wire: bytes) -> list[bytes]:
        (data,) = reply(*records)(dns.message.from_wire(wire))
        data = len(data).to_bytes(2, "big") + data
        size = -(-len(data) // pieces)
        return [data[at : at + size] for at in range(0, len(data), size)]

    return serve


@pytest.mark.parametrize("pieces", [1, 2, 1000])
def test_a_truncated_answer_is_asked_for_over_tcp(ask: Callable[..., DnsAnswer], pieces: int) -> None:
    servers = only(cut_short(MX), over_tcp(MX, "mx.test. 300 IN MX 20 b.mx.test.", pieces=pieces))
    answer = ask(servers)
    assert answer.status is DnsStatus.ANSWER
    assert len(answer.records) == 2
    assert [how for how, *_ in servers.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(
    ("tcp", "detail"),
    [
        (None, "Connection refused"),
        (lambda _: [], "the server closed the connection"),
        (lambda _: [b"\x00\x20half"], "the server closed the connection"),
    ],
)
def test_a_truncated_answer_and_no_tcp(
    ask: Callable[..., DnsAnswer], tcp: Callable[[bytes], list[bytes]] | None, detail: str
) -> None:
    answer = ask(only(cut_short(MX), tcp))
    assert (answer.status, answer.records) == (DnsStatus.ERROR, (MX,))
    assert answer.detail == f"the answer was cut short, and over TCP: {detail}"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_was_sent_and_what_was_heard_is_counted(backend: str) -> None:
    says = iter([silent, silent, silent, cut_short(MX)])
    servers = only(lambda query: next(says)(query), over_tcp(MX))
    resolver = DnsResolver("192.0.2.1", timeout=0.2, udp=servers.connect_udp, tcp=servers.connect_tcp)

    async def main() -> list[tuple[int, int]]:
        counted = []
        for _ in range(2):
            await resolver.resolve("mx.test", "MX")
            counted.append((resolver.queries, resolver.responses))
        resolver.timeout = PATIENCE
        await resolver.resolve("a..test", "MX")
        return [*counted, (resolver.queries, resolver.responses)]

    assert anyio.run(main, backend=backend) == [(2, 0), (5, 1), (5, 1)]
    servers.join()


def test_records_are_bounded(ask: Callable[..., DnsAnswer]) -> None:
    many = [f"mx.test. 60 IN MX {n} {'a' * 60}.test." for n in range(300)]
    assert len(ask(only(cut_short(), over_tcp(*many))).records) == 100
    long = ["mx.test. 60 IN TXT " + " ".join(['"' + "x" * 255 + '"'] * 8)]
    assert [len(r) for r in ask(only(cut_short(), over_tcp(*long)), rdtype="TXT").records] == [1000]


def test_a_long_chain_is_given_up(ask: Callable[..., DnsAnswer]) -> None:
    chain = ["mx.test. 60 IN CNAME c0.test.", *(f"c{n}.test. 60 IN CNAME c{n + 1}.test." for n in range(40))]
    answer = ask(only(cut_short(), over_tcp(*chain)))
    assert (answer.status, answer.detail) == (DnsStatus.ERROR, "more than 16 aliases")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancelled(backend: str) -> None:
    servers = only(silent)
    sockets: list[socket.socket] = []

    def dial(host: str, port: int) -> socket.socket:
        sockets.append(servers.connect_udp(host, port))
        return sockets[-1]

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await DnsResolver("192.0.2.1", udp=dial).resolve("mx.test", "MX")
        assert [sock.fileno() for sock in sockets] == [-1]

    anyio.run(main, backend=backend)
    servers.join()


@given(data=st.data())
def test_any_octets_are_an_answer_or_none(data: st.DataObject) -> None:
    question = Question("mx.test", "MX")
    (wire,) = reply(*CHAIN, "c.test. 60 IN MX 0 .", ede="x")(dns.message.from_wire(question.wire))
    octets = bytearray(wire)
    for _ in range(data.draw(st.integers(0, 6))):
        octets[data.draw(st.integers(2, len(octets) - 1))] = data.draw(st.integers(0, 255))
    del octets[data.draw(st.integers(0, len(octets))) :]
    octets += data.draw(st.binary(max_size=20))
    heard = question.read(bytes(octets))
    assert heard is None or (heard.detail.isascii() and len(heard.detail) <= 200)


@pytest.mark.parametrize("server", ["", "resolver.test", "192.0.2", "192.0.2.1:53", "[::1]"])
def test_a_resolver_has_an_address(server: str) -> None:
    with pytest.raises(ResolverUnavailable) as raised:
        DnsResolver(server)
    assert str(raised.value) == f"the resolver {server!r} is no IP address: give one such as 9.9.9.9"
    assert isinstance(raised.value, ValueError)


def test_the_resolvers_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def configured(self: dns.resolver.Resolver, *_: object) -> None:
        self.nameservers = ["192.0.2.1", "2001:db8::53"]

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configured)
    assert DnsResolver().servers == ("192.0.2.1", "2001:db8::53")


def test_no_resolver_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfigured(self: dns.resolver.Resolver, _: object) -> None:
        configure(self, "/nowhere/resolv.conf")

    configure = dns.resolver.Resolver.read_resolv_conf
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", unconfigured)
    with pytest.raises(ResolverUnavailable) as raised:
        DnsResolver()
    assert str(raised.value) == (
        "no DNS resolver is configured here (cannot open /nowhere/resolv.conf): "
        "name one, as in --resolver 9.9.9.9"
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_network_is_both_ports(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)

    def script() -> Script[bool]:
        return isinstance((yield Connect("192.0.2.7", 25, PATIENCE)), Done)

    servers = only(reply(MX))
    monkeypatch.setattr("checker_smtp.backends.transport.transport._connect", lambda *_: near)
    network = Network("192.0.2.1", udp=servers.connect_udp)

    async def main() -> tuple[bool, DnsAnswer]:
        return await network.run(script()), await network.resolve("mx.test", "MX")

    connected, answer = anyio.run(main, backend=backend)
    assert connected
    assert answer.records == (MX,)
    far.close()
    servers.join()


def test_an_answer_too_large_to_be_honest_is_not_read() -> None:
    question = Question("example.org", "MX")
    heard = question.read(question.wire[:2] + bytes(16 * 1024))
    assert heard is not None
    assert (heard.status, heard.records) == (DnsStatus.ERROR, ())
    assert heard.detail == "an answer of more than 16384 octets"
