"""Write a recorded check under pseudonyms, so that it can be attached to a report of a bug.

The verdict stays: the case is replayed before and after, and pseudonyms are drawn again where the findings
differ, because a rule may depend on the order or on the form of names.
"""

import secrets
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from checker_smtp.backends.recording.anonymize import anonymize
from checker_smtp.backends.recording.case import Case, CaseError, read_case, require_empty, write_case
from checker_smtp.backends.recording.player import ReplayMismatch
from checker_smtp.probes.result import Result

from .api import replay

__all__ = ["write_anonymous_case"]

_ATTEMPTS = 8


async def write_anonymous_case(folder: Path, target: Path) -> None:
    """Write the case in `folder` to the new or empty folder `target`, under pseudonyms.

    Raises `CaseError`, also where the verdict would change, and `ReplayMismatch` where `folder` does not
    replay.
    """
    require_empty(target)
    verdict = _verdict(await replay(folder))
    case = read_case(folder)
    for _ in range(_ATTEMPTS):
        anonymous = anonymize(case, secrets.token_bytes(16))
        result = await _replayed(anonymous)
        if result is not None and _verdict(result) == verdict:
            findings = sorted((finding.code, finding.subject) for finding in result.findings)
            write_case(target, replace(anonymous, expected=tuple(findings)))
            return
    raise CaseError(f"{folder} has other findings without its names: it cannot be made anonymous")


async def _replayed(case: Case) -> Result | None:
    with tempfile.TemporaryDirectory() as place:
        write_case(Path(place) / "case", case)
        try:
            return await replay(Path(place) / "case")
        except ReplayMismatch:
            return None


def _verdict(result: Result) -> tuple[object, ...]:
    """Return what must not change: everything but names, addresses and words."""
    findings = Counter((one.code, one.severity, one.outcome) for one in result.findings)
    return result.status, result.mail.state, result.mail.reason, findings
