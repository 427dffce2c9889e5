"""The section of each endpoint: badges, facts, extensions, transactions, sessions with their time-lines.

Verdicts are not made here: a badge or the word of a row repeats a finding about that endpoint, or says that
the rule for it passed there, or states a plain fact.
"""

from dataclasses import dataclass
from itertools import filterfalse, islice

from checker_smtp.probes.observation import Endpoint, Keyword, ReverseDns, Session
from checker_smtp.probes.rules import Finding, record_of
from checker_smtp.report.visible import visible

from .certificate import describe_certificate
from .items import Context
from .metrics import find_tls, is_probed
from .timeline import Phase, format_seconds, split_phases
from .transactions import Badge, TransactionResult, build_rows
from .transcript import TranscriptLine, shorten

__all__ = [
    "EndpointReport",
    "SessionReport",
    "build_endpoint_report",
    "reverse_dns_text",
]

# What a row shows that has passed, as a badge.
_PASSED = {"relay": "No relaying", "postmaster": "Accepts mail"}
_SESSIONS = {
    "main": "Session",
    "helo-only": "Again with HELO, because EHLO was refused",
    "without-sni": "Again without a server name in the TLS handshake",
    "without-tls": "Again without TLS",
    "one-by-one": "Again one command at a time",
    "continued": "Continued with the questions that were not answered",
    "relay": "Elsewhere, for all domains of this server at once: relaying",
    "relay-control": "Again for a random mailbox at another domain",
    "served-control": "Control: a recipient that the server should accept",
    "revisit": "Again later, as the server had asked for",
}
_MAX_KEYWORDS = 60
# of all names of one endpoint; each is an item of the report as well
_MAX_ISSUES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """One connection; `left_out` counts transcript lines past the limit."""

    anchor: str
    title: str
    phases: tuple[Phase, ...]
    took: float
    lines: tuple[TranscriptLine, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReport:
    """`level` is that of the worst badge; `extensions` are None where EHLO was not answered at that point."""

    anchor: str
    subject: str
    targets: str
    level: str
    badges: tuple[Badge, ...]
    facts: tuple[tuple[str, str], ...]
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    tls_issues: tuple[tuple[Badge, str, str], ...]
    transactions: tuple[TransactionResult, ...]
    sessions: tuple[SessionReport, ...]


def build_endpoint_report(
    number: int, endpoint: Endpoint, findings: list[Finding], context: Context, max_chars: int
) -> EndpointReport:
    """Build the section of one endpoint. Each session shows at most `max_chars` characters of transcript."""
    own = list(filter(_is_own, findings))
    # those of the TLS checker may be many, and say nothing about transactions
    foreign = list(filterfalse(_is_own, findings))
    rows = build_rows(endpoint, own, context.observation)
    badges = tuple(_badges(endpoint, [*foreign[:_MAX_ISSUES], *own], rows))
    known = endpoint.ehlo_session
    before = _keywords(known.capabilities) if known else None
    secured = next((s for s in endpoint.sessions if s.ehlo_tls is not None and s.ehlo_tls.positive), None)
    after = _keywords(secured.capabilities_tls) if secured else None
    return EndpointReport(
        anchor=f"e{number}",
        subject=visible(endpoint.subject),
        targets=visible(", ".join(endpoint.targets[:5])),
        level=next((level for level in ("crit", "warn") if any(b.level == level for b in badges)), ""),
        badges=badges,
        facts=tuple(_facts(endpoint, context)),
        before=before,
        after=after,
        gained=tuple(k for k in after or () if k not in (before or ())) if before is not None else (),
        lost=_lost(before, after),
        tls_issues=tuple(_tls_issues(endpoint, context)),
        transactions=rows,
        sessions=tuple(
            _session(f"e{number}s{n}", session, context, (endpoint.subject, n), max_chars)
            for n, session in enumerate(endpoint.sessions if is_probed(endpoint) else ())
        ),
    )


def _badges(endpoint: Endpoint, findings: list[Finding], rows: tuple[TransactionResult, ...]) -> list[Badge]:
    badges: dict[str, Badge] = {}
    # findings come the worst first, so that of those with the same badge the worst one stays
    for finding in reversed(findings):
        if (record := record_of(finding.code)) is not None and record.badge:
            is_accepted = finding.acceptance is not None
            text = f"{record.badge}, accepted" if is_accepted else record.badge
            badges[text] = Badge(level="info" if is_accepted else finding.severity, text=text)
    if not is_probed(endpoint):
        badges["Not probed"] = Badge(level="info", text="Not probed")
    order = ("crit", "warn", "info")
    bad = sorted(badges.values(), key=lambda badge: order.index(badge.level))
    passed = {row.purpose for row in rows if row.verdict.level == "good"}
    good = [*_tls_version(endpoint, findings), *(text for key, text in _PASSED.items() if key in passed)]
    return [*bad, *(Badge(level="good", text=text) for text in good)]


def _is_own(finding: Finding) -> bool:
    record = record_of(finding.code)
    return record is None or not record.source


def _tls_version(endpoint: Endpoint, findings: list[Finding]) -> list[str]:
    tls = find_tls(endpoint)
    records = [record_of(finding.code) for finding in findings]
    if tls is None or any(record is not None and record.is_weak_tls for record in records):
        return []
    return [visible(tls.version[:20]).replace("TLSv", "TLS ")]


def _facts(endpoint: Endpoint, context: Context) -> list[tuple[str, str]]:
    main = endpoint.main
    facts = []
    if not is_probed(endpoint):
        facts.append(("Session", "none: no selected rule needs one"))
    if main.greeting is not None:
        lines = main.greeting.raw.rstrip("\r\n").split("\r\n")
        rest = len(lines) - 1
        more = f" (and {rest} more line{'s' * (rest != 1)})" if rest else ""
        facts.append(("Greeting", shorten(lines[0], 200) + more))
    found = context.software.get(endpoint.subject)
    if found is not None:
        name = f"{found.software} {visible(found.version)}".strip()
        facts.append(("Software", f"{name} (by its {found.source})"))
    elif main.greeting is not None:
        facts.append(("Software", "not recognised"))
    facts.append(("Reverse DNS", reverse_dns_text(endpoint.reverse)))
    if (tls := find_tls(endpoint)) is not None:
        facts.append(("TLS", f"{visible(tls.version)}, {visible(tls.cipher)}"))
        if tls.certificate is not None:
            facts.append(("Certificate", describe_certificate(tls.certificate)))
    elif main.is_ready:
        facts.append(("TLS", "none"))
    if main.end is not None:
        end = main.end
        ending = f"at {end.step} after {format_seconds(end.at)}: {end.words}"
        facts.append(("Session ended", visible(ending)))
    return facts


def reverse_dns_text(reverse: ReverseDns | None) -> str:
    """PTR and whether it leads back, in a few words."""
    if reverse is None:
        return "not asked"
    if not reverse.names:
        return "no name" if reverse.status.known else f"lookup failed ({reverse.status})"
    names = ", ".join(reverse.names[:3]) + (f" and {reverse.total - 3} more" if reverse.total > 3 else "")
    if reverse.confirmed_by:
        return visible(f"{names}, confirmed")
    return visible(f"{names}, " + ("not settled" if reverse.unsettled else "does not lead back"))


def _keywords(known: tuple[Keyword, ...]) -> tuple[str, ...]:
    keywords = [shorten(" ".join((k.keyword, *k.parameters)), 100) for k in known[:_MAX_KEYWORDS]]
    return (*keywords, *([f"… {len(known) - _MAX_KEYWORDS} more"] if len(known) > _MAX_KEYWORDS else []))


def _lost(before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what is gone after TLS, without STARTTLS, which must not be offered again (RFC 3207 §4.2)."""
    return tuple(k for k in before or () if k not in (*after, "STARTTLS")) if after is not None else ()


def _tls_issues(endpoint: Endpoint, context: Context) -> list[tuple[Badge, str, str]]:
    names = dict.fromkeys((endpoint.subject, *(f"{target}:{endpoint.port}" for target in endpoint.targets)))
    issues = (issue for name in names for probe in context.tls_probes.get(name, ()) for issue in probe.issues)
    levels = {"crit": "crit", "warn": "warn"}
    return [
        (
            Badge(level=levels.get(issue.severity, "info"), text=visible(issue.code)),
            visible(issue.message[:1000]),
            visible(issue.fix[:1000]),
        )
        for issue in islice(issues, _MAX_ISSUES)
    ]


def _session(
    anchor: str, session: Session, context: Context, key: tuple[str, int], max_chars: int
) -> SessionReport:
    lines, left_out = context.logs[key].lines(max_chars)
    return SessionReport(
        anchor=anchor,
        title=_SESSIONS.get(session.purpose, visible(session.purpose)),
        phases=split_phases(session),
        took=float(session.transcript[-1]["at"]) if session.transcript else 0.0,
        lines=lines,
        left_out=left_out,
    )
