"""A result, from which reports are made: an observation with the findings and the status of its rules."""

from collections.abc import Collection
from dataclasses import dataclass

from .observation import Observation
from .rules import (
    Acceptance,
    Delivery,
    Finding,
    Rule,
    add_extra,
    apply_rules,
    judge_delivery,
    status_of,
)

__all__ = ["Result", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`status` is `ok`, `info`, `warning`, `critical` or `unknown`; findings come the worst first,
    accepted ones after the others. `mail` says whether mail to the domain arrives.

    `unused_acceptances` are those for this domain that are over, or match no finding.
    """

    observation: Observation
    findings: tuple[Finding, ...]
    status: str
    mail: Delivery
    unused_acceptances: tuple[Acceptance, ...] = ()


def evaluate(observation: Observation, extra_rules: Collection[Rule] = ()) -> Result:
    """Return the verdict of this version's rules on an observation, however old it is.

    `extra_rules` are applied as well. Raises `RegistryError` where the name or a code of one is taken.
    """
    add_extra(extra_rules)
    findings = apply_rules(observation, extra_rules)
    return Result(
        observation=observation,
        findings=findings,
        status=status_of(observation, findings),
        mail=judge_delivery(observation, findings),
    )
