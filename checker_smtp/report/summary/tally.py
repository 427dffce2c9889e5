"""What is counted over all lines of a scan: domains, in buckets of which there are never too many.

A domain counts once in each bucket that applies to any of its servers. Where every domain is in exactly one
bucket (status, IPv6, why it was not checked) the counts add up; elsewhere they need not.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from checker_smtp.probes.rules import Severity
from checker_smtp.report.software import recognise_replies

from .counters import Bucket, Frequent, Slowest
from .line import LineEndpoint, LineError, LineObservation, ResultLine, read_line
from .providers import provider_of

__all__ = ["IPv6", "Tally"]

# Broken lines that are told one by one, and the longest sample of a name that may be anything.
_BROKEN_SAMPLES = 3
_MAX_NAME = 100
_MAX_REASON = 200


class IPv6(StrEnum):
    """How far the mail of a domain has come with IPv6."""

    REACHED = "reached"
    UNREACHED = "unreached"
    UNTESTABLE = "untestable"
    NONE = "none"
    NOWHERE = "nowhere"
    NOT_ASKED = "not asked"


@dataclass(slots=True)
class Tally:
    """Filled by `add`, one line at a time, in any order.

    `unchecked` are the names that were not checked. `sessions` are those that the lines tell, each with every
    domain that shared it: how many connections there were is not in the lines. `broken_samples` are the first
    lines that could not be read: number, reason. `unanswered` are domains none of whose servers accepted EHLO
    or HELO; `without_tls` and `unrecognised` those with a server that did, and without TLS or without saying
    what it is.
    """

    checked: int = 0
    unchecked: int = 0
    sessions: int = 0
    first_run: datetime | None = None
    last_run: datetime | None = None
    lines: int = 0
    broken: int = 0
    broken_samples: list[tuple[int, str]] = field(default_factory=list)
    half_written: bool = False
    reasons: Frequent = field(default_factory=Frequent)
    statuses: Frequent = field(default_factory=Frequent)
    codes: dict[Severity, Frequent] = field(default_factory=lambda: {s: Frequent() for s in Severity})
    tls: Frequent = field(default_factory=Frequent)
    without_tls: Bucket = field(default_factory=Bucket)
    unanswered: Bucket = field(default_factory=Bucket)
    software: Frequent = field(default_factory=Frequent)
    unrecognised: Bucket = field(default_factory=Bucket)
    providers: Frequent = field(default_factory=Frequent)
    ipv6: Frequent = field(default_factory=Frequent)
    slowest: Slowest = field(default_factory=Slowest)

    def add(self, text: bytes) -> None:
        """Count one line, given with its line end; one that cannot be read is counted as such."""
        self.lines += 1
        if text.isspace():
            return
        try:
            line = read_line(text)
        except LineError as error:
            self._cannot_read(text, str(error))
            return
        if line.observation is None:
            given, reason = line.domain[:_MAX_NAME], line.reason[:_MAX_REASON]
            self.unchecked += 1
            self.reasons.add(line.not_checked, f"{given}: {reason}" if reason else given)
        else:
            self._count(line, line.observation)

    def _cannot_read(self, text: bytes, why: str) -> None:
        if not text.endswith(b"\n"):
            self.half_written = True
            return
        self.broken += 1
        if len(self.broken_samples) < _BROKEN_SAMPLES:
            self.broken_samples.append((self.lines, why[:_MAX_REASON]))

    def _count(self, line: ResultLine, seen: LineObservation) -> None:
        domain = seen.domain
        self.checked += 1
        self.sessions += sum(len(endpoint.sessions) for endpoint in seen.endpoints)
        self._note_time(seen.run_at)
        self.statuses.add(line.status, domain)
        for severity, code in {(finding.severity, finding.code) for finding in line.findings}:
            self.codes[severity].add(code, domain)
        for provider in {provider_of(record.target) for record in seen.mx.records}:
            self.providers.add(provider, domain)
        self.ipv6.add(_ipv6(seen), domain)
        self._count_servers(seen)

    def _count_servers(self, seen: LineObservation) -> None:
        domain = seen.domain
        ready = [endpoint for endpoint in seen.endpoints if endpoint.accepted_hello]
        if not ready:
            self.unanswered.add(domain)
        versions = {endpoint.tls for endpoint in ready}
        for version in versions - {""}:
            self.tls.add(version, domain)
        if "" in versions:
            self.without_tls.add(domain)
        programs = {_software(endpoint) for endpoint in ready}
        for program in programs - {""}:
            self.software.add(program, domain)
        if "" in programs:
            self.unrecognised.add(domain)
        for endpoint in seen.endpoints:
            took = endpoint.greeting_took
            if took is not None:
                target = endpoint.targets[0] if endpoint.targets else ""
                self.slowest.add(endpoint.address, endpoint.port, target, took, domain)

    def _note_time(self, run_at: str) -> None:
        try:
            moment = datetime.fromisoformat(run_at)
            if moment.tzinfo is None:
                return
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return
        self.first_run = min(self.first_run or moment, moment)
        self.last_run = max(self.last_run or moment, moment)


def _software(endpoint: LineEndpoint) -> str:
    """As `report.software.recognise` has it."""
    found = recognise_replies(
        (s.greeting for s in endpoint.sessions if s.greeting is not None),
        (reply for s in endpoint.sessions for reply in s.hellos),
        (reply for s in endpoint.sessions for reply in s.others),
    )
    return found.software if found is not None else ""


def _ipv6(seen: LineObservation) -> IPv6:
    covered, records = seen.coverage.ipv6, seen.mx.records
    if not seen.settings.ipv6:
        return IPv6.NOT_ASKED
    if covered.connected:
        return IPv6.REACHED
    if covered.published and covered.published == covered.untestable:
        return IPv6.UNTESTABLE
    if any(record.ipv6 for record in records):
        return IPv6.UNREACHED
    return IPv6.NONE if any(record.ipv4 for record in records) else IPv6.NOWHERE
