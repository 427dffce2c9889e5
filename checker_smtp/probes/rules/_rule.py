"""Rules: pure functions from an observation to findings, each with a decorator that says all about it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Flag
from math import isfinite
from typing import Generic, Literal, TypeAlias, TypeVar

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.options import OptionError

from ._finding import Code, Finding, Severity, finding_id

__all__ = ["AnyRuleOption", "Evaluation", "Input", "RegistryError", "Rule", "RuleOption", "Switch", "rule"]

Evaluation: TypeAlias = Callable[[Observation], Iterator[Finding]]
Switch: TypeAlias = Literal["", "test_null_sender", "test_postmaster", "test_open_relay"]
"""An option of `Options`, and field of `Settings`, that switches a rule's question off."""


class RegistryError(Exception):
    """A rule breaks the contract of the registry; the message is one sentence that says what to do."""


class Input(Flag):
    """The parts of an observation that a rule reads, so that a check for some rules leaves out the others.

    MX records and addresses (`DNS`) are always there. TLS takes a session.
    """

    DNS = 1
    REVERSE_DNS = 2
    SESSION = 4
    TLS = 8 | SESSION


_V = TypeVar("_V", bool, float, str)
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class RuleOption(Generic[_V]):
    """An option of a rule, set by `NAME=VALUE` in `Options.rule_options`; its type is that of the default.

    `name` begins with the name of the rule and a period.
    """

    name: str
    default: _V
    description: str

    def value(self, observation: Observation) -> _V:
        """Return the value that the observation was made with, or the default."""
        for entry in reversed(observation.settings.rule_options):
            name, _, text = entry.partition("=")
            if name == self.name:
                return self.parse(text)
        return self.default

    def parse(self, text: str) -> _V:
        """Return `text` as a value. Raises `OptionError`."""
        if isinstance(self.default, str):
            return text
        with suppress(KeyError, ValueError):
            value = (
                _BOOLS[text.strip().lower()] if isinstance(self.default, bool) else type(self.default)(text)
            )
            if isfinite(value):
                return value
        kind = "true or false" if isinstance(self.default, bool) else "a number"
        raise OptionError("rule_options", f"{self.name} is {text[:80]!r}: give {kind}")


AnyRuleOption: TypeAlias = RuleOption[bool] | RuleOption[float] | RuleOption[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `rule` documents the fields."""

    name: str
    severity: Severity
    description: str
    order: int
    codes: tuple[Code, ...]
    foreign: tuple[Code, ...]
    needs: Input
    option: Switch
    reads_null_mx: bool
    tested: Callable[[Observation], bool]
    evaluate: Evaluation
    options: tuple[AnyRuleOption, ...] = ()

    def is_relevant_to(self, observation: Observation) -> bool:
        """Return False of a null MX, unless this is the rule that evaluates it."""
        return self.reads_null_mx or not observation.mx.null_mx

    def applies_to(self, observation: Observation) -> bool:
        """Return whether the rule is relevant, and among those that the observation was made for."""
        is_chosen = observation.rules is None or self.name in observation.rules
        return is_chosen and self.is_relevant_to(observation)

    def findings(self, observation: Observation) -> tuple[Finding, ...]:
        """Return the findings of this rule, each signed with its name.

        Raises `RegistryError` where one has a code that the rule does not declare. An exception gets a note
        with the name of the rule, which may be that of another package.
        """
        try:
            return tuple(self._signed(finding, observation.domain) for finding in self.evaluate(observation))
        except Exception as error:
            error.add_note(f"raised by the rule {self.name} of the module {self.evaluate.__module__}")
            raise

    def _signed(self, finding: Finding, domain: str) -> Finding:
        declared = any(finding.code == code.code for code in self.codes)
        if not declared and not any(finding.code.startswith(code.code) for code in self.foreign):
            raise RegistryError(
                f"the rule {self.name} found {finding.code}, which it does not declare: "
                "add the Code to codes=(…) of its decorator"
            )
        return replace(finding, rule=self.name, id=finding_id(domain, finding.code, finding.subject))


def rule(
    name: str,
    severity: Severity,
    description: str,
    *,
    order: int,
    codes: tuple[Code, ...],
    needs: Input,
    tested: Callable[[Observation], bool],
    option: Switch = "",
    foreign: tuple[Code, ...] = (),
    reads_null_mx: bool = False,
    options: tuple[AnyRuleOption, ...] = (),
) -> Callable[[Evaluation], Rule]:
    """Make a rule of the decorated function.

    `severity` is the highest of its findings, `description` one sentence, `order` its position.
    `codes` are all that it may find, `foreign` those that it takes over from other checkers.
    `tested` returns True where the observation holds an answer, so that no finding means that all is well.
    `option` switches its question off, `options` are its own. `reads_null_mx` is for the rule that evaluates
    null MX records.
    """

    def make(evaluate: Evaluation) -> Rule:
        return Rule(
            name=name,
            severity=severity,
            description=description,
            order=order,
            codes=codes,
            foreign=foreign,
            needs=needs,
            option=option,
            reads_null_mx=reads_null_mx,
            tested=tested,
            evaluate=evaluate,
            options=options,
        )

    return make
