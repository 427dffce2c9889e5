"""The counts over all lines of a scan: domains, in a bounded number of buckets.

A domain counts once in each bucket that applies to any of its servers. Where every domain is in exactly one
bucket (status, IPv6, why it was not checked) the counts add up; elsewhere they need not.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.probes.rules import Severity
from checker_smtp.report.advice.software import recognise_replies

from .counters import Bucket, Frequent, Slowest
from .line import LineEndpoint, LineError, LineObservation, ResultLine, read_line

__all__ = ["IPv6", "Tally"]

# Broken lines that are shown, and characters of an invalid name and of a reason that are shown.
_BROKEN_SAMPLES = 3
_MAX_NAME = 100
_MAX_REASON = 200


class IPv6(StrEnum):
    """The state of a domain's mail servers regarding IPv6."""

    REACHED = "reached"
    UNREACHED = "unreached"
    UNTESTABLE = "untestable"
    NONE = "none"
    NO_ADDRESS = "nowhere"
    NOT_TESTED = "not asked"


@dataclass(slots=True)
class Tally:
    """Counts lines, given to `add` one at a time, in any order.

    `unchecked` counts the names that were not checked, `sessions` those in the lines: a shared one counts for
    each of its domains, because lines do not say which sessions were shared. `broken_samples` are number and
    reason of the first lines that could not be read. `unanswered` are domains without a server that accepted
    EHLO or HELO; `without_tls` and `unrecognised` have one that did, without TLS or with unknown software.
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
        """Count one line, given with its line end, or count it as broken."""
        self.lines += 1
        if text.isspace():
            return
        try:
            line = read_line(text)
        except LineError as error:
            self._count_broken(text, str(error))
            return
        if line.observation is None:
            name, reason = line.domain[:_MAX_NAME], line.reason[:_MAX_REASON]
            self.unchecked += 1
            self.reasons.add(line.not_checked, f"{name}: {reason}" if reason else name)
        else:
            self._count(line, line.observation)

    def _count_broken(self, text: bytes, reason: str) -> None:
        if not text.endswith(b"\n"):
            self.half_written = True
            return
        self.broken += 1
        if len(self.broken_samples) < _BROKEN_SAMPLES:
            self.broken_samples.append((self.lines, reason[:_MAX_REASON]))

    def _count(self, line: ResultLine, observation: LineObservation) -> None:
        domain = observation.domain
        self.checked += 1
        self.sessions += sum(len(endpoint.sessions) for endpoint in observation.endpoints)
        self._record_time(observation.run_at)
        self.statuses.add(line.status, domain)
        for severity, code in {(finding.severity, finding.code) for finding in line.findings}:
            self.codes[severity].add(code, domain)
        for provider in {provider_of(record.target) for record in observation.mx.records}:
            self.providers.add(provider, domain)
        self.ipv6.add(_ipv6(observation), domain)
        self._count_servers(observation)

    def _count_servers(self, observation: LineObservation) -> None:
        domain = observation.domain
        ready = [endpoint for endpoint in observation.endpoints if endpoint.is_ready]
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
        for endpoint in observation.endpoints:
            seconds = endpoint.greeting_seconds
            if seconds is not None:
                target = endpoint.targets[0] if endpoint.targets else ""
                self.slowest.add(endpoint.address, endpoint.port, target, seconds, domain)

    def _record_time(self, run_at: str) -> None:
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
    """Return the software as `report.software.recognise` does; empty where it is unknown."""
    recognised = recognise_replies(
        (s.greeting for s in endpoint.sessions if s.greeting is not None),
        (reply for s in endpoint.sessions for reply in s.hellos),
        (reply for s in endpoint.sessions for reply in s.others),
    )
    return recognised.software if recognised is not None else ""


def _ipv6(observation: LineObservation) -> IPv6:
    coverage, records = observation.coverage.ipv6, observation.mx.records
    if not observation.settings.ipv6:
        return IPv6.NOT_TESTED
    if coverage.connected:
        return IPv6.REACHED
    if coverage.published and coverage.published == coverage.untestable:
        return IPv6.UNTESTABLE
    if any(record.ipv6 for record in records):
        return IPv6.UNREACHED
    return IPv6.NONE if any(record.ipv4 for record in records) else IPv6.NO_ADDRESS
