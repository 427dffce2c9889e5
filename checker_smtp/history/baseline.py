"""The comparison of each kept check with the one before.

A finding that a check could not test again is neither gone nor new, and is carried to the next check that can
test it. Without that, a server that is silent for a day would have all its old faults as new ones.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from checker_smtp.probes.policy import evaluate_again
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, status_of
from checker_smtp.report.diff.compare import Difference, compare

__all__ = ["MAX_EARLIER", "compare_each"]

MAX_EARLIER = 14
"""The earlier checks that are read to find the faults which the last ones could not test again."""


def compare_each(results: Iterable[Result]) -> Iterator[Difference | None]:
    """Yield the difference of each result to the one before, None for the first one.

    `results` are of one domain and in order. They are evaluated by the current rules, so that a change of the
    rules is no change of the domain; the decisions of the operator are those of their time. A finding that is
    not tested again is in the first difference that says so, and not in the next ones.
    """
    before: Result | None = None
    carried: tuple[Finding, ...] = ()
    for kept in results:
        result = evaluate_again(kept)
        if before is None:
            yield None
        else:
            difference = compare(_with_carried(before, carried), result)
            known, carried = carried, difference.unsettled
            unsettled = tuple(finding for finding in carried if finding not in known)
            yield replace(difference, old_status=before.status, unsettled=unsettled)
        before = result


def _with_carried(before: Result, carried: tuple[Finding, ...]) -> Result:
    """Return the result as if it had found the carried findings itself."""
    findings = (*before.findings, *carried)
    counted = tuple(finding for finding in findings if finding.acceptance is None)
    return replace(before, findings=findings, status=status_of(before.observation, counted))
