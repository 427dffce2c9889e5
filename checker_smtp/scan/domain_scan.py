"""The state of one domain between the list and its result line."""

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from checker_smtp.probes.check import ResolvedDomain, server_name
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.options import Options

__all__ = ["DomainScan", "bug_report"]

_MAX_ERROR = 200


@dataclass(slots=True, eq=False, kw_only=True)
class DomainScan:
    """A domain on its way through the stages of a scan.

    `number` is its place in the list, `started_at` the time of its first lookup (seconds, the loop's clock).
    `sessions` holds those of each address, until no address is `pending`; `asked` are the addresses that were
    or are asked, and `alone` those that are to be asked about this domain alone. `evidence` is what the
    sessions take of the scan's budget, in octets, `dns_evidence` the part of the answers. A domain without a
    result has `not_checked`, the reason in a word, and `reason` in a sentence. One that the list skips
    (`bad-name`, `stop-list`) has both from there, and the name is as given if it is invalid.
    """

    number: int
    name: str
    not_checked: str = ""
    reason: str = ""
    resolved: ResolvedDomain | None = None
    run_at: str = ""
    started_at: float = 0.0
    pending: int = 0
    sessions: dict[str, tuple[Session, ...]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    evidence: int = 0
    dns_evidence: EvidenceBudget | None = None

    @property
    def options(self) -> Options:
        """The options of its check, once it is resolved."""
        assert self.resolved is not None  # noqa: S101 - only such a domain has servers to ask
        return self.resolved.options

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self.resolved.endpoints if self.resolved is not None else ()

    def mx_host(self, address: str) -> str:
        """Return the name of the domain's MX host at this address; empty where it is no host name."""
        return next(server_name(e) for e in self.endpoints if e.address == address)

    def fail(self, error: Exception) -> None:
        """Note that a bug of this program is the reason why the domain has no result."""
        self.not_checked, self.reason = "error", bug_report(error)


def bug_report(error: Exception) -> str:
    """Return a request to report `error` as a bug of this program, with the line that raised it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    *_, frame = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    description = "".join(traceback.format_exception_only(error)).strip()[:_MAX_ERROR]
    return f"a bug in checker-smtp, please report it: {description} ({where})"
