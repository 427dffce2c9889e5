"""The fast codec beside the full one: it may leave a message to it, and must never read one differently."""

import struct
from random import Random

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from checker_smtp.backends.dns import codec_fast, codec_full
from checker_smtp.backends.dns.codec_fast import DnsMessage, RRset
from checker_smtp.backends.dns.messages import Question

NAME = "mx.example.test"
TYPES = ("A", "NS", "CNAME", "SOA", "PTR", "MX", "AAAA")
HEADER = struct.Struct("!HHHHHH")


def section(question: Question) -> bytes:
    return question.wire[12:-11]


def both(data: bytes, question: Question) -> tuple[DnsMessage | None, DnsMessage | str | None]:
    """Return the results of both codecs; of the full one also its reason to refuse."""
    try:
        known = codec_full.decode_message(data, question.wire)
    except ValueError as error:
        return codec_fast.decode_message(data, section(question)), str(error)
    return codec_fast.decode_message(data, section(question)), known


def response(question: Question, answer: list[str], authority: list[str], additional: list[str]) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(question.wire))
    message.flags |= dns.flags.RA
    sections = ((message.answer, answer), (message.authority, authority), (message.additional, additional))
    for records, lines in sections:
        for line in lines:
            owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
            records.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, *data.split("|")))
    return message.to_wire(max_size=65535, want_shuffle=False)


SOA = "example.test. 60 IN SOA ns.example.test. root.example.test. 4294967295 2 3 4 5"
GLUE = ["ns.example.test. 60 IN A 192.0.2.53", "ns.example.test. 60 IN AAAA 2001:db8::53"]


@pytest.mark.parametrize(
    ("rdtype", "answer", "authority", "additional"),
    [
        ("MX", [f"{NAME}. 300 IN MX 10 a.{NAME}.|20 b.other.test."], [], []),
        ("MX", [f"{NAME}. 300 IN MX 0 ."], [], []),
        ("MX", ["MX.Example.TEST. 0 IN MX 65535 A.Test."], ["example.test. 60 IN NS NS.example.test."], GLUE),
        ("MX", [], [SOA], []),
        ("SOA", [SOA], [], []),
        ("NS", [f"{NAME}. 2147483647 IN NS a.root.|b.root."], [], []),
        ("PTR", [f"{NAME}. 60 IN CNAME 25.0/26.2.0.192.in-addr.arpa."], [], []),
        ("PTR", [f"{NAME}. 60 IN PTR _a-b.test."], [], []),
        ("A", [f"{NAME}. 60 IN CNAME b.test.", "b.test. 50 IN A 0.0.0.0|255.255.255.255"], [], []),
        ("AAAA", [f"{NAME}. 60 IN AAAA ::|::1|::ffff:192.0.2.1|2001:db8::|1:0:2:0:3:0:4:0"], [], []),
    ],
)
def test_usual_answers_are_plain(
    rdtype: str, answer: list[str], authority: list[str], additional: list[str]
) -> None:
    question = Question(NAME, rdtype)
    plain, known = both(response(question, answer, authority, additional), question)
    assert plain is not None
    assert plain == known
    assert len(plain.answer) == len(answer)


@pytest.mark.parametrize("rcode", range(11))
def test_a_plain_failure(rcode: int) -> None:
    question = Question(NAME, "MX")
    message = dns.message.from_wire(response(question, [], [], []))
    message.set_rcode(dns.rcode.Rcode.make(rcode))
    assert codec_fast.decode_message(message.to_wire(), section(question)) == DnsMessage(
        0x8180 | rcode, rcode, ()
    )


def record(owner: bytes, rdtype: int, data: bytes, *, rdclass: int = 1, ttl: int = 60) -> bytes:
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(data)) + data


def message(
    question: Question, *records: bytes, flags: int = 0x8180, questions: int = 1, extra: int = 0
) -> bytes:
    """A message with these answers, and `extra` more of them counted in the header than present."""
    header = HEADER.pack(0, flags, questions, len(records) + extra, 0, 0)
    return question.wire[:2] + header[2:] + section(question) + b"".join(records)


ASKED = b"\xc0\x0c"
A = record(ASKED, 1, b"\xc0\0\2\1")
DEEP = [
    record(b"\1a" + struct.pack("!H", 0xC000 | at), 1, bytes(4)) for at in (12, *range(33, 33 + 18 * 20, 18))
]
NOT_PLAIN = {
    "no response": {"flags": 0x0180},
    "another opcode": {"flags": 0x9180},
    "no question": {"questions": 0},
    "two questions": {"questions": 2},
    "fewer records than counted": {"extra": 1},
    "another class": {"records": [record(ASKED, 1, bytes(4), rdclass=3)]},
    "another type": {"records": [record(ASKED, 16, b"\1x")]},
    "a TTL with the highest bit": {"records": [record(ASKED, 1, bytes(4), ttl=1 << 31)]},
    "two TTLs in a set": {"records": [A, record(ASKED, 1, bytes(4), ttl=61)]},
    "two aliases": {"records": [record(ASKED, 5, b"\1a\0"), record(ASKED, 5, b"\1b\0")]},
    "EDNS in the answer": {"records": [record(b"\0", 41, b"")]},
    "a pointer to itself": {"records": [record(b"\xc0\x21", 1, bytes(4))]},
    "a pointer ahead": {"records": [record(b"\xc0\x23", 1, bytes(4))]},
    "a pointer into the header": {"records": [record(b"\xc0\x04", 1, bytes(4))]},
    "a pointer into a label": {"records": [record(b"\xc0\x0e", 1, bytes(4))]},
    "a pointer cut short": {"records": [b"\xc0"]},
    "pointer upon pointer": {"records": DEEP},
    "a label type nobody uses": {"records": [record(b"\x40\x0c", 1, bytes(4))]},
    "a label that needs an escape": {"records": [record(b"\3a.b\0", 1, bytes(4))]},
    "a label with a line feed": {"records": [record(b"\2a\n\0", 1, bytes(4))]},
    "a label that is not ASCII": {"records": [record(b"\2\xc3\xa4\0", 1, bytes(4))]},
    "a name too long": {"records": [record((b"\x3f" + b"a" * 63) * 4 + b"\0", 1, bytes(4))]},
    "three octets of IPv4": {"records": [record(ASKED, 1, bytes(3))]},
    "IPv4 cut short": {"records": [A[:-1]]},
    "seventeen octets of IPv6": {"records": [record(ASKED, 28, bytes(17))]},
    "IPv6 cut short": {"records": [record(ASKED, 28, bytes(16))[:-1]]},
    "octets after a name": {"records": [record(ASKED, 15, b"\0\1\1a\0\0")]},
    "a name that goes on after its record": {"records": [record(ASKED, 15, b"\0\1\1a"), b"\0"]},
}


@pytest.mark.parametrize("case", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_left_to_dnspython(case: dict[str, object]) -> None:
    question = Question(NAME, "A")
    case = dict(case)
    data = message(question, *case.pop("records", [A]), **case)  # type: ignore[arg-type,misc]
    assert codec_fast.decode_message(data, section(question)) is None


@pytest.mark.parametrize(
    "edns",
    [
        record(b"\0", 41, b"\0\x0f\0\2\0\x16", rdclass=1232),
        record(b"\0", 41, b"", rdclass=1232, ttl=1 << 24),
        record(b"\0", 1, b""),
        b"\0",
    ],
    ids=["with an extended error", "with an extended code", "of another type", "cut short"],
)
def test_edns_that_says_something(edns: bytes) -> None:
    question = Question(NAME, "A")
    data = bytearray(message(question, A) + edns)
    data[11] = 1
    assert codec_fast.decode_message(bytes(data), section(question)) is None


def test_the_chain_that_is_followed() -> None:
    question = Question(NAME, "A")
    plain, known = both(message(question, *DEEP[:8]), question)
    assert plain is not None
    assert plain == known
    assert plain.answer[-1] == RRset("a." * 8 + NAME + ".", "A", 60, ("0.0.0.0",))  # noqa: S104


class Writer:
    """Writes messages that are mostly sound and compressed, each with what chance makes of it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311
        self.question = Question(NAME, self.random.choice(TYPES))
        self.data = bytearray()
        self.labels: list[int] = []

    def seldom(self, usual: int, *others: int, chance: float = 0.01) -> int:
        return self.random.choice(others) if self.random.random() < chance else usual

    def message(self) -> bytes:
        flags = self.seldom(0x8180, 0x8580, 0x8380, 0x8183, 0x8182, 0x0180, 0xA980, 0x818C, chance=0.3)
        counts = [self.random.choice((0, 1, 1, 2, 3, 9)) for _ in range(3)]
        counts = [self.seldom(count, max(0, count - 1), count + 1) for count in counts]
        edns = self.random.choice((b"", EDNS, EDNS, EDNS, REASON))
        counts[2] += bool(edns)
        self.data += self.question.wire[:2] + HEADER.pack(0, flags, 1, *counts)[2:] + section(self.question)
        self.labels += [12, 15, 23]
        for _ in range(sum(counts)):
            self.record()
        self.data += edns
        return bytes(self.data)

    def record(self) -> None:
        self.name()
        rdtype = self.random.choice((1, 2, 5, 6, 12, 15, 28, self.seldom(15, 16, 39, 41, 46, 250, 64)))
        rdclass = self.seldom(1, 3, 255)
        ttl = self.seldom(60, 61, 0x7FFFFFFF, 0x80000000, 0)
        at = len(self.data) + 10
        self.data += struct.pack("!HHIH", rdtype, rdclass, ttl, 0)
        self.body(rdtype)
        length = len(self.data) - at
        self.data[at - 2 : at] = self.seldom(length, length + 1, max(0, length - 1)).to_bytes(2, "big")

    def body(self, rdtype: int) -> None:
        match rdtype:
            case 1:
                self.data += self.random.randbytes(self.seldom(4, 3, 5))
            case 28:
                for _ in range(self.seldom(8, 7, 9)):
                    self.data += self.random.choice((bytes(2), bytes(2), self.random.randbytes(2)))
            case 15:
                self.data += self.random.randbytes(2)
                self.name()
            case 6:
                self.name()
                self.name()
                self.data += self.random.randbytes(20)
            case 2 | 5 | 12:
                self.name()
            case _:
                self.data += self.random.randbytes(self.random.randrange(12))

    def name(self) -> None:
        before = list(self.labels)
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2, 3))):
            self.labels.append(len(self.data))
            size = self.seldom(self.random.choice((1, 2, 3)), 20, 63)
            letters = self.random.choices(b"abcAB-_09/", k=size)
            if self.random.random() < 0.01:
                letters[0] = self.random.randrange(256)
            self.data += bytes((size, *letters))
        if self.random.random() < 0.1:
            self.data += b"\0"
        else:
            end = len(self.data)
            at = self.seldom(self.random.choice(before), end, end + 2, end - 1, self.random.randrange(end))
            self.data += (0xC000 | at).to_bytes(2, "big")


EDNS = record(b"\0", 41, b"", rdclass=1232, ttl=0)
REASON = record(b"\0", 41, b"\0\x0f\0\2\0\x16", rdclass=1232, ttl=0)


def test_it_reads_nothing_otherwise() -> None:
    read = 0
    for seed in range(1000):
        writer = Writer(seed)
        data = writer.message()
        plain, known = both(data, writer.question)
        assert plain is None or plain == known, f"seed {seed}: {data!r}"
        read += plain is not None
    assert read > 400


def test_nor_where_octets_are_changed() -> None:
    read = 0
    for seed in range(1000):
        writer = Writer(seed)
        data = bytearray(writer.message())
        for _ in range(writer.random.randint(1, 3)):
            data[writer.random.randrange(2, len(data))] = writer.random.choice((0, 1, 12, 63, 64, 192, 255))
        del data[writer.random.choice((len(data), writer.random.randrange(len(data)))) :]
        plain, known = both(bytes(data), writer.question)
        assert plain is None or plain == known, f"seed {seed}: {bytes(data)!r}"
        read += plain is not None
    assert read > 30


@given(
    name=st.one_of(
        st.lists(st.text("abAB-_09/", max_size=64), max_size=6).map(".".join),
        st.text(st.characters(max_codepoint=255), max_size=70),
    ),
    rdtype=st.sampled_from([*TYPES, "mx", "TXT", "TYPE15", "NONSENSE"]),
)
@example(name=".".join(["a" * 63] * 3 + ["b" * 61]), rdtype="A")
@example(name=".".join(["a" * 63] * 3 + ["b" * 62]), rdtype="A")
@example(name="a.test.", rdtype="A")
@example(name="a.test\n", rdtype="A")
@example(name=".", rdtype="NS")
@settings(deadline=None)
def test_it_asks_for_nothing_else(name: str, rdtype: str) -> None:
    plain = codec_fast.encode_question(name, rdtype)
    assert plain is None or plain == codec_full.encode_question(name, rdtype)


def test_usual_questions_are_plain() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    for name in ("mx.example.test", "test", "25.2.0.192.in-addr.arpa", "_dmarc.example.test", longest):
        assert codec_fast.encode_question(name, "MX") is not None
