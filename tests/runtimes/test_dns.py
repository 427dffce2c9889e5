"""DNS on both event loops: the messages of one server, and the answers they become."""

import socket
from collections.abc import Callable

import anyio
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.backends.dns.messages import Question
from checker_smtp.backends.dns.resolver import DnsResolver, ResolverUnavailable
from checker_smtp.backends.network import Network
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import Connect, Done, Script
from tests.runtimes.dns_servers import (
    GENEROUS,
    MX,
    Serve,
    cut_short,
    only,
    over_tcp,
    reply,
    silent,
)

CHAIN = ("mx.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME c.test.")
AA = dns.flags.AA
NO_SOA = "no SOA beside it (RFC 2308 §3)"


@pytest.mark.parametrize(
    ("serve", "status", "records", "detail"),
    [
        (reply(MX), DnsStatus.ANSWER, (MX,), ""),
        (reply("MX.Test. 300 IN MX 10 A.mx.TEST."), DnsStatus.ANSWER, (MX,), ""),
        (reply(*CHAIN, "c.test. 60 IN MX 0 ."), DnsStatus.ANSWER, (*CHAIN, "c.test. 60 IN MX 0 ."), ""),
        (reply(), DnsStatus.NODATA, (), ""),
        (reply(soa=False), DnsStatus.NODATA, (), NO_SOA),
        (reply(ede="x", soa=False), DnsStatus.NODATA, (), f"EDE 22 (No Reachable Authority): x; {NO_SOA}"),
        (reply(rcode=dns.rcode.NXDOMAIN, soa=False), DnsStatus.NXDOMAIN, (), NO_SOA),
        (reply(MX, ede="stale"), DnsStatus.ANSWER, (MX,), "EDE 22 (No Reachable Authority): stale"),
        (
            reply(MX, rcode=dns.rcode.SERVFAIL, ede="bogus"),
            DnsStatus.SERVFAIL,
            (MX,),
            "SERVFAIL; EDE 22 (No Reachable Authority): bogus",
        ),
        # RFC 8914 §4: the resolver says that it blocks the name, or forged the answer
        (
            reply(rcode=dns.rcode.NXDOMAIN, ede="malware", ede_code=dns.edns.EDECode.BLOCKED),
            DnsStatus.UNUSABLE,
            (),
            "EDE 15 (Blocked): malware",
        ),
        (
            reply(MX, ede="a walled garden", ede_code=dns.edns.EDECode.FORGED_ANSWER),
            DnsStatus.UNUSABLE,
            (MX,),
            "EDE 4 (Forged Answer): a walled garden",
        ),
        (
            reply(MX, ede="old", ede_code=dns.edns.EDECode.STALE_ANSWER),
            DnsStatus.ANSWER,
            (MX,),
            "EDE 3 (Stale Answer): old",
        ),
        # RFC 6672: a DNAME stands for the CNAME, sent or not
        (
            reply("test. 60 IN DNAME new.", "mx.new. 60 IN MX 0 ."),
            DnsStatus.ANSWER,
            ("test. 60 IN DNAME new.", "mx.new. 60 IN MX 0 ."),
            "",
        ),
        (
            reply("test. 60 IN DNAME new.", "mx.test. 60 IN CNAME mx.new.", "mx.new. 60 IN MX 0 ."),
            DnsStatus.ANSWER,
            ("test. 60 IN DNAME new.", "mx.test. 60 IN CNAME mx.new.", "mx.new. 60 IN MX 0 ."),
            "",
        ),
        (reply(CHAIN[0], MX), DnsStatus.ANSWER, (CHAIN[0], MX), ""),
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
        (reply(flags=0), DnsStatus.UNUSABLE, (), "the server asked is no resolver: it offers no recursion"),
        (
            reply(*CHAIN, flags=AA),
            DnsStatus.UNUSABLE,
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


def test_a_reason_is_printable(ask: Callable[..., DnsAnswer]) -> None:
    answer = ask(only(reply(MX, ede="forged\n\x1b[0m\u00fc" + "x" * 300)))
    assert answer.detail.startswith("EDE 22 (No Reachable Authority): forged\\")
    assert all(" " <= character <= "~" for character in answer.detail)
    assert len(answer.detail) == 200


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


def test_octets_that_are_no_text() -> None:
    question = Question("mx.test", "MX")
    (wire,) = reply('mx.test. 60 IN URI 1 2 "x"')(dns.message.from_wire(question.wire))
    heard = question.read(wire.replace(b"\x00\x01\x00\x02x", b"\x00\x01\x00\x02\xc0"))
    assert heard is not None
    assert len(heard.records) == 1
    assert heard.records[0].startswith("mx.test. 60 IN URI ")


def test_what_was_sent_and_what_was_heard_is_counted(loop: str) -> None:
    says = iter([silent, silent, silent, cut_short(MX)])
    servers = only(lambda query: next(says)(query), over_tcp(MX))
    resolver = DnsResolver("192.0.2.1", timeout=0.2, udp=servers.connect_udp, tcp=servers.connect_tcp)

    async def main() -> list[tuple[int, int]]:
        counted = []
        for _ in range(2):
            await resolver.resolve("mx.test", "MX")
            counted.append((resolver.queries, resolver.responses))
        resolver.timeout = GENEROUS
        await resolver.resolve("a..test", "MX")
        return [*counted, (resolver.queries, resolver.responses)]

    assert anyio.run(main, backend=loop) == [(2, 0), (5, 1), (5, 1)]
    servers.join()


def test_a_long_chain_is_given_up(ask: Callable[..., DnsAnswer]) -> None:
    chain = ["mx.test. 60 IN CNAME c0.test.", *(f"c{n}.test. 60 IN CNAME c{n + 1}.test." for n in range(40))]
    answer = ask(only(cut_short(), over_tcp(*chain)))
    assert (answer.status, answer.detail) == (DnsStatus.ERROR, "more than 16 aliases")


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
    if heard is not None:
        said = heard.detail.removesuffix(NO_SOA)
        assert all(" " <= character <= "~" for character in said)
        assert len(said) <= 202


@pytest.mark.parametrize("server", ["", "resolver.test", "192.0.2", "192.0.2.1:53", "[::1]"])
def test_a_resolver_has_an_address(server: str) -> None:
    with pytest.raises(ResolverUnavailable) as raised:
        DnsResolver(server)
    assert str(raised.value) == f"the resolver {server!r} is no IP address: give one such as 9.9.9.9"
    assert isinstance(raised.value, ValueError)


def test_network_is_both_ports(loop: str) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)

    def script() -> Script[bool]:
        return isinstance((yield Connect("192.0.2.7", 25, GENEROUS)), Done)

    servers = only(reply(MX))
    network = Network(DnsResolver("192.0.2.1", udp=servers.connect_udp), dial=lambda *_: near)

    async def main() -> tuple[bool, DnsAnswer]:
        return await network.run(script()), await network.resolve("mx.test", "MX")

    connected, answer = anyio.run(main, backend=loop)
    assert connected
    assert answer.records == (MX,)
    far.close()
    servers.join()
