"""An observation with the verdict on it: what reports are made from."""

from dataclasses import dataclass

from .observation import Observation
from .rules import Finding, apply_rules, status_of

__all__ = ["Result", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`status` is `ok`, `info`, `warning`, `critical` or `unknown`; findings come the worst first."""

    observation: Observation
    findings: tuple[Finding, ...]
    status: str


def evaluate(observation: Observation) -> Result:
    """The verdict of today's rules on an observation, whenever it was made."""
    findings = apply_rules(observation)
    return Result(observation=observation, findings=findings, status=status_of(observation, findings))
