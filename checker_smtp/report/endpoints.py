"""What was met at each endpoint: badges, facts, extensions, transactions, sessions with their time-lines.

Verdicts are not made here: a badge or a verdict in a table is what a finding says about that endpoint, or a
plain fact where no finding says otherwise.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Keyword, ReplySeen, ReverseDns, Session, Transaction
from checker_smtp.probes.rules import Finding, Outcome, Severity

from .items import Context
from .metrics import visited
from .timeline import Phase, seconds, session_phases
from .transcript import Line, brief
from .visible import visible

__all__ = ["Badge", "EndpointStory", "SessionStory", "TransactionRow", "endpoint_story", "reverse_told"]

QUESTIONS = {
    "null-sender": "Bounces (null sender)",
    "postmaster": "Postmaster",
    "relay": "Relaying",
    "relay-control": "Relaying, random mailbox",
}
_SESSIONS = {
    "main": "Session",
    "helo-only": "Again with HELO, because EHLO was refused",
    "without-sni": "Again without a server name in the TLS handshake",
    "without-tls": "Again without TLS",
    "one-by-one": "Again one command at a time",
    "relay": "Elsewhere, for all domains of this server at once: relaying",
    "relay-control": "Again for a random mailbox at another domain",
    "revisit": "Again later, as the server had asked for",
}
# What a finding about an endpoint is called on its badge.
_BADGES = {
    "smtp.open_relay": "OPEN RELAY",
    "smtp.open_relay.suspected": "Relays one address",
    "smtp.auth.plaintext": "AUTH in the clear",
    "smtp.all_no_starttls": "No STARTTLS",
    "smtp.starttls.missing": "No STARTTLS",
    "smtp.starttls.failed": "STARTTLS broken",
    "smtp.starttls.deferred": "STARTTLS put off",
    "smtp.starttls.injection": "STARTTLS injection",
    "smtp.null_sender.rejected": "Bounces refused",
    "smtp.postmaster.rejected": "Postmaster refused",
    "smtp.all_unreachable": "Unreachable",
    "smtp.tcp.unreachable": "Unreachable",
    "smtp.banner.missing": "No greeting",
    "smtp.banner.refused": "Refuses mail",
    "smtp.banner.deferred": "Not now",
    "smtp.banner.slow": "Slow greeting",
    "smtp.ehlo.failed": "EHLO refused",
    "smtp.ehlo.fallback": "HELO only",
    "smtp.ptr.missing": "No PTR",
    "smtp.fcrdns.mismatch": "PTR mismatch",
    "smtp.tls.weak_tls_version": "Old TLS",
    "smtp.null_sender.deferred": "Bounces put off",
    "smtp.postmaster.deferred": "Postmaster put off",
    "smtp.refused_us": "Refuses this checker",
    "smtp.not_tested": "Not fully tested",
    "smtp.protocol.deviation": "Protocol deviations",
}
_WORRY = {Severity.CRIT: "crit", Severity.WARN: "warn", Severity.INFO: "info"}
# The findings that settle a transaction, and what they make of it.
_JUDGED = {
    "null-sender": ("smtp.null_sender.rejected",),
    "postmaster": ("smtp.postmaster.rejected",),
    "relay": ("smtp.open_relay", "smtp.open_relay.suspected"),
    "relay-control": ("smtp.open_relay", "smtp.open_relay.suspected"),
}
_MAX_KEYWORDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """`level` is `crit`, `warn`, `info` or `good`."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRow:
    question: str
    sender: str
    recipient: str
    reply: str
    verdict: Badge


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStory:
    """One connection; `left_out` counts transcript lines for which there was no room."""

    anchor: str
    title: str
    phases: tuple[Phase, ...]
    took: float
    lines: tuple[Line, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStory:
    """`worry` is the worst badge; `extensions` are None where EHLO was not answered at that point."""

    anchor: str
    subject: str
    targets: str
    worry: str
    badges: tuple[Badge, ...]
    facts: tuple[tuple[str, str], ...]
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    tls_issues: tuple[tuple[Badge, str, str], ...]
    transactions: tuple[TransactionRow, ...]
    sessions: tuple[SessionStory, ...]


def endpoint_story(
    number: int, endpoint: Endpoint, findings: list[Finding], context: Context, room: int
) -> EndpointStory:
    """`findings` are those about this endpoint; `room` characters of transcript are shown per session."""
    badges = tuple(_badges(endpoint, findings))
    known = endpoint.ehlo_session
    before = _keywords(known.capabilities) if known else None
    secured = next((s for s in endpoint.sessions if s.ehlo_tls is not None and s.ehlo_tls.positive), None)
    after = _keywords(secured.capabilities_tls) if secured else None
    return EndpointStory(
        anchor=f"e{number}",
        subject=visible(endpoint.subject),
        targets=visible(", ".join(endpoint.targets[:5])),
        worry=next((level for level in ("crit", "warn") if any(b.level == level for b in badges)), ""),
        badges=badges,
        facts=tuple(_facts(endpoint, context)),
        before=before,
        after=after,
        gained=tuple(k for k in after or () if k not in (before or ())) if before is not None else (),
        lost=tuple(k for k in before or () if k not in (after or ())) if after is not None else (),
        tls_issues=tuple(_tls_issues(endpoint, context)),
        transactions=tuple(_row(t, findings) for t in _held(endpoint)),
        sessions=tuple(
            _session(f"e{number}s{n}", session, context, (endpoint.subject, n), room)
            for n, session in enumerate(endpoint.sessions if visited(endpoint) else ())
        ),
    )


def _badges(endpoint: Endpoint, findings: list[Finding]) -> list[Badge]:
    told = {
        _BADGES[f.code]: Badge(level=_WORRY[f.severity], text=_BADGES[f.code])
        for f in reversed(findings)
        if f.code in _BADGES
    }
    issues = [f for f in findings if f.code.startswith("smtp.tls.") and f.code not in _BADGES]
    if issues:
        worst = max(issues, key=lambda finding: finding.severity.rank)
        told["TLS issues"] = Badge(level=_WORRY[worst.severity], text="TLS issues")
    order = ("crit", "warn", "info")
    if not visited(endpoint):
        told["Not visited"] = Badge(level="info", text="Not visited")
    bad = sorted(told.values(), key=lambda badge: order.index(badge.level))
    return [*bad, *_good(endpoint, {f.code for f in findings})]


def _good(endpoint: Endpoint, codes: set[str]) -> list[Badge]:
    """What is right, where it was seen to be."""
    good = []
    tls = next((s.tls for s in endpoint.sessions if s.tls is not None), None)
    if tls is not None and "smtp.tls.weak_tls_version" not in codes:
        good.append(visible(tls.version[:20]).replace("TLSv", "TLS "))
    relay = endpoint.asked("relay")
    refusal = relay.verdict if relay else None
    if refusal is not None and refusal.permanent and "smtp.refused_us" not in codes:
        good.append("No relaying")
    if (asked := endpoint.asked("postmaster")) and asked.verdict and asked.verdict.positive:
        good.append("Takes mail")
    return [Badge(level="good", text=text) for text in good]


def _facts(endpoint: Endpoint, context: Context) -> list[tuple[str, str]]:
    main = endpoint.main
    facts = []
    if not visited(endpoint):
        facts.append(("EndpointProbe", "none was made: no rule that was to judge needs one"))
    if main.greeting is not None:
        lines = main.greeting.raw.rstrip("\r\n").split("\r\n")
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        facts.append(("Greeting", brief(lines[0], 200) + more))
    found = context.software.get(endpoint.subject)
    if found is not None:
        name = f"{found.software} {visible(found.version)}".strip()
        facts.append(("Software", f"{name} (by its {found.source})"))
    elif main.greeting is not None:
        facts.append(("Software", "not recognised"))
    facts.append(("Reverse DNS", reverse_told(endpoint.reverse)))
    if (tls := next((s.tls for s in endpoint.sessions if s.tls is not None), None)) is not None:
        facts.append(("TLS", f"{visible(tls.version)}, {visible(tls.cipher)}"))
    elif main.is_ready:
        facts.append(("TLS", "none"))
    if main.end is not None:
        end = main.end
        detail = f" ({visible(end.detail)})" if end.detail else ""
        told = f"{end.kind} at {end.step} after {seconds(end.at)}{detail}"
        facts.append(("Broke off", visible(told)))
    return facts


def reverse_told(reverse: ReverseDns | None) -> str:
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
    told = [brief(" ".join((k.keyword, *k.parameters)), 100) for k in known[:_MAX_KEYWORDS]]
    return (*told, *([f"… {len(known) - _MAX_KEYWORDS} more"] if len(known) > _MAX_KEYWORDS else []))


def _tls_issues(endpoint: Endpoint, context: Context) -> list[tuple[Badge, str, str]]:
    names = {endpoint.subject, *(f"{target}:{endpoint.port}" for target in endpoint.targets)}
    levels = {"crit": "crit", "warn": "warn"}
    return [
        (
            Badge(level=levels.get(issue.severity, "info"), text=visible(issue.code)),
            visible(issue.message[:1000]),
            visible(issue.fix[:1000]),
        )
        for probe in context.observation.tls_probes
        if probe.endpoint in names
        for issue in probe.issues
    ]


def _held(endpoint: Endpoint) -> list[Transaction]:
    """Every transaction that was begun, and those that never were but should have been."""
    begun = [t for s in endpoint.sessions for t in s.transactions if t.mail is not None]
    known = {t.purpose for t in begun}
    wanted = endpoint.main.transactions if endpoint.ready_session is not None else ()
    return [*begun, *(t for t in wanted if t.purpose not in known)]


def _row(asked: Transaction, findings: list[Finding]) -> TransactionRow:
    reply = asked.verdict
    step = "MAIL" if reply is not None and reply is asked.mail else "RCPT"
    return TransactionRow(
        question=QUESTIONS.get(asked.purpose, visible(asked.purpose)),
        sender=visible(f"<{asked.sender}>"),
        recipient=visible(f"<{asked.recipient}>"),
        reply=f"{step}: {brief(reply.raw.rstrip(), 300)}" if reply is not None else "",
        verdict=_verdict(asked.purpose, reply, findings),
    )


def _verdict(purpose: str, reply: ReplySeen | None, findings: list[Finding]) -> Badge:
    if reply is None:
        return Badge(level="info", text="not answered")
    judged = next((f for f in findings if f.code in _JUDGED.get(purpose, ())), None)
    relaying = purpose in ("relay", "relay-control")
    if reply.transient:
        return Badge(level="info", text="put off")
    if reply.positive and judged is not None and relaying:
        return Badge(level=_WORRY[judged.severity], text="accepted from outside")
    if reply.positive:
        return Badge(level="info" if relaying else "good", text="accepted")
    if any(f.outcome is Outcome.REFUSED_US for f in findings):
        return Badge(level="info", text="refused, as everything is")
    if relaying:
        return Badge(level="good", text="refused, as it should be")
    return Badge(level=_WORRY[judged.severity] if judged is not None else "info", text="refused")


def _session(
    anchor: str, session: Session, context: Context, key: tuple[str, int], room: int
) -> SessionStory:
    lines, left_out = context.logs[key].lines(room)
    return SessionStory(
        anchor=anchor,
        title=_SESSIONS.get(session.purpose, visible(session.purpose)),
        phases=session_phases(session),
        took=float(session.transcript[-1]["at"]) if session.transcript else 0.0,
        lines=lines,
        left_out=left_out,
    )
