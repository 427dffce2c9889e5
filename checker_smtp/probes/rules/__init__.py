"""The sixteen rules, in the order in which they are told, and the verdict they come to."""

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.requirements import Scope

from ._finding import Code, Evidence, Finding, Outcome, Rule, Severity
from ._pairs import common_refusal
from .auth_posture import auth_posture
from .banner_sanity import banner_sanity
from .ehlo_supported import ehlo_supported
from .endpoint_reachable import endpoint_reachable
from .extension_posture import extension_posture
from .ipv6_reachable import ipv6_reachable
from .mx_present import mx_present
from .mx_sanity import mx_sanity
from .null_mx import null_mx
from .null_sender import null_sender
from .open_relay import open_relay
from .postmaster import postmaster
from .reverse_dns import reverse_dns
from .starttls_handshake import starttls_handshake
from .starttls_offered import starttls_offered
from .tls_quality import tls_quality

__all__ = [
    "CODES",
    "RULES",
    "Code",
    "Evidence",
    "Finding",
    "Outcome",
    "Rule",
    "Severity",
    "apply_rules",
    "status_of",
]

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        null_mx,
        mx_present,
        mx_sanity,
        endpoint_reachable,
        banner_sanity,
        ehlo_supported,
        starttls_offered,
        starttls_handshake,
        auth_posture,
        reverse_dns,
        null_sender,
        postmaster,
        open_relay,
        extension_posture,
        ipv6_reachable,
        tls_quality,
    )
}
CODES: dict[str, Code] = {code.code: code for rule in RULES.values() for code in rule.codes}


def apply_rules(observation: Observation) -> tuple[Finding, ...]:
    """Every finding of every rule, the worst first; a null MX has its one finding and nothing else.

    An observation that was made for some rules is judged by these alone.
    """
    rules = [RULES["smtp.null_mx"]] if observation.mx.null_mx else list(RULES.values())
    if (wanted := observation.rules) is not None:
        rules = [rule for rule in rules if rule.name in wanted]
    found = [finding for rule in rules for finding in rule.findings(observation)]
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))


def status_of(observation: Observation, findings: tuple[Finding, ...]) -> str:
    """`ok`, `info`, `warning`, `critical`, or `unknown`: nothing bad found because nobody answered."""
    worst = max((finding.severity.rank for finding in findings), default=-1)
    visited = Scope.of(None if observation.rules is None else frozenset(observation.rules)).visit
    if worst < Severity.WARN.rank and visited and not observation.mx.null_mx and not _answered(observation):
        return "unknown"
    return {-1: "ok", 0: "info", 1: "warning", 2: "critical"}[worst]


def _answered(observation: Observation) -> bool:
    """Whether any server talked to us as it would to others."""
    return any(e.ready_session is not None and common_refusal(e) is None for e in observation.endpoints)
