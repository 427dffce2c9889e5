"""Every endpoint accepts a TCP connection, as far as this machine can establish it (see `_reach`)."""

from collections.abc import Iterator

from checker_smtp.probes.observation import Control, Endpoint, Observation
from checker_smtp.probes.selftest import AMBIGUOUS

from ._finding import Code, Evidence, Finding, Outcome, Severity, Urgency
from ._reach import blamed, unreached
from ._reading import end_evidence, listed
from ._reproduction import OpenPort
from ._rule import Input, rule
from ._shared import LONGER_CHECK, NOT_TESTED

UNREACHABLE = Code(
    "smtp.tcp.unreachable",
    Severity.WARN,
    title="One of the addresses that receive mail accepted no connection",
    why="Senders that try this address first wait for it before they try the next; mail is delayed.",
    fix="Start the mail server on this address, open the port in the firewall, or remove the address "
    "from DNS.",
    reference="RFC 5321 §5.1",
    reproduce=OpenPort(),
    badge="Unreachable",
    advice="unreachable",
)
ALL_UNREACHABLE = Code(
    "smtp.all_unreachable",
    Severity.CRIT,
    title="No mail server that could be tested accepted a connection",
    why="Mail is queued at the senders and returned after some days.",
    fix="Start the mail server, and let the port through the firewall from everywhere.",
    reference="RFC 5321 §4.5.4.1, §5.1",
    reproduce=OpenPort(),
    urgency=Urgency.STOPS_MAIL,
    badge="Unreachable",
    advice="unreachable",
)

# The address of a domain without an MX record is often that of its web server.
_IMPLICIT_FIX = (
    "If the domain receives no mail, publish the null MX `MX 0 .`. Otherwise publish an MX record that names "
    "its mail server, and let that server accept connections from everywhere."
)
# The limits of the whole check; that of one endpoint (`budget`) is its own.
_LIMITS = ("check-budget", "evidence")
_FORBIDDEN = "not-permitted"
# Control hosts without an address that are named.
_MAX_LISTED = 5
_WORDS = {
    "refused": "refused the connection",
    "reset": "reset the connection",
    "closed": "closed the connection",
    "timeout": "did not answer",
    "host-unreachable": "is reported unreachable",
}


@rule(
    "smtp.endpoint_reachable",
    Severity.CRIT,
    "Checks that every address of every MX target accepts TCP connections.",
    order=40,
    codes=(UNREACHABLE, ALL_UNREACHABLE, NOT_TESTED),
    needs=Input.SESSION,
    tested=lambda o: any(e.connected for e in o.endpoints) or bool(blamed(o)[0]),
)
def endpoint_reachable(observation: Observation) -> Iterator[Finding]:
    theirs, ours = blamed(observation)
    if theirs and not any(endpoint.connected for endpoint in observation.endpoints):
        failures = listed([f"{endpoint.subject} {_failure(endpoint)}" for endpoint in theirs])
        none = "No endpoint that could be tested" if ours or observation.skipped else "No endpoint"
        evidence = [item for endpoint in theirs for item in _evidence(endpoint)]
        fix = _IMPLICIT_FIX if observation.mx.implicit_mx else ""
        yield ALL_UNREACHABLE.finding("", f"{none} accepts connections: {failures}.", *evidence, fix=fix)
    else:
        for endpoint in theirs:
            yield UNREACHABLE.finding(
                endpoint.subject, f"This address {_failure(endpoint)}.", *_evidence(endpoint)
            )
    limited = [e for e in ours if (end := unreached(e)) is not None and end.kind in _LIMITS]
    if limited:
        yield _limited(limited)
    excluded = [endpoint for endpoint in ours if _is_excluded(endpoint)]
    if excluded:
        yield _limited(excluded)
    reported = {endpoint.subject for endpoint in (*limited, *excluded)}
    for family in (4, 6):
        if untested := [e for e in ours if e.family == family and e.subject not in reported]:
            yield _not_tested(family, untested, observation.controls)
    if observation.skipped:
        total = len(observation.endpoints) + len(observation.skipped)
        yield NOT_TESTED.finding(
            "",
            f"The domain has {total} endpoints. Tested: the first {total - len(observation.skipped)}, in the "
            f"order in which senders try them. Not tested: {listed(list(observation.skipped))}.",
            outcome=Outcome.NOT_TESTED,
        )


def _is_excluded(endpoint: Endpoint) -> bool:
    """Return whether the address was deliberately not contacted: such a session has no transcript."""
    end = unreached(endpoint)
    return end is not None and end.kind == _FORBIDDEN and bool(end.detail) and not endpoint.main.transcript


def _limited(untested: list[Endpoint]) -> Finding:
    """Return the finding on endpoints that were not reached: a limit of the check, or an exclusion."""
    limits = {end.kind: end for endpoint in untested if (end := unreached(endpoint)) is not None}
    return NOT_TESTED.finding(
        "",
        f"Not tested: {listed([endpoint.subject for endpoint in untested])}; "
        f"{listed([end.words for end in limits.values()])}.",
        *(item for endpoint in untested for item in _evidence(endpoint)),
        outcome=Outcome.NOT_TESTED,
        fix=LONGER_CHECK if "check-budget" in limits else "",
    )


def _not_tested(family: int, untested: list[Endpoint], controls: tuple[Control, ...]) -> Finding:
    tried = [control.host for control in controls if control.address and control.family == family]
    missing = [f" The control host {c.host} was not tried: {c.outcome}." for c in controls if not c.address]
    names = listed([endpoint.subject for endpoint in untested])
    ends = [end for endpoint in untested if (end := unreached(endpoint)) is not None]
    evidence = [item for endpoint in untested for item in _evidence(endpoint)]
    port = untested[0].port
    if any(end.kind in AMBIGUOUS for end in ends):
        message = f"Nothing answered over IPv{family} ({names}). " + (
            f"Nor did {listed(tried)}: port {port} is probably blocked on this side."
            if tried
            else f"Port {port} may be blocked on this side, as home, office and cloud networks often do, or "
            "the server does not answer."
        )
        message += "".join(missing[:_MAX_LISTED])
        fix = (
            "Run the check where outgoing mail is allowed; `checker-smtp vantage --control HOST` tests "
            f"whether a machine can connect to port {port} of other networks."
        )
    else:
        message = (
            f"This machine cannot connect over IPv{family} ({ends[0].kind}), so {names} could not be tested."
        )
        fix = f"Run the check from a machine with IPv{family}."
        if any(end.kind == _FORBIDDEN for end in ends):
            fix = (
                f"Let this machine's firewall or sandbox allow connections to port {port}, or run the check "
                "from another machine."
            )
    return NOT_TESTED.finding("", message, *evidence, outcome=Outcome.NOT_TESTED, fix=fix)


def _failure(endpoint: Endpoint) -> str:
    end = unreached(endpoint)
    return "" if end is None else _WORDS.get(end.kind, end.kind)


def _evidence(endpoint: Endpoint) -> tuple[Evidence, ...]:
    end = unreached(endpoint)
    return () if end is None else end_evidence(endpoint, endpoint.main, end)
