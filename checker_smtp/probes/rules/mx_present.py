"""The domain has an MX record, or else an address, its implicit MX (RFC 5321 §5.1)."""

from collections.abc import Iterator

from checker_smtp.probes.observation import MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._lookups import failure_of, failure_words
from ._reading import dns_evidence, failed_targets, listed
from ._reproduction import QueryDns
from ._rule import Input, rule
from ._shared import ALIAS_BESIDE, NOT_TESTED

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
    title="A DNS lookup that mail to the domain needs failed",
    why="Senders keep the mail queued and retry; after some days they return it.",
    fix="Check that every name server of the domain and of its mail servers answers (`dig +trace DOMAIN "
    "MX`), that the delegation is right, and that the DNSSEC signatures are valid.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX",), trace=True),
    urgency=Urgency.STOPS_MAIL,
)
IMPLICIT = Code(
    "smtp.mx.implicit",
    Severity.WARN,
    title="The domain has no MX record, and senders use its address instead",
    why="Senders fall back to the address of the domain itself, which is often a web server; mail then "
    "waits there for days.",
    fix="Publish an MX record, or `MX 0 .` if the domain receives no mail.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
    urgency=Urgency.STOPS_MAIL,
)
DOMAIN_ALIAS = Code(
    "smtp.mx.domain_alias",
    Severity.INFO,
    title="The domain is an alias, and mail goes where the alias leads",
    why="Senders use the MX records of the name that the alias leads to. That is allowed; the owner of "
    "that name also controls the mail of this domain.",
    fix="Nothing, if this is intended; otherwise publish MX records at the domain instead of the alias.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX", "CNAME")),
)


@rule(
    "smtp.mx_present",
    Severity.CRIT,
    "Checks that the domain publishes at least one MX record, or a null MX.",
    order=20,
    codes=(NONE, LOOKUP_FAILED, IMPLICIT, DOMAIN_ALIAS, ALIAS_BESIDE, NOT_TESTED),
    needs=Input.DNS,
    tested=lambda observation: not observation.mx.status.is_ours,
)
def mx_present(observation: Observation) -> Iterator[Finding]:
    mx = observation.mx
    if not mx.status.known:
        yield _failed(observation, observation.domain, "MX")
    elif mx.status is DnsStatus.NXDOMAIN:
        yield _denied(observation)
    elif mx.implicit_mx:
        evidence = dns_evidence(observation, observation.domain, "MX", "A", "AAAA")
        yield IMPLICIT.finding("", "There is no MX record; mail goes to the domain's own address.", *evidence)
    elif mx.status is DnsStatus.NODATA:
        yield _nothing(observation)
    elif targets := failed_targets(observation):
        yield _no_target(observation, targets)
    yield from _aliased(observation)
    if mx.omitted:
        yield _omitted(observation)


def _failed(observation: Observation, name: str, rdtype: str) -> Finding:
    """Return the finding on a failed lookup of the domain itself."""
    mx = observation.mx
    status = next(status for status in (mx.status, *mx.address_status) if not status.known)
    failure, words = failure_of(status, bogus=mx.bogus), failure_words(observation, name, rdtype)
    lookup = "The MX lookup" if rdtype == "MX" else f"There is no MX record, and the {rdtype} lookup"
    if failure.is_ours:
        message = (
            f"{lookup} gave nothing that could be used ({words}). That is {failure.cause}, and nothing is "
            "known of the domain."
        )
    elif mx.bogus:
        message = (
            f"{lookup} failed ({words}), and is answered where DNSSEC signatures are not checked: the "
            "signatures of the zone are bogus."
        )
    else:
        message = f"{lookup} failed ({words}), although the resolver answers for other names."
    return failure.finding(LOOKUP_FAILED, message, dns_evidence(observation, name, "MX", rdtype))


def _denied(observation: Observation) -> Finding:
    mx, domain = observation.mx, observation.domain
    name = (domain, *mx.aliases)[-1]
    if not {DnsStatus.ANSWER, DnsStatus.NODATA}.isdisjoint(mx.address_status):
        found = "give an address for it" if DnsStatus.ANSWER in mx.address_status else "do not say so"
        message = (
            f"The name servers say that {name} does not exist when they are asked for MX (NXDOMAIN), and "
            f"{found} when they are asked for A."
        )
        fix = (
            "Have the name server repaired: for a record that is missing at a name that exists it has to "
            "answer NOERROR without records (RFC 2308 §2.2)."
        )
    elif mx.aliases:
        message = f"The domain is an alias of {mx.aliases[-1]}, and that name does not exist (NXDOMAIN)."
        fix = "Correct or remove the CNAME record of the domain, and publish MX records at the domain."
    else:
        message = f"The domain {domain} does not exist (NXDOMAIN)."
        fix = (
            "Check the spelling; if it is right, register or renew the domain, or find out why its zone is "
            "not delegated (`dig +trace DOMAIN`)."
        )
    return NONE.finding("", message, *dns_evidence(observation, domain, "MX", "A"), fix=fix)


def _nothing(observation: Observation) -> Finding:
    for rdtype, status in zip(("A", "AAAA"), observation.mx.address_status, strict=False):
        if not status.known:
            return _failed(observation, observation.domain, rdtype)
    evidence = dns_evidence(observation, observation.domain, "MX", "A", "AAAA")
    return NONE.finding("", "The domain has neither an MX record nor an address.", *evidence)


def _no_target(observation: Observation, targets: tuple[tuple[MxTarget, str, DnsStatus], ...]) -> Finding:
    """Return the finding on a domain none of whose MX targets could be looked up."""
    names = [
        f"{target.target} {rdtype} ({failure_words(observation, target.target, rdtype)})"
        for target, rdtype, _ in targets
    ]
    failure = failure_of(*(status for *_, status in targets), bogus=any(t.bogus for t, *_ in targets))
    evidence = [item for t, *_ in targets for item in dns_evidence(observation, t.target, "A", "AAAA")]
    whose = f" That is {failure.cause}, and nothing is known of the servers."
    message = f"The addresses of no MX target could be looked up: {listed(names)}."
    return failure.finding(LOOKUP_FAILED, message + whose * failure.is_ours, evidence)


def _aliased(observation: Observation) -> Iterator[Finding]:
    mx, domain = observation.mx, observation.domain
    if mx.aliases and mx.records:
        chain = " → ".join((domain, *mx.aliases))
        evidence = dns_evidence(observation, domain, "MX")
        yield DOMAIN_ALIAS.finding("", f"The domain is an alias: {chain}.", *evidence)
    if mx.has_alias_beside:
        yield ALIAS_BESIDE.finding(
            "",
            f"{domain} has MX records and a CNAME beside them; the MX records were used.",
            *dns_evidence(observation, domain, "MX"),
        )


def _omitted(observation: Observation) -> Finding:
    looked_at = len(observation.mx.records)
    total = looked_at + observation.mx.omitted
    return NOT_TESTED.finding(
        "",
        f"The domain has {total} MX records. The {looked_at} most preferred were tested, the other "
        f"{observation.mx.omitted} were not.",
        outcome=Outcome.NOT_TESTED,
        fix="Publish no more MX records than senders try; most stop after a handful.",
    )
