"""Mail can be delivered over IPv6, and over IPv4 too (RFC 5321 §5.2, RFC 3974)."""

from collections.abc import Iterator

from checker_smtp.probes.observation import MxTarget, Observation

from ._finding import Code, Evidence, Finding, Severity
from ._reach import blamed
from ._reading import dns_evidence, listed
from ._reproduction import QueryDns
from ._rule import Input, rule

NO_IPV6 = Code(
    "smtp.ipv6.none",
    Severity.INFO,
    title="The domain does not receive mail over IPv6",
    why="Senders that have IPv6 only cannot deliver; there are few yet.",
    fix="Give a mail server an IPv6 address and publish it as AAAA record of its MX target.",
    reference="RFC 5321 §5.2, RFC 3974 §4",
    reproduce=QueryDns(names="targets", rdtypes=("AAAA",)),
    fix_everywhere=True,
)
NO_IPV4 = Code(
    "smtp.ipv4.none",
    Severity.WARN,
    title="The domain does not receive mail over IPv4",
    why="Many senders have no IPv6 and cannot deliver at all.",
    fix="Give a mail server an IPv4 address and publish it as A record of its MX target.",
    reference="RFC 5321 §5.2, RFC 3974 §4",
    reproduce=QueryDns(names="targets", rdtypes=("A",)),
    fix_everywhere=True,
)


def _has_addresses(observation: Observation) -> bool:
    """Return whether any address is known, so that a family can be found missing."""
    return any(record.ipv4 or record.ipv6 for record in observation.mx.records)


@rule(
    "smtp.ipv6_reachable",
    Severity.INFO,
    "Checks that at least one endpoint is reached over IPv6, and one over IPv4.",
    order=150,
    codes=(NO_IPV6, NO_IPV4),
    needs=Input.SESSION,
    tested=_has_addresses,
)
def ipv6_reachable(observation: Observation) -> Iterator[Finding]:
    if not _has_addresses(observation):
        return
    records, settings = observation.mx.records, observation.settings
    unsettled = {rdtype: observation.mx.omitted or _unsettled(records, rdtype) for rdtype in ("A", "AAAA")}
    if not any(record.ipv6 for record in records):
        if not unsettled["AAAA"]:
            yield NO_IPV6.finding("", "No MX target has an IPv6 address.", *_evidence(observation, "AAAA"))
    elif settings.ipv6:
        yield from _dead(observation)
    if not any(record.ipv4 for record in records) and not unsettled["A"]:
        yield NO_IPV4.finding("", "No MX target has an IPv4 address.", *_evidence(observation, "A"))


def _dead(observation: Observation) -> Iterator[Finding]:
    """Yield a finding where IPv6 addresses are published and do not answer, by a fault of the domain."""
    theirs, _ = blamed(observation)
    ipv6 = [e for e in observation.endpoints if e.family == 6]
    is_whole = not any(subject.startswith("[") for subject in observation.skipped)
    if ipv6 and is_whole and all(e in theirs for e in ipv6):
        names = listed([e.subject for e in ipv6])
        yield NO_IPV6.finding("", f"No IPv6 endpoint accepts connections ({names}).")


def _unsettled(records: tuple[MxTarget, ...], rdtype: str) -> bool:
    statuses = [r.ipv4_status if rdtype == "A" else r.ipv6_status for r in records]
    return any(status is not None and not status.known for status in statuses)


def _evidence(observation: Observation, rdtype: str) -> tuple[Evidence, ...]:
    targets = dict.fromkeys(record.target for record in observation.mx.records)
    return tuple(item for target in targets for item in dns_evidence(observation, target, rdtype))
