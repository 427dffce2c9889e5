"""Every MX target is a host name, no alias, and has public addresses only."""

from collections.abc import Iterator

from checker_smtp.probes.observation import MxTarget, Observation

from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._reading import any_target, dns_evidence, listed
from ._reproduction import QueryDns
from ._rule import Input, rule

IP_LITERAL = Code(
    "smtp.mx.ip_literal",
    Severity.CRIT,
    title="An MX target is an IP address instead of a host name",
    why="An MX record names a host. Most senders look the digits up as a name, find no address, and skip "
    "this target; a few deliver anyway, which hides the fault.",
    fix="Give the server a host name with an A or AAAA record and put that name into the MX record.",
    reference="RFC 5321 §5.1, RFC 1035 §3.3.9",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
    urgency=Urgency.STOPS_MAIL,
)
CNAME = Code(
    "smtp.mx.cname",
    Severity.CRIT,
    title="An MX target is an alias",
    why="The target of an MX record must not be a CNAME. Many senders follow it, strict ones do not, and "
    "certificate and DANE checks use the wrong name.",
    fix="Let the MX record name the host that the alias points to, or give the target A and AAAA records "
    "of its own.",
    reference="RFC 5321 §5.1, RFC 2181 §10.3",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)
UNRESOLVED = Code(
    "smtp.mx.unresolved",
    Severity.CRIT,
    title="No address was found for an MX target",
    why="Senders cannot reach this server; with no other MX the mail is queued and then returned.",
    fix="Publish an A or AAAA record for the target, or remove the MX record.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)
NOT_PUBLIC = Code(
    "smtp.mx.not_public",
    Severity.CRIT,
    title="An MX target has an address that the Internet cannot reach",
    why="Senders try an address inside their own network, or none at all, and the mail does not arrive.",
    fix="Publish the server's public address, and keep internal addresses in internal DNS.",
    reference="RFC 6890, RFC 5321 §5.1",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)


@rule(
    "smtp.mx_sanity",
    Severity.CRIT,
    "Checks that no MX target is an IP literal, an alias, without an address, or not public.",
    order=30,
    codes=(IP_LITERAL, CNAME, UNRESOLVED, NOT_PUBLIC),
    needs=Input.DNS,
    tested=any_target,
)
def mx_sanity(observation: Observation) -> Iterator[Finding]:
    targets: dict[str, MxTarget] = {}
    for record in observation.mx.records:
        targets.setdefault(record.target, record)
    for target in targets.values():
        evidence = dns_evidence(observation, target.target, "A", "AAAA")
        if target.literal:
            yield _literal(observation, target)
        elif target.aliases and not observation.mx.implicit_mx:
            yield CNAME.finding(target.target, _alias(target), *evidence)
        else:
            yield from _addresses(observation, target)
        for address, reason in target.not_public:
            yield NOT_PUBLIC.finding(
                target.target,
                f"{target.target} has the address {address}, which is {reason}; it was not contacted.",
                *evidence,
            )


def _literal(observation: Observation, target: MxTarget) -> Finding:
    hint = (
        " If no mail is wanted, the null MX is `MX 0 .`, with the dot alone." if target.target == "0" else ""
    )
    return IP_LITERAL.finding(
        target.target,
        f"The MX target {target.target} spells the IP address {target.literal}; it was not contacted.{hint}",
        *dns_evidence(observation, observation.domain, "MX"),
    )


def _alias(target: MxTarget) -> str:
    chain = " → ".join((target.target, *target.aliases))
    if target.alias_problem == "loop":
        return f"The MX target is an alias that leads back to itself: {chain}."
    if target.alias_problem == "dangling":
        return f"The MX target is an alias of a name that has no address: {chain}."
    return f"The MX target is an alias: {chain}."


def _addresses(observation: Observation, target: MxTarget) -> Iterator[Finding]:
    evidence = dns_evidence(observation, target.target, "A", "AAAA")
    asked = {"A": target.ipv4_status, "AAAA": target.ipv6_status}
    failed = [rdtype for rdtype, status in asked.items() if status is not None and not status.known]
    if failed:
        status = asked[failed[0]]
        yield UNRESOLVED.finding(
            target.target,
            f"The lookup of {target.target} ({listed(failed)}) failed with {status}; senders retry later.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.WARN,
            fix="Check the name servers of the target's zone; repeat the check later.",
        )
    elif not (target.ipv4 or target.ipv6):
        missing = "does not exist" if "nxdomain" in asked.values() else "has neither an A nor an AAAA record"
        yield UNRESOLVED.finding(target.target, f"The MX target {target.target} {missing}.", *evidence)
