"""The address has a PTR name, and the name has the address (RFC 1912 §2.1, RFC 8601 §3).

Any one of the PTR names confirms. Equality with the MX name, the banner or the domain is never required.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from checker_smtp.probes.observation import Endpoint, Observation, ReverseDns
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Evidence, Finding, Outcome, Severity
from ._reading import dns_evidence, listed
from ._reproduction import QueryReverse
from ._rule import Input, rule

MISSING = Code(
    "smtp.ptr.missing",
    Severity.WARN,
    title="No PTR name was found for the server's address",
    why="Receiving works without it, but if this address also sends, many servers refuse its mail, bounces "
    "and answers included.",
    fix="Ask the provider that assigns the address for a PTR record with the server's host name.",
    reference="RFC 1912 §2.1, RFC 1035 §3.5",
    reproduce=QueryReverse(),
    badge="No PTR",
)
MISMATCH = Code(
    "smtp.fcrdns.mismatch",
    Severity.WARN,
    title="No PTR name of the server's address is confirmed by a lookup of the name",
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
    codes=(MISSING, MISMATCH),
    needs=Input.REVERSE_DNS,
    tested=lambda o: any(e.reverse is not None and e.reverse.status.known for e in o.endpoints),
)
def reverse_dns(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        if (reverse := endpoint.reverse) is not None and not reverse.confirmed_by:
            yield _unconfirmed(observation, endpoint, reverse)


def _unconfirmed(observation: Observation, endpoint: Endpoint, reverse: ReverseDns) -> Finding:
    evidence = _evidence(observation, endpoint, reverse)
    if not reverse.names:
        if reverse.status.known:
            missing = "NXDOMAIN" if reverse.status is DnsStatus.NXDOMAIN else "no PTR record"
            return MISSING.finding(
                endpoint.subject, f"{endpoint.address} has no PTR name ({missing}).", *evidence
            )
        return MISSING.finding(
            endpoint.subject,
            f"The PTR lookup for {endpoint.address} failed ({reverse.status}); it may have one.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.INFO,
            fix="Repeat the check; if it persists, look at the name servers of the address's reverse zone.",
        )
    names = listed(list(reverse.names))
    if reverse.unsettled:
        return MISMATCH.finding(
            endpoint.subject,
            f"The lookup of {names} failed; the name may lead back to {endpoint.address}.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.INFO,
            fix="Repeat the check; if it persists, look at the name servers of these names.",
        )
    return MISMATCH.finding(
        endpoint.subject, f"{endpoint.address} is named {names}, which does not lead back to it.", *evidence
    )


def _evidence(observation: Observation, endpoint: Endpoint, reverse: ReverseDns) -> tuple[Evidence, ...]:
    rdtype = "AAAA" if endpoint.family == 6 else "A"
    forward = [item for name in reverse.names for item in dns_evidence(observation, name, rdtype)]
    return (*dns_evidence(observation, ip_address(endpoint.address).reverse_pointer, "PTR"), *forward)
