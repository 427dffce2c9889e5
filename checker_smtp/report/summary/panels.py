"""The panels of the summary: what was counted, as rows with a bar each and the domains behind it.

All texts are visible ones (see `report.visible`). A figure that may be too low says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from checker_smtp.probes.rules import CODES, Severity
from checker_smtp.report.metrics import TLS_VERSIONS
from checker_smtp.report.timeline import seconds
from checker_smtp.report.verdict import STATUS_WORDS
from checker_smtp.report.visible import visible

from . import queries
from .counters import Bucket, Frequent
from .queries import Queries
from .tally import IPv6, Tally

__all__ = ["Panel", "Row", "findings", "servers", "share", "verdicts"]

# Rows told where there may be any number of them.
_CODES, _PROVIDERS, _SERVERS, _OTHERS = 15, 20, 10, 20
_STATUSES = {"critical": "crit", "warning": "warn", "info": "info", "ok": "good", "unknown": "unknown"}
_SEVERITIES = {
    Severity.CRIT: "Critical findings",
    Severity.WARN: "Warnings",
    Severity.INFO: "Notes",
}
_MODERN_TLS = TLS_VERSIONS[TLS_VERSIONS.index("TLSv1.2") :]
_IPV6 = {
    IPv6.REACHED: ("A server accepted a connection over IPv6", "good"),
    IPv6.UNREACHED: ("IPv6 addresses, but no connection", "warn"),
    IPv6.UNTESTABLE: ("IPv6 addresses, not testable from where the scan ran", "unknown"),
    IPv6.NONE: ("IPv4 only", "info"),
    IPv6.NOWHERE: ("No address at all", "unknown"),
    IPv6.NOT_ASKED: ("Left out by an option of the scan", "unknown"),
}
_REASONS = {
    "bad-name": "No name of a domain",
    "stop-list": "On the stop list",
    "resolver": "The resolver did not answer",
    "error": "The check failed",
}
_SEVERAL = "A domain counts once in each row that applies to any of its servers."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`length` is that of the bar, 1 the longest there can be, and `bar_label` what it stands for.

    `samples` are the first domains of `count`; `command` lists all, and is empty where the samples are all.
    """

    label: str
    note: str
    figure: str
    aside: str
    level: str
    length: float
    bar_label: str
    count: str
    samples: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`lead` says how to read it, `remark` what is not in the rows.

    Bars are parts of a `whole`, or else compare the rows with each other.
    """

    anchor: str
    title: str
    rows: tuple[Row, ...]
    whole: bool = False
    lead: str = ""
    remark: str = ""


def verdicts(tally: Tally, asked: Queries) -> Panel:
    """Domains by status; the bars together are 100 percent."""
    found = dict(tally.statuses.top(len(_STATUSES)))
    return Panel(
        anchor="verdicts",
        title="Verdicts",
        whole=True,
        rows=tuple(
            _row(STATUS_WORDS[s], found[s], tally.checked, asked.domains(queries.has_status(s)), level)
            for s, level in _STATUSES.items()
            if s in found
        ),
    )


def findings(tally: Tally, asked: Queries) -> tuple[Panel, ...]:
    """The most frequent codes, a panel for each severity that was found."""
    found = (_codes(tally, asked, severity, title) for severity, title in _SEVERITIES.items())
    return tuple(panel for panel in found if panel.rows)


def servers(tally: Tally, asked: Queries) -> tuple[Panel, ...]:
    """What the domains' servers are and how they are reached; panels without a row are left out."""
    told = (_tls, _ipv6, _software, _providers, _slowest, _unchecked)
    return tuple(panel for tell in told if (panel := tell(tally, asked)).rows)


def share(count: int, total: int) -> str:
    """`12.3 %`, and never 0 or 100 for what is not."""
    percent = 100 * count / total if total else 0.0
    if 0 < percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def _row(label: str, bucket: Bucket, total: int, command: str, level: str, note: str = "") -> Row:
    told = share(bucket.count, total)
    count = _count(bucket)
    return Row(
        label=visible(label),
        note=visible(note),
        figure=f"{'≥ ' if bucket.missed else ''}{bucket.count:,}",
        aside=told,
        level=level,
        length=bucket.count / total if total else 0.0,
        bar_label=told,
        count=count,
        samples=tuple(map(visible, bucket.samples)),
        command=command if bucket.missed or bucket.count > len(bucket.samples) else "",
    )


def _compared(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows, with the longest bar as long as there can be."""
    told = tuple(rows)
    longest = max((row.length for row in told), default=0.0) or 1.0
    return tuple(replace(row, length=row.length / longest) for row in told)


def _count(bucket: Bucket) -> str:
    return f"{'at least ' if bucket.missed else ''}{bucket.count:,} domain{'s' * (bucket.count != 1)}"


def _codes(tally: Tally, asked: Queries, severity: Severity, title: str) -> Panel:
    found = tally.codes[severity]
    return Panel(
        anchor=f"codes-{severity}",
        title=title,
        lead="Domains by what was found; one may have several.",
        rows=_compared(
            _row(
                CODES[code].title if code in CODES else code,
                bucket,
                tally.checked,
                asked.domains(queries.has_code(code, severity)),
                severity,
                code if code in CODES else "",
            )
            for code, bucket in found.top(_CODES)
        ),
        remark=_more(found, _CODES, "codes"),
    )


def _tls(tally: Tally, asked: Queries) -> Panel:
    def place(version: str) -> int:
        return TLS_VERSIONS.index(version) if version in TLS_VERSIONS else len(TLS_VERSIONS)

    total = tally.checked
    rows = [
        _row(version, bucket, total, asked.domains(queries.has_tls(version)), "good" if modern else "warn")
        for version, bucket in sorted(tally.tls.top(_OTHERS), key=lambda pair: place(pair[0]), reverse=True)
        for modern in (version in _MODERN_TLS,)
    ]
    for label, bucket, condition, level in (
        ("No TLS", tally.without_tls, queries.no_tls(), "crit"),
        ("No server that answers", tally.unanswered, queries.no_answer(), "unknown"),
    ):
        if bucket.count:
            rows.append(_row(label, bucket, total, asked.domains(condition), level))
    return Panel(anchor="tls", title="TLS versions", lead=_SEVERAL, rows=tuple(rows), whole=True)


def _ipv6(tally: Tally, asked: Queries) -> Panel:
    found = dict(tally.ipv6.top(len(_IPV6)))
    return Panel(
        anchor="ipv6",
        title="IPv6",
        lead="Each domain is in one row.",
        whole=True,
        rows=tuple(
            _row(label, found[state], tally.checked, asked.domains(queries.has_ipv6(state)), level)
            for state, (label, level) in _IPV6.items()
            if state in found
        ),
    )


def _software(tally: Tally, asked: Queries) -> Panel:
    found = [
        _row(name, bucket, tally.checked, asked.domains(queries.has_software(name)), "info")
        for name, bucket in tally.software.top(_OTHERS)
    ]
    if tally.unrecognised.count:
        command = asked.domains(queries.has_software(""))
        found.append(_row("Does not say", tally.unrecognised, tally.checked, command, "unknown"))
    return Panel(
        anchor="software",
        title="Server software",
        lead=f"As far as a server says itself what it is. {_SEVERAL}",
        rows=_compared(found),
    )


def _providers(tally: Tally, asked: Queries) -> Panel:
    return Panel(
        anchor="providers",
        title="MX providers",
        lead=f"The registered domain of the MX host. {_SEVERAL}",
        rows=_compared(
            _row(name, bucket, tally.checked, asked.domains(queries.has_provider(name)), "info")
            for name, bucket in tally.providers.top(_PROVIDERS)
        ),
        remark=_more(tally.providers, _PROVIDERS, "providers"),
    )


def _slowest(tally: Tally, asked: Queries) -> Panel:
    slowest = tally.slowest.top(_SERVERS)
    rows = []
    for server in slowest:
        command = asked.domains(queries.has_server(server.address, server.port))
        note = f"{server.target}, {_count(server)}"
        row = _row(server.subject, server, tally.checked, command, "info", note)
        took = seconds(server.seconds)
        rows.append(replace(row, figure=took, aside="", length=server.seconds, bar_label=took))
    return Panel(
        anchor="slowest",
        title="Slowest servers",
        lead="From the connection to the greeting, the longest of all visits.",
        rows=_compared(rows),
    )


def _unchecked(tally: Tally, asked: Queries) -> Panel:
    total = tally.checked + tally.unchecked
    return Panel(
        anchor="unchecked",
        title="Not checked",
        lead="Shares are of all names given.",
        whole=True,
        rows=tuple(
            replace(
                _row(_REASONS.get(kind, kind), bucket, total, asked.not_checked(kind), "unknown"),
                count=f"{bucket.count:,} name{'s' * (bucket.count != 1)}",
            )
            for kind, bucket in tally.reasons.top(_OTHERS)
        ),
    )


def _more(found: Frequent, told: int, what: str) -> str:
    """What is to be said of the values that have no row."""
    if found.forgotten:
        return (
            f"The {told} most frequent {what} of more than are counted one by one: any other one has at most "
            f"{max(found.forgotten, _least(found, told)):,} domains."
        )
    return f"The {told} most frequent of {len(found):,} {what}." if len(found) > told else ""


def _least(found: Frequent, told: int) -> int:
    """The most that a value without a row can have."""
    return max((b.count + b.missed for _, b in found.top(len(found))[told:]), default=0)
