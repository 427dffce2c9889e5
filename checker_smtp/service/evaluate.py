"""`/evaluate`: the verdict on a stored observation, rule by rule, in the host's words.

Each rule that is on has at least one state: its findings, or else that all is well, or that nothing could be
tested. A null MX has its one state and nothing else.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import RULES, Finding, Rule, Severity
from checker_smtp.probes.tls_checker import with_tls_checker
from checker_smtp.report.document import DocumentError, load_observation
from checker_smtp.report.visible import visible

from .collect import enabled
from .definition import KEY
from .schemas import BodyError, Evaluate, foreign

__all__ = ["TLS_KEY", "evaluate", "observation_of"]

TLS_KEY = "tls_probes"
"""The key of what the TLS checker observes."""

_UNKNOWN, _OK = 0, 1
_STATUS = {Severity.INFO: 2, Severity.WARN: 3, Severity.CRIT: 4}
_MAX_TEXT = 2000
# the options that switch a rule's question off
_OPTION = {
    "smtp.null_sender": "test_null_sender",
    "smtp.postmaster": "test_postmaster",
    "smtp.open_relay": "test_open_relay",
}


def evaluate(asked: Evaluate) -> dict[str, object]:
    """The answer to `asked`. Raises `BodyError`."""
    observations = asked.observations or {}
    if KEY not in observations:
        told = ", ".join(repr(key[:40]) for key in list(observations)[:5]) or "none"
        raise BodyError(f"there is no observation of the key {KEY!r}: the body has {told}")
    observation = observation_of(observations[KEY])
    if TLS_KEY in observations:
        related = [{"data": foreign(observations[TLS_KEY])}]
        observation = with_tls_checker(observation, related)
    return {"states": list(_states(observation, enabled(asked.enabled_rules)))}


def observation_of(data: bytes) -> Observation:
    """A stored observation, whenever it was made. Raises `BodyError`."""
    try:
        return load_observation(data)
    except DocumentError as error:
        raise BodyError(str(error)) from None


def _states(observation: Observation, on: frozenset[str] | None) -> Iterator[dict[str, object]]:
    null = observation.mx.null_mx
    for rule in RULES.values():
        if (on is None or rule.name in on) and (not null or rule.name == "smtp.null_mx"):
            yield from _told(rule, observation)


def _told(rule: Rule, observation: Observation) -> Iterator[dict[str, object]]:
    made_for = observation.rules
    if made_for is not None and rule.name not in made_for:
        yield _state(_UNKNOWN, rule, "This was switched off when the observation was made.")
    elif found := rule.findings(observation):
        yield from (_finding(finding, rule) for finding in found)
    elif rule.tested(observation):
        yield _state(_OK, rule, "Nothing is wrong here.")
    elif (option := _OPTION.get(rule.name)) and not getattr(observation.settings, option):
        yield _state(_UNKNOWN, rule, f"This was switched off by the option {option}.")
    else:
        yield _state(_UNKNOWN, rule, "Nothing could be tested here.")


def _finding(finding: Finding, rule: Rule) -> dict[str, object]:
    told = {"outcome": str(finding.outcome), "fix": finding.fix, "reference": finding.reference}
    state = _state(_STATUS[finding.severity], rule, visible(finding.message[:_MAX_TEXT]))
    state["code"] = visible(finding.code)
    if finding.subject:
        state["subject"] = visible(finding.subject)
    state["meta"] = {name: visible(text[:_MAX_TEXT]) for name, text in told.items() if text}
    return state


def _state(status: int, rule: Rule, message: str) -> dict[str, object]:
    return {"status": status, "message": message, "rule": rule.name}
