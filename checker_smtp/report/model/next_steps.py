"""Options of the command line that may settle a question which the check left open."""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.retry import is_deferred
from checker_smtp.probes.rules import Finding, Outcome, rule_of

__all__ = ["next_steps"]

# The seconds that a client has to wait for a greeting (RFC 5321 §4.5.3.2.1).
_RFC_TIMEOUT = 300
# Seconds: several times what a check takes whose servers are slow.
_LONG_CHECK = 600
# Reasons of a refusal that the EHLO name may be behind; version 1 documents have none.
_ABOUT_NAME = ("", "helo", "ptr", "policy", "unclear")


def next_steps(
    finding: Finding, endpoint: Endpoint | None, observation: Observation, *, shown: str
) -> tuple[str, ...]:
    """Return a sentence for each option that may settle the finding, at `endpoint`.

    Options that the finding's own fix names, or the text `shown` beside it, are left out.
    """
    return tuple(
        f"With `{option}` {effect}."
        for option, effect in _options(finding, endpoint, observation)
        if option.split()[0] not in f"{finding.fix} {shown}"
    )


def _options(
    finding: Finding, endpoint: Endpoint | None, observation: Observation
) -> Iterator[tuple[str, str]]:
    """Yield each option with its effect."""
    outcome, settings = finding.outcome, observation.settings
    if outcome is Outcome.REFUSED_US:
        if finding.reason in _ABOUT_NAME:
            yield "--helo-name", "the check gives a name of yours; let it resolve to the address in use"
        return
    if outcome not in (Outcome.TRANSIENT, Outcome.NOT_TESTED) or endpoint is None:
        return
    if _has_ended(endpoint, "check-budget"):
        yield f"--check-budget {_LONG_CHECK}", "the whole check has more time"
    if settings.timeout < _RFC_TIMEOUT and _has_ended(endpoint, "timeout", "budget"):
        yield f"--timeout {_RFC_TIMEOUT}", "the check waits as long as RFC 5321 §4.5.3.2 asks of a sender"
    is_retried = any(session.purpose == "revisit" for session in endpoint.sessions)
    if outcome is Outcome.TRANSIENT and not is_retried and is_deferred(endpoint.sessions):
        yield "--retry-deferred 5", "the check asks a second time after five minutes"
    rule = rule_of(finding.rule)
    if outcome is Outcome.NOT_TESTED and rule is not None and rule.option == "test_open_relay":
        yield "--probe-address", "relaying is tested with an address of yours at another server"


def _has_ended(endpoint: Endpoint, *kinds: str) -> bool:
    """Return whether a session with the endpoint ended in one of these ways."""
    return any(session.end is not None and session.end.kind in kinds for session in endpoint.sessions)
