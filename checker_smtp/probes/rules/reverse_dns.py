"""The address has a PTR name, and the name has the address (RFC 1912 §2.1, RFC 8601 §3).

Any one of the PTR names confirms. Equality with the MX name, the banner or the domain is never required.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from checker_smtp.probes.observation import Endpoint, Observation, ReverseDns
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Evidence, Finding, Outcome, Severity
from ._lookups import failure_of, failure_words
from ._reading import dns_evidence, listed
from ._reproduction import QueryReverse
from ._rule import Input, rule
from ._shared import NOT_TESTED

MISSING = Code(
    "smtp.ptr.missing",
    Severity.WARN,
    title="The server's address has no PTR name",
    why="Receiving works without it, but if this address also sends, many servers refuse its mail, bounces "
    "and answers included.",
    fix="Ask the provider that assigns the address for a PTR record with the server's host name.",
    reference="RFC 1912 §2.1, RFC 1035 §3.5",
    reproduce=QueryReverse(),
    badge="No PTR",
)
LOOKUP_FAILED = Code(
    "smtp.ptr.lookup_failed",
    Severity.INFO,
    title="The names of the server's address could not be looked up",
    why="The address may have a name that leads back to it. If this address also sends, servers that ask "
    "for the name meet the same failure.",
    fix="Repeat the check; if it persists, look at the name servers of the address's reverse zone and of the "
    "names in it.",
    reference="RFC 1035 §3.5, RFC 8601 §3",
    reproduce=QueryReverse(),
)
MISMATCH = Code(
    "smtp.fcrdns.mismatch",
    Severity.WARN,
    title="No PTR name of the server's address leads back to it",
    why="Receiving works, but if this address also sends, servers that compare both directions treat it as "
    "unnamed.",
    fix="Let the PTR record name a host whose A or AAAA record is this address.",
    reference="RFC 8601 §3, RFC 1912 §2.1",
    reproduce=QueryReverse(),
    badge="PTR mismatch",
)


@rule(
    "smtp.reverse_dns",
    Severity.WARN,
    "Checks that every address has a PTR name that resolves back to it.",
    order=100,
    codes=(MISSING, MISMATCH, LOOKUP_FAILED, NOT_TESTED),
    needs=Input.REVERSE_DNS,
    tested=lambda o: any(e.reverse is not None and e.reverse.status.known for e in o.endpoints),
)
def reverse_dns(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        if (reverse := endpoint.reverse) is not None and not reverse.confirmed_by:
            yield _unconfirmed(observation, endpoint, reverse)


def _unconfirmed(observation: Observation, endpoint: Endpoint, reverse: ReverseDns) -> Finding:
    evidence = _evidence(observation, endpoint, reverse)
    address = endpoint.address
    if reverse.unsettled or not reverse.status.known:
        return _lookup_failed(observation, endpoint, reverse)
    if not reverse.names:
        missing = "NXDOMAIN" if reverse.status is DnsStatus.NXDOMAIN else "no PTR record"
        return MISSING.finding(endpoint.subject, f"{address} has no PTR name ({missing}).", *evidence)
    if reverse.total > len(reverse.names):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"{address} has {reverse.total} PTR names. The {len(reverse.names)} that were looked up do not "
            f"lead back to it; the other {reverse.total - len(reverse.names)} were not looked up.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
            fix="Ask for one PTR record with the server's host name; servers that compare both directions "
            "look up a few names only.",
        )
    names = listed(list(reverse.names))
    return MISMATCH.finding(
        endpoint.subject, f"{address} is named {names}, which does not lead back to it.", *evidence
    )


def _lookup_failed(observation: Observation, endpoint: Endpoint, reverse: ReverseDns) -> Finding:
    rdtype = "AAAA" if endpoint.family == 6 else "A"
    statuses = [reverse.status] if not reverse.status.known else []
    pointer = ip_address(endpoint.address).reverse_pointer
    failed = [f"{endpoint.address} ({failure_words(observation, pointer, 'PTR')})"] if statuses else []
    for name in reverse.unsettled:
        failed.append(f"{name} ({failure_words(observation, name, rdtype)})")
        statuses += [answer.status for answer in observation.answers_about(name, rdtype)]
    failure = failure_of(*statuses) if statuses else None
    ours = failure if failure is not None and failure.is_ours else None
    return LOOKUP_FAILED.finding(
        endpoint.subject,
        f"The lookup of {listed(failed)} failed; {endpoint.address} may have a name that leads back to it.",
        *_evidence(observation, endpoint, reverse),
        outcome=Outcome.NOT_TESTED if ours else Outcome.TRANSIENT,
        fix=ours.fix if ours else "",
    )


def _evidence(observation: Observation, endpoint: Endpoint, reverse: ReverseDns) -> tuple[Evidence, ...]:
    rdtype = "AAAA" if endpoint.family == 6 else "A"
    forward = [item for name in reverse.names for item in dns_evidence(observation, name, rdtype)]
    return (*dns_evidence(observation, ip_address(endpoint.address).reverse_pointer, "PTR"), *forward)
