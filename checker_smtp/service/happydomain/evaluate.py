"""`/evaluate`: evaluate a stored observation, and return the states of each rule.

Each enabled rule has at least one state: one for each finding; without a finding OK, or UNKNOWN if nothing
could be tested. A null MX (RFC 7505) has the one state of `smtp.null_mx`.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import RULES, Finding, Rule, Severity
from checker_smtp.probes.tls_checker import with_tls_checker
from checker_smtp.report.document import load_observation
from checker_smtp.report.visible import visible

from .collect import enabled_rules
from .definition import KEY
from .schemas import BodyError, EvaluateRequest, decode_or_none

__all__ = ["TLS_KEY", "evaluate"]

TLS_KEY = "tls_probes"
"""The key of the TLS checker's observations."""

_UNKNOWN, _OK = 0, 1
_STATUS = {Severity.INFO: 2, Severity.WARN: 3, Severity.CRIT: 4}
_MAX_TEXT = 2000


def evaluate(request: EvaluateRequest) -> dict[str, object]:
    """Return the states of the observation in `request`. Raises `BodyError` and `DocumentError`."""
    observations = request.observations or {}
    if KEY not in observations:
        keys = ", ".join(repr(key[:40]) for key in list(observations)[:5]) or "none"
        raise BodyError(f"the observation with the key {KEY!r} is missing: the body has {keys}")
    observation = load_observation(observations[KEY])
    if TLS_KEY in observations:
        related = [{"data": decode_or_none(observations[TLS_KEY])}]
        observation = with_tls_checker(observation, related)
    return {"states": list(_states(observation, enabled_rules(request.enabled_rules)))}


def _states(observation: Observation, enabled: frozenset[str] | None) -> Iterator[dict[str, object]]:
    for rule in RULES.values():
        if (enabled is None or rule.name in enabled) and rule.is_relevant_to(observation):
            yield from _rule_states(rule, observation)


def _rule_states(rule: Rule, observation: Observation) -> Iterator[dict[str, object]]:
    if observation.rules is not None and rule.name not in observation.rules:
        yield _state(_UNKNOWN, rule, "This was switched off when the observation was made.")
    elif findings := rule.findings(observation):
        yield from (_finding_state(finding, rule) for finding in findings)
    elif rule.tested(observation):
        yield _state(_OK, rule, "Nothing is wrong here.")
    elif rule.option and not getattr(observation.settings, rule.option):
        yield _state(_UNKNOWN, rule, f"This was switched off by the option {rule.option}.")
    else:
        yield _state(_UNKNOWN, rule, "Nothing could be tested here.")


def _finding_state(finding: Finding, rule: Rule) -> dict[str, object]:
    meta = {
        "id": finding.id,
        "outcome": str(finding.outcome),
        "reason": finding.reason,
        "words": finding.words,
        "fix": finding.fix,
        "reference": finding.reference,
    }
    state = _state(_STATUS[finding.severity], rule, visible(finding.message[:_MAX_TEXT]))
    state["code"] = visible(finding.code)
    if finding.subject:
        state["subject"] = visible(finding.subject)
    state["meta"] = {name: visible(text[:_MAX_TEXT]) for name, text in meta.items() if text}
    return state


def _state(status: int, rule: Rule, message: str) -> dict[str, object]:
    return {"status": status, "message": message, "rule": rule.name}
