"""The panels of the summary: the counts as rows, each with a bar and sample domains.

All texts have passed `report.visible`. A figure that may be too low is marked as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from checker_smtp.probes.rules import CODES
from checker_smtp.report.model.metrics import TLS_VERSIONS
from checker_smtp.report.model.timeline import format_seconds
from checker_smtp.report.model.verdict import STATUS_WORDS
from checker_smtp.report.visible import visible

from .buckets import NO_ANSWER, NO_TLS, UNKNOWN, Group, IPv6, list_command
from .counters import Bucket, Frequent
from .tally import Tally

__all__ = ["Panel", "Row", "findings", "servers", "share", "verdicts"]

# Rows shown in panels without a fixed number of them.
_CODES, _PROVIDERS, _SERVERS, _OTHERS = 15, 20, 10, 20
_STATUSES = {"critical": "crit", "warning": "warn", "info": "info", "ok": "good", "unknown": "unknown"}
_SEVERITIES = {Group.CRIT: "Critical findings", Group.WARN: "Warnings", Group.INFO: "Notes"}
_MODERN_TLS = TLS_VERSIONS[TLS_VERSIONS.index("TLSv1.2") :]
_IPV6 = {
    IPv6.REACHED: ("A server accepted a connection over IPv6", "good"),
    IPv6.UNREACHED: ("IPv6 addresses, but no connection", "warn"),
    IPv6.UNTESTABLE: ("IPv6 addresses, not testable from where the scan ran", "unknown"),
    IPv6.NONE: ("IPv4 only", "info"),
    IPv6.NO_ADDRESS: ("No address at all", "unknown"),
    IPv6.NOT_TESTED: ("Not tested because of an option", "unknown"),
}
_REASONS = {
    "bad-name": "Not a domain name",
    "stop-list": "Excluded by --exclude-file",
    "resolver": "The resolver did not answer",
    "error": "The check failed",
}
_SEVERAL = "A domain counts once in each row that applies to any of its servers."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a panel: `length` is that of its bar, from 0 to 1, and stands for `aside`, or for `figure`.

    `samples` are the first domains of `count`; `command` lists all, and is empty where the samples are all.
    """

    label: str
    note: str
    figure: str
    aside: str
    level: str
    length: float
    count: str
    samples: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel of rows: `lead` explains it, `remark` is about values without a row.

    If `whole`, bars are shares of all domains; otherwise they compare the rows with each other.
    """

    anchor: str
    title: str
    rows: tuple[Row, ...]
    whole: bool = False
    lead: str = ""
    remark: str = ""


def verdicts(tally: Tally, path: str) -> Panel:
    """Return the panel of domains by status; the bars together are 100 percent."""
    buckets = dict(tally.groups[Group.STATUS].top(len(_STATUSES)))
    return Panel(
        anchor="verdicts",
        title="Verdicts",
        whole=True,
        rows=tuple(
            _row(tally, path, Group.STATUS, s, buckets[s], STATUS_WORDS[s], level)
            for s, level in _STATUSES.items()
            if s in buckets
        ),
    )


def findings(tally: Tally, path: str) -> tuple[Panel, ...]:
    """Return the panels of the most frequent codes, one for each severity that occurs."""
    panels = (_codes(tally, path, group, title) for group, title in _SEVERITIES.items())
    return tuple(panel for panel in panels if panel.rows)


def servers(tally: Tally, path: str) -> tuple[Panel, ...]:
    """Return the panels about the domains' servers, and the names not checked; empty panels are omitted."""
    builders = (_tls, _ipv6, _software, _providers, _slowest, _unchecked)
    return tuple(panel for build in builders if (panel := build(tally, path)).rows)


def share(count: int, total: int) -> str:
    """Return a percentage such as `12.3 %`; `0.0` and `100.0` only where they are exact."""
    percent = 100 * count / total if total else 0.0
    if 0 < percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def _row(
    tally: Tally, path: str, group: Group, value: str, bucket: Bucket, label: str, level: str, note: str = ""
) -> Row:
    """Return the row of the bucket of a value."""
    total = tally.checked + (tally.unchecked if group is Group.NOT_CHECKED else 0)
    is_sampled = not bucket.missed and bucket.count <= len(bucket.samples)
    return Row(
        label=visible(label),
        note=visible(note),
        figure=f"{'≥ ' if bucket.missed else ''}{bucket.count:,}",
        aside=share(bucket.count, total),
        level=level,
        length=bucket.count / total if total else 0.0,
        count=_count(bucket),
        samples=tuple(map(visible, bucket.samples)),
        command="" if is_sampled else list_command(path, group, value),
    )


def _compared(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows with their bars scaled to the longest."""
    unscaled = tuple(rows)
    longest = max((row.length for row in unscaled), default=0.0) or 1.0
    return tuple(replace(row, length=row.length / longest) for row in unscaled)


def _count(bucket: Bucket) -> str:
    return f"{'at least ' if bucket.missed else ''}{bucket.count:,} domain{'s' * (bucket.count != 1)}"


def _codes(tally: Tally, path: str, group: Group, title: str) -> Panel:
    counter = tally.groups[group]
    return Panel(
        anchor=f"codes-{group}",
        title=title,
        lead="Domains by finding; a domain may have several.",
        rows=_compared(
            _row(tally, path, group, code, bucket, CODES[code].title, group, note=code)
            if code in CODES
            else _row(tally, path, group, code, bucket, code, group)
            for code, bucket in counter.top(_CODES)
        ),
        remark=_remark(counter, _CODES, "codes"),
    )


def _tls(tally: Tally, path: str) -> Panel:
    def place(version: str) -> int:
        if version in labels:
            return -1 - list(labels).index(version)
        return TLS_VERSIONS.index(version) if version in TLS_VERSIONS else len(TLS_VERSIONS)

    labels = {NO_TLS: ("No TLS", "crit"), NO_ANSWER: ("No server answered", "unknown")}
    rows = []
    buckets = tally.groups[Group.TLS].top(_OTHERS + len(labels))
    for version, bucket in sorted(buckets, key=lambda pair: place(pair[0]), reverse=True):
        label, level = labels.get(version, (version, "good" if version in _MODERN_TLS else "warn"))
        rows.append(_row(tally, path, Group.TLS, version, bucket, label, level))
    return Panel(anchor="tls", title="TLS versions", lead=_SEVERAL, rows=tuple(rows), whole=True)


def _ipv6(tally: Tally, path: str) -> Panel:
    buckets = dict(tally.groups[Group.IPV6].top(len(_IPV6)))
    return Panel(
        anchor="ipv6",
        title="IPv6",
        lead="Each domain is in one row.",
        whole=True,
        rows=tuple(
            _row(tally, path, Group.IPV6, state, buckets[state], label, level)
            for state, (label, level) in _IPV6.items()
            if state in buckets
        ),
    )


def _software(tally: Tally, path: str) -> Panel:
    # the unknown ones last
    buckets = sorted(tally.groups[Group.SOFTWARE].top(_OTHERS + 1), key=lambda pair: pair[0] == UNKNOWN)
    rows = []
    for name, bucket in buckets:
        label, level = ("Unknown", "unknown") if name == UNKNOWN else (name, "info")
        rows.append(_row(tally, path, Group.SOFTWARE, name, bucket, label, level))
    return Panel(
        anchor="software",
        title="Server software",
        lead=f"As far as a server identifies itself. {_SEVERAL}",
        rows=_compared(rows),
    )


def _providers(tally: Tally, path: str) -> Panel:
    return Panel(
        anchor="providers",
        title="MX providers",
        lead=f"The registered domain of the MX host. {_SEVERAL}",
        rows=_compared(
            _row(tally, path, Group.PROVIDER, name, bucket, name, "info")
            for name, bucket in tally.groups[Group.PROVIDER].top(_PROVIDERS)
        ),
        remark=_remark(tally.groups[Group.PROVIDER], _PROVIDERS, "providers"),
    )


def _slowest(tally: Tally, path: str) -> Panel:
    rows = []
    for server in tally.slowest.top(_SERVERS):
        note = f"{server.target}, {_count(server)}"
        row = _row(tally, path, Group.SERVER, server.subject, server, server.subject, "info", note)
        rows.append(replace(row, figure=format_seconds(server.seconds), aside="", length=server.seconds))
    return Panel(
        anchor="slowest",
        title="Slowest servers",
        lead="The longest wait of all sessions from the connection to the greeting.",
        rows=_compared(rows),
    )


def _unchecked(tally: Tally, path: str) -> Panel:
    return Panel(
        anchor="unchecked",
        title="Not checked",
        lead="Shares of all names in the list.",
        whole=True,
        rows=tuple(
            replace(
                _row(tally, path, Group.NOT_CHECKED, kind, bucket, _REASONS.get(kind, kind), "unknown"),
                count=f"{bucket.count:,} name{'s' * (bucket.count != 1)}",
            )
            for kind, bucket in tally.groups[Group.NOT_CHECKED].top(_OTHERS)
        ),
    )


def _remark(counter: Frequent, shown: int, noun: str) -> str:
    """Return a sentence about the values that have no row; empty where all have one."""
    if counter.max_dropped:
        rest = counter.top(len(counter))[shown:]
        others = max([counter.max_dropped, *(bucket.count + bucket.missed for _, bucket in rest)])
        return (
            f"The {shown} most frequent {noun} of more than can be counted exactly: any other has at most "
            f"{others:,} domains."
        )
    return f"The {shown} most frequent of {len(counter):,} {noun}." if len(counter) > shown else ""
