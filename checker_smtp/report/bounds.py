"""The bounds of a document: those of the check that makes one.

A document may come from anyone, and what is done with it grows with its lists: an endpoint is compared with
the MX targets, a finding with the DNS answers. So a document with more than a check can have is refused.
"""

from collections.abc import Iterator, Sized

from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.dns import MAX_PTR_NAMES, MAX_TARGETS
from checker_smtp.probes.observation import Endpoint, Mx, Observation
from checker_smtp.probes.rules import Finding
from checker_smtp.probes.tls_checker import MAX_ISSUES

__all__ = ["MAX_FINDINGS", "MAX_SESSIONS", "excess_findings", "excess_parts"]

MAX_FINDINGS = 4000
"""More than if every rule finds fault with every endpoint, and the TLS checker all that it may."""
MAX_SESSIONS = 32
"""Sessions of one endpoint: a dozen with every fallback and follow-up, and as many of a retry."""
# two for each MX target and name of an address, and for each address
_MAX_ANSWERS = 2000
# a chain ends after 16
_MAX_ALIASES = 20
# questions of one session
_MAX_TRANSACTIONS = 32
# those in two answers of the DNS
_MAX_ADDRESSES = 2000


def excess_findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield a sentence if there are more findings than a check can have."""
    yield from _excess("findings", findings, MAX_FINDINGS)


def excess_parts(observation: Observation) -> Iterator[str]:
    """Yield a sentence for each list of the observation that is longer than in a check."""
    yield from _excess("endpoints", observation.endpoints, MAX_ENDPOINTS)
    yield from _excess("DNS answers", observation.dns, _MAX_ANSWERS)
    yield from _of_mx(observation.mx)
    for endpoint in observation.endpoints:
        yield from _of_endpoint(endpoint)
    yield from _excess("results of the TLS checker", observation.tls_probes, MAX_TARGETS)
    issues = [issue for probe in observation.tls_probes for issue in probe.issues]
    yield from _excess("issues of the TLS checker", issues, MAX_ISSUES)


def _of_mx(mx: Mx) -> Iterator[str]:
    yield from _excess("MX targets", mx.records, MAX_TARGETS)
    yield from _excess("aliases", mx.aliases, _MAX_ALIASES)
    for record in mx.records:
        yield from _excess("aliases", record.aliases, _MAX_ALIASES)
        for addresses in (record.ipv4, record.ipv6, record.not_public, record.translated):
            yield from _excess("addresses", addresses, _MAX_ADDRESSES)


def _of_endpoint(endpoint: Endpoint) -> Iterator[str]:
    yield from _excess("names of an endpoint", endpoint.targets, MAX_TARGETS)
    yield from _excess("sessions of an endpoint", endpoint.sessions, MAX_SESSIONS)
    for session in endpoint.sessions:
        yield from _excess("transactions of a session", session.transactions, _MAX_TRANSACTIONS)
    if endpoint.reverse is not None:
        for names in (endpoint.reverse.names, endpoint.reverse.confirmed_by, endpoint.reverse.unsettled):
            yield from _excess("names of an address", names, MAX_PTR_NAMES)


def _excess(what: str, items: Sized, most: int) -> Iterator[str]:
    if len(items) > most:
        yield f"it has {len(items)} {what}, and a check has at most {most}"
