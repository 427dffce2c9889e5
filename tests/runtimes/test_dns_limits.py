"""DNS answers that are truncated or too large: what is read, in what order, and what is left out."""

import struct
from collections.abc import Callable

import dns.flags
import dns.message
import pytest

from checker_smtp.backends.dns.messages import Question, Response
from checker_smtp.probes.ports import DnsStatus
from tests.runtimes.dns_servers import (
    MX,
    Servers,
    ask_of,
    cut_short,
    only,
    over_tcp,
    reply,
    several,
    silent,
)

TcpServe = Callable[[bytes], list[bytes]]


@pytest.mark.parametrize("pieces", [1, 2, 1000])
def test_a_truncated_answer_is_asked_for_over_tcp(loop: str, pieces: int) -> None:
    servers = only(cut_short(MX), over_tcp(MX, "mx.test. 300 IN MX 20 b.mx.test.", pieces=pieces))
    answer = ask_of(servers, loop)
    assert answer.status is DnsStatus.ANSWER
    assert len(answer.records) == 2
    assert servers.asked_over() == [("1", "udp"), ("1", "tcp")]


def other_over_tcp(wire: bytes) -> list[bytes]:
    question = dns.message.from_wire(wire)
    other = dns.message.make_response(dns.message.make_query("other.test", "MX", id=question.id)).to_wire()
    return [len(other).to_bytes(2, "big") + other]


NO_TCP: list[tuple[TcpServe | None, str]] = [
    (None, "192.0.2.1 refused the connection"),
    (lambda _: [], "192.0.2.1 closed the connection"),
    (lambda _: [b"\x00"], "192.0.2.1 closed the connection"),
    (lambda _: [b"\x00\x00"], "192.0.2.1 closed the connection"),
    (lambda _: [b"\x00\x20half"], "192.0.2.1 closed the connection"),
    (other_over_tcp, "192.0.2.1 answered another question"),
    (over_tcp(MX, flags=dns.flags.RA | dns.flags.TC), "192.0.2.1 cut it short as well"),
]


@pytest.mark.parametrize(("tcp", "detail"), NO_TCP)
def test_a_truncated_answer_and_no_tcp_is_a_fault_of_this_side(
    loop: str, tcp: TcpServe | None, detail: str
) -> None:
    answer = ask_of(only(cut_short(MX), tcp), loop)
    assert (answer.status, answer.records) == (DnsStatus.UNUSABLE, (MX,))
    assert answer.detail == f"the answer was cut short (truncated), and over TCP {detail}"


def test_silence_over_tcp_takes_half_of_the_time(loop: str) -> None:
    servers = Servers({"192.0.2.1": cut_short(MX)}, tcp=lambda _: [], tcp_waits=True)
    answer = ask_of(servers, loop, timeout=0.4)
    assert answer.status is DnsStatus.UNUSABLE
    assert answer.detail.endswith("over TCP 192.0.2.1 did not answer")
    assert 0.15 < answer.seconds < 0.35


@pytest.mark.parametrize("tcp", [None, *(serve for serve, _ in NO_TCP[1:])])
def test_the_other_resolvers_are_asked_before_a_truncated_answer_is_given_up(
    loop: str, tcp: TcpServe | None
) -> None:
    refusing = {"192.0.2.1": tcp} if tcp else {}
    servers = Servers(
        {"192.0.2.1": cut_short(MX), "192.0.2.2": cut_short(MX)}, {**refusing, "192.0.2.2": over_tcp(MX)}
    )
    assert ask_of(servers, loop).status is DnsStatus.ANSWER
    expected = [("1", "udp"), ("1", "tcp"), ("2", "udp"), ("2", "tcp")]
    assert servers.asked_over() == [step for step in expected if tcp or step != ("1", "tcp")]


def test_all_resolvers_cut_it_short(loop: str) -> None:
    answer = ask_of(several(cut_short(MX), cut_short(MX)), loop)
    assert (answer.status, answer.records) == (DnsStatus.UNUSABLE, (MX,))
    assert answer.detail == "; ".join(
        f"the answer was cut short (truncated), and over TCP 192.0.2.{number} refused the connection"
        for number in (1, 2)
    )


def read(*records: str, rdtype: str = "MX") -> Response:
    question = Question("mx.test", rdtype)
    (wire,) = reply(*records)(dns.message.from_wire(question.wire))
    response = question.read(wire)
    assert response is not None
    return response


def test_the_most_preferred_mx_is_first_and_kept(loop: str) -> None:
    many = [f"mx.test. 60 IN MX {2000 - n} m{n}.test." for n in range(1500)]
    answer = ask_of(only(cut_short(), over_tcp(*many)), loop)
    preferences = [int(record.split()[4]) for record in answer.records]
    assert preferences == list(range(501, 1501))
    assert answer.omitted == 500


def test_octets_are_bounded_and_counted() -> None:
    long = ".".join(["a" * 60] * 3)
    response = read(*(f"mx.test. 60 IN MX {n} m{n}.{long}.test." for n in range(600)))
    assert 60_000 < sum(map(len, response.records)) <= 65536
    assert len(response.records) + response.omitted == 600
    assert response.records[-1].split()[4] == str(len(response.records) - 1)


def test_what_was_asked_for_is_kept_before_what_was_not() -> None:
    others = [f"a{n}.test. 60 IN CNAME b.test." for n in range(1100)]
    chain = ["mx.test. 60 IN CNAME c.test.", "c.test. 60 IN MX 5 d.test."]
    response = read(*others, *reversed(chain))
    assert response.status is DnsStatus.ANSWER
    assert list(response.records[:2]) == chain
    assert (len(response.records), response.omitted) == (1000, 102)


def test_a_dname_of_the_chain_comes_first() -> None:
    others = [f"a{n}.test. 60 IN MX 1 b.test." for n in range(10)]
    chain = ["test. 60 IN DNAME new.", "mx.new. 60 IN MX 5 d.test."]
    assert list(read(*others, *chain).records[:2]) == chain


def test_a_record_of_text_is_bounded() -> None:
    long = "mx.test. 60 IN TXT " + " ".join(['"' + "x" * 255 + '"'] * 12)
    assert [len(record) for record in read(long, rdtype="TXT").records] == [2200]


def test_three_hundred_mx_are_a_legal_answer(loop: str) -> None:
    label = "quite-a-long-label-for-a-host-name-in-a-generated-zone"
    many = [f"mx.test. 60 IN MX 10 n{n:03d}.{label}.x{n}.test." for n in range(300)]
    answer = ask_of(only(cut_short(), over_tcp(*many)), loop)
    assert (answer.status, len(answer.records), answer.omitted) == (DnsStatus.ANSWER, 300, 0)


def hostile(size: int, *, text: bool = False) -> tuple[Question, bytes]:
    """An answer of about `size` octets, of MX whose names have 255 octets by compression, and a TXT."""
    question = Question("mx.test", "MX")
    asked = question.wire[12:-11]
    name = b"".join(bytes([len(label)]) + label for label in (b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 52))
    records = [b"\xc0\x0c" + struct.pack("!HHIHH", 15, 1, 60, 2 + len(name) + 2, 0) + name + b"\xc0\x0c"]
    pointer = (0xC000 | 12 + len(asked) + 14).to_bytes(2, "big")
    rest = size - 12 - len(asked) - len(records[0])
    records += [pointer + struct.pack("!HHIHH", 15, 1, 60, 4, n) + pointer for n in range(1, rest // 16)]
    if text:
        records.append(pointer + struct.pack("!HHIH", 16, 1, 60, 4) + b"\x03abc")
    header = question.wire[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0)
    return question, header + asked + b"".join(records)


def test_64_kib_of_the_longest_names() -> None:
    question, data = hostile(65535)
    response = question.read(data)
    assert response is not None
    assert response.status is DnsStatus.ANSWER
    assert sum(map(len, response.records)) <= 65536
    assert len(response.records) + response.omitted > 4000


def test_a_large_answer_that_only_the_slow_codec_reads_is_left() -> None:
    question, data = hostile(20_000, text=True)
    response = question.read(data)
    assert response == Response(
        DnsStatus.UNUSABLE, detail=f"an answer of {len(data)} octets with unusual records, which is not read"
    )
    question, data = hostile(16_000, text=True)
    smaller = question.read(data)
    assert smaller is not None
    assert smaller.status is DnsStatus.ANSWER


def test_silent_servers_are_not_asked_over_tcp(loop: str) -> None:
    servers = only(silent, over_tcp(MX))
    assert ask_of(servers, loop, timeout=0.1).status is DnsStatus.TIMEOUT
    assert {how for _, how in servers.asked_over()} == {"udp"}
