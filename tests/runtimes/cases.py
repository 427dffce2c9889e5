"""A case with answers of every kind and three sessions, and when two cases are equal."""

from checker_smtp.backends.recording.case import (
    Case,
    Header,
)
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import (
    Connect,
    Done,
    Receive,
    Received,
    Transcript,
)

HEADER = Header(
    version="0.1.0",
    run_at="2025-01-31T12:00:00Z",
    seed=2**63 - 1,
    seconds=1.5,
    resolver="192.0.2.53",
    options=Options(
        domain="mx.test", timeout=1e-3, ipv6=False, allow_targets=("192.0.2.0/24", "2001:db8::/32")
    ),
)


ANSWERS = (
    DnsAnswer(name="mx.test", rdtype="A", status=DnsStatus.NXDOMAIN, seconds=0.25),
    DnsAnswer(name="mx.test", rdtype="MX", status=DnsStatus.ANSWER, records=("mx.test. 1 IN MX 0 .",)),
    DnsAnswer(name="z.test", rdtype="A", status=DnsStatus.SERVFAIL, detail="SERVFAIL \u00fc"),
    DnsAnswer(name="z.test", rdtype="A", status=DnsStatus.TIMEOUT, detail="no answer"),
)


EXPECTED = (("smtp.mx.none", ""), ("smtp.open_relay", "192.0.2.7:25"))


def session(host: str, *received: bytes) -> Transcript:
    transcript = Transcript()
    transcript.note(Connect(host, 25, 0), Done(0.031))
    for octets in received:
        transcript.note(Receive(0), Received(0.094, octets))
    return transcript


def same(one: Case, other: Case) -> bool:
    def facts(case: Case) -> list[object]:
        texts = [transcript.dumps() for transcript in case.sessions]
        return [
            case.version,
            case.run_at,
            case.seed,
            case.seconds,
            case.resolver,
            case.options,
            case.dns,
            texts,
            case.expected,
        ]

    return facts(one) == facts(other)
