"""The buckets that a line of a scan is counted in, and the lines of one bucket.

The page counts with the same function that `summary --list` selects with, so a list has as many domains as
the page counts.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

from checker_smtp.probes.addresses import subject_of
from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.probes.rules import Severity
from checker_smtp.report.advice.software import recognise_replies
from checker_smtp.report.visible import visible

from .line import LineEndpoint, LineError, LineObservation, ResultLine, read_line

__all__ = [
    "NO_ANSWER",
    "NO_TLS",
    "UNKNOWN",
    "Group",
    "IPv6",
    "list_command",
    "names_in",
    "parse_bucket",
    "sample",
    "values_of",
]

NO_TLS, NO_ANSWER, UNKNOWN = "none", "unanswered", "unknown"
# Characters of an invalid name and of a reason that are shown.
_MAX_NAME = 100
_MAX_REASON = 200


class Group(StrEnum):
    """Groups of buckets: one panel of the page shows each of them."""

    STATUS = "status"
    CRIT = str(Severity.CRIT)
    WARN = str(Severity.WARN)
    INFO = str(Severity.INFO)
    TLS = "tls"
    IPV6 = "ipv6"
    SOFTWARE = "software"
    PROVIDER = "provider"
    SERVER = "server"
    NOT_CHECKED = "not-checked"


class IPv6(StrEnum):
    """The state of a domain's mail servers regarding IPv6."""

    REACHED = "reached"
    UNREACHED = "unreached"
    UNTESTABLE = "untestable"
    NONE = "none"
    NO_ADDRESS = "no-address"
    NOT_TESTED = "not-tested"


def values_of(line: ResultLine, group: Group) -> Collection[str]:
    """Return the values of the line in this group, which name its buckets.

    A domain is in each bucket that applies to any of its servers. A domain without a server that accepted
    EHLO or HELO is in `NO_ANSWER`; of the other servers, those without TLS are in `NO_TLS`.
    """
    observation = line.observation
    if observation is None:
        return (line.not_checked,) if group is Group.NOT_CHECKED else ()
    match group:
        case Group.NOT_CHECKED:
            return ()
        case Group.STATUS:
            return (line.status,)
        case Group.CRIT | Group.WARN | Group.INFO:
            # an accepted finding does not count
            counted = (finding for finding in line.findings if finding.acceptance is None)
            return {finding.code for finding in counted if Group(finding.severity) is group}
        case Group.PROVIDER:
            return {provider_of(record.target) for record in observation.mx.records}
        case Group.IPV6:
            return (_ipv6(observation),)
        case Group.TLS:
            return {e.tls or NO_TLS for e in observation.endpoints if e.is_ready} or {NO_ANSWER}
        case Group.SOFTWARE:
            return {_software(e) for e in observation.endpoints if e.is_ready}
        case Group.SERVER:
            return {
                subject_of(e.address, e.port) for e in observation.endpoints if e.greeting_seconds is not None
            }


def sample(line: ResultLine) -> str:
    """Return the domain of a line, and why it was not checked."""
    if line.observation is not None:
        return line.observation.domain
    name, reason = line.domain[:_MAX_NAME], line.reason[:_MAX_REASON]
    return f"{name}: {reason}" if reason else name


def parse_bucket(text: str) -> tuple[tuple[Group, ...], str]:
    """Return groups and value of a code, or of `GROUP:VALUE`. Raise `ValueError` for an unknown group."""
    group, separator, value = text.partition(":")
    if separator:
        return (Group(group),), value
    return (Group.CRIT, Group.WARN, Group.INFO), text


def names_in(lines: Iterable[bytes], groups: tuple[Group, ...], wanted: str) -> Iterator[str]:
    """Yield the sample of each line that has this value in one of these groups; skip broken lines."""
    for text in lines:
        try:
            line = read_line(text)
        except LineError:
            continue
        # compared as shown, so that each command can be read, copied and typed
        if any(visible(value) == wanted for group in groups for value in values_of(line, group)):
            yield visible(sample(line))


def list_command(path: str, group: Group, value: str) -> str:
    """Return the command that lists a bucket of the results at `path`, `-` for standard input."""
    file = f"./{path}" if path.startswith("-") and path != "-" else path
    return shlex.join(["checker-smtp", "summary", file, "--list", f"{group}:{visible(value)}"])


def _software(endpoint: LineEndpoint) -> str:
    """Return the software as `report.software.recognise` does."""
    recognised = recognise_replies(
        (s.greeting for s in endpoint.sessions if s.greeting is not None),
        (reply for s in endpoint.sessions for reply in s.hellos),
        (reply for s in endpoint.sessions for reply in s.others),
    )
    return recognised.software if recognised is not None else UNKNOWN


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
