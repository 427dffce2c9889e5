"""The domain has an MX record, or else an address, its implicit MX (RFC 5321 §5.1)."""

from collections.abc import Iterator

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Finding, Severity, Urgency
from ._reading import dns_evidence
from ._reproduction import QueryDns
from ._rule import Input, rule

NONE = Code(
    "smtp.mx.none",
    Severity.CRIT,
    title="The domain has no mail server",
    why="A sending server finds neither an MX nor an address and returns the mail to its author.",
    fix="Publish an MX record that names the domain's mail server, or `MX 0 .` if it is to receive none.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
    urgency=Urgency.STOPS_MAIL,
)
LOOKUP_FAILED = Code(
    "smtp.mx.lookup_failed",
    Severity.CRIT,
    title="The lookup of the domain's mail servers failed",
    why="Senders keep the mail queued and retry; after some days they return it.",
    fix="Check that every name server of the domain answers for it (`dig +trace DOMAIN MX`), that its "
    "delegation is right, and that its DNSSEC signatures are valid.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX",), trace=True),
    urgency=Urgency.STOPS_MAIL,
)
IMPLICIT = Code(
    "smtp.mx.implicit",
    Severity.WARN,
    title="The domain has no MX record and is reached by its address",
    why="Senders fall back to the address of the domain itself, which is often a web server; mail then "
    "waits there for days.",
    fix="Publish an MX record, or `MX 0 .` if the domain receives no mail.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
    urgency=Urgency.STOPS_MAIL,
)


@rule(
    "smtp.mx_present",
    Severity.CRIT,
    "Checks that the domain publishes at least one MX record, or a null MX.",
    order=20,
    codes=(NONE, LOOKUP_FAILED, IMPLICIT),
    needs=Input.DNS,
    tested=lambda _: True,
)
def mx_present(observation: Observation) -> Iterator[Finding]:
    mx, domain = observation.mx, observation.domain
    evidence = dns_evidence(observation, domain, "MX")
    addresses = dns_evidence(observation, domain, "A", "AAAA")
    if not mx.status.known:
        yield LOOKUP_FAILED.finding(
            "",
            f"The MX lookup ended in {_words(mx.status)} although the resolver answers for other names.",
            *evidence,
        )
    elif mx.status is DnsStatus.NXDOMAIN:
        yield NONE.finding(
            "",
            f"The domain {domain} does not exist (NXDOMAIN).",
            *evidence,
            fix="Check the spelling; if it is right, register or renew the domain, or find out why its "
            "zone is not delegated (`dig +trace DOMAIN`).",
        )
    elif mx.implicit_mx:
        yield IMPLICIT.finding(
            "", "There is no MX record; mail goes to the domain's own address.", *evidence, *addresses
        )
    elif mx.status is DnsStatus.NODATA:
        yield from _nothing(observation, mx.address_status)


def _nothing(observation: Observation, statuses: tuple[DnsStatus, ...]) -> Iterator[Finding]:
    evidence = dns_evidence(observation, observation.domain, "MX", "A", "AAAA")
    if all(status.known for status in statuses):
        yield NONE.finding("", "The domain has neither an MX record nor an address.", *evidence)
    else:
        failed = next(status for status in statuses if not status.known)
        yield LOOKUP_FAILED.finding(
            "",
            f"The domain has no MX record, and the lookup of its address ended in {_words(failed)}.",
            *evidence,
        )


def _words(status: DnsStatus) -> str:
    return {DnsStatus.TIMEOUT: "no answer in time", DnsStatus.ERROR: "an invalid answer"}.get(
        status, status.upper()
    )
