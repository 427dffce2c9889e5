"""A result, from which reports are made: an observation with the findings and the status of its rules."""

from dataclasses import dataclass

from .observation import Observation
from .rules import Delivery, Finding, apply_rules, judge_delivery, status_of

__all__ = ["Result", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`status` is `ok`, `info`, `warning`, `critical` or `unknown`; findings come the worst first.

    `mail` says whether mail to the domain arrives.
    """

    observation: Observation
    findings: tuple[Finding, ...]
    status: str
    mail: Delivery


def evaluate(observation: Observation) -> Result:
    """Return the verdict of this version's rules on an observation, however old it is."""
    findings = apply_rules(observation)
    return Result(
        observation=observation,
        findings=findings,
        status=status_of(observation, findings),
        mail=judge_delivery(observation, findings),
    )
