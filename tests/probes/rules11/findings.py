"""The findings on the one server that these tests have."""

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import Finding, apply_rules
from tests.probes.observations import HERE, finding_lines


def lines(seen: Observation) -> list[str]:
    """Return each finding as `code severity outcome`, with its subject where that is not the server."""
    return [line.removesuffix(f" {HERE}") for line in finding_lines(seen)]


def of(code: str, seen: Observation) -> Finding:
    """Return the finding with this code."""
    (finding,) = (f for f in apply_rules(seen) if f.code == f"smtp.{code}")
    return finding
