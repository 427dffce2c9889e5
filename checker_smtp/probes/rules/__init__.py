"""The rules, found by the presence of their modules, and the verdict that they reach.

A module here without an underscore is one rule with its records; `CONTRIBUTING.md` says how to add one. Rules
of other distributions are entry points of the group `checker_smtp.rules`.
"""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.options import OptionError

from ._answers import client_refusal, own_answer
from ._finding import Acceptance, Code, Evidence, Finding, Outcome, Severity, Urgency, finding_id
from ._mail import MAIL_REASONS, Delivery, MailState, judge_delivery
from ._registry import Registry
from ._reproduction import (
    HoldSession,
    OpenPort,
    QueryDns,
    QueryReverse,
    ReadOctets,
    RepeatSession,
    RepeatTransactions,
    StartTlsHandshake,
)
from ._rule import AnyRuleOption, Input, RegistryError, Rule

__all__ = [
    "CODES",
    "MAIL_REASONS",
    "RULES",
    "Acceptance",
    "AnyRuleOption",
    "Code",
    "Delivery",
    "Evidence",
    "Finding",
    "HoldSession",
    "Input",
    "MailState",
    "OpenPort",
    "Outcome",
    "QueryDns",
    "QueryReverse",
    "ReadOctets",
    "RegistryError",
    "RepeatSession",
    "RepeatTransactions",
    "Rule",
    "Severity",
    "StartTlsHandshake",
    "Urgency",
    "add_extra",
    "apply_rules",
    "finding_id",
    "inputs_of",
    "judge_delivery",
    "load_rules",
    "purposes_of",
    "record_of",
    "require_rule_options",
    "rule_of",
    "status_of",
]

_registry = Registry()
RULES = _registry.rules
"""The rules by name, in the order of reports."""
CODES = _registry.codes
"""The records of the codes by name, in the order of their rules; those of other checkers are not listed."""
record_of = _registry.record_of
rule_of = _registry.rule_of
purposes_of = _registry.purposes_of
add_extra = _registry.add_extra


def load_rules() -> None:
    """Register the modules of this package that are not registered yet. Raises `RegistryError`."""
    _registry.load(__name__, __path__)


load_rules()


def apply_rules(observation: Observation, extra: Iterable[Rule] = ()) -> tuple[Finding, ...]:
    """Return the findings of the rules that the observation was made for, the worst first.

    `extra` are rules beside those that are registered. A null MX has the findings of one rule and no others.
    """
    _registry.register_waiting()
    applied = [rule for rule in (*RULES.values(), *extra) if rule.applies_to(observation)]
    findings = [finding for rule in applied for finding in rule.findings(observation)]
    return tuple(sorted(findings, key=lambda finding: -finding.severity.rank))


def require_rule_options(given: Iterable[str]) -> None:
    """Raise `OptionError` where one of `NAME=VALUE` names no option of a rule, or its value is invalid."""
    known = {option.name: option for rule in _registry.all() for option in rule.options}
    for entry in given:
        name, has_value, text = entry.partition("=")
        if name not in known or not has_value:
            names = ", ".join(sorted(known))
            hint = f"give NAME=VALUE, with one of {names}" if known else "no rule has options"
            raise OptionError("rule_options", f"{entry[:80]!r} is no option of a rule: {hint}")
        known[name].parse(text)


def inputs_of(names: Iterable[str] | None) -> Input:
    """Return the input of the rules of these names, None for all rules; an unknown rule counts as TLS."""
    if names is None:
        _registry.register_waiting()
        names = RULES
    rules = map(rule_of, names)
    return reduce(or_, (Input.TLS if rule is None else rule.needs for rule in rules), Input.DNS)


def status_of(observation: Observation, findings: tuple[Finding, ...]) -> str:
    """Return `ok`, `info`, `warning`, `critical`, or `unknown`.

    `findings` are those of `apply_rules`. Without a warning the status is unknown where recipients of the
    domain should have been asked for and none was accepted or refused for what it is.
    """
    worst = max((finding.severity.rank for finding in findings), default=-1)
    needs_answer = Input.SESSION in inputs_of(observation.rules) and not observation.mx.null_mx
    if worst < Severity.WARN.rank and needs_answer and not _is_answered(observation):
        return "unknown"
    return {-1: "ok", 0: "info", 1: "warning", 2: "critical"}[worst]


def _is_answered(observation: Observation) -> bool:
    """Return whether a server answered about the domain's own recipients; where none was wanted, at all."""
    settings = observation.settings
    if settings.test_null_sender or settings.test_postmaster:
        return any(own_answer(endpoint).is_settled for endpoint in observation.endpoints)
    return any(
        endpoint.ready_session is not None and client_refusal(endpoint) is None
        for endpoint in observation.endpoints
    )


# last, because such a module imports this package; one that is being imported is registered later
_registry.load_installed("checker_smtp.rules")
