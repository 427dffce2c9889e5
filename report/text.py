"""The report for a terminal or a log: the verdict, what to fix, what is nobody's fault, what was seen.

Everything that a server or a zone said passes through `visible`; colours are rich's and only where asked
for. The order is that of urgency: who reads the first ten lines knows what to do.
"""

from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from probes.observation import Endpoint, MxTarget, Observation, Session
from probes.result import Result
from probes.rules import Evidence, Finding, Outcome, Severity

from .visible import octets_visible, visible

__all__ = ["render_text"]

_STATUS = {
    "ok": ("OK", "bold green"),
    "info": ("OK, with notes", "bold green"),
    "warning": ("WARNING", "bold yellow"),
    "critical": ("CRITICAL", "bold red"),
    "unknown": ("UNKNOWN", "bold magenta"),
}
_SEVERITY = {Severity.CRIT: "bold red", Severity.WARN: "yellow", Severity.INFO: "cyan"}
_NOT_THEIRS = (Outcome.TRANSIENT, Outcome.REFUSED_US, Outcome.NOT_TESTED)
_PURPOSES = {
    "null-sender": "null sender",
    "postmaster": "postmaster",
    "relay": "relay",
    "relay-control": "relay, second domain",
}
# Lines of evidence quoted under a finding; the JSON has all of it.
_MAX_QUOTED = 4


def render_text(result: Result, *, width: int = 100, colour: bool = False, ascii_only: bool = False) -> str:
    """The report as text, `width` columns wide."""
    page = _Page(width, colour=colour, ascii_only=ascii_only)
    page.head(result)
    theirs = [f for f in result.findings if f.outcome not in _NOT_THEIRS]
    page.findings("What to fix", [f for f in theirs if f.severity is not Severity.INFO])
    page.findings("Not settled, and no fault of the domain", [f for f in result.findings if f not in theirs])
    page.findings("Notes", [f for f in theirs if f.severity is Severity.INFO])
    page.mx(result.observation)
    page.endpoints(result.observation)
    return page.text()


class _Page:
    def __init__(self, width: int, *, colour: bool, ascii_only: bool) -> None:
        self._out = StringIO()
        self._ascii = ascii_only
        self._console = Console(
            file=self._out,
            width=width,
            color_system="standard" if colour else None,
            force_terminal=colour,
            no_color=not colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def text(self) -> str:
        lines = (line.rstrip() for line in self._out.getvalue().splitlines())
        return "\n".join(lines).strip("\n") + "\n"

    def _line(self, text: str, style: str = "", indent: int = 0) -> None:
        if self._ascii:
            for char, plain in {"→": "->", "·": "-", "×": "x", "§": "section ", "…": "..."}.items():
                text = text.replace(char, plain)
        self._console.print(Padding(Text(visible(text, ascii_only=self._ascii), style), (0, 0, 0, indent)))

    def _title(self, text: str) -> None:
        self._console.print()
        self._line(text, "bold")

    def head(self, result: Result) -> None:
        seen = result.observation
        word, style = _STATUS[result.status]
        count = {s: sum(f.severity is s for f in result.findings) for s in Severity}
        self._line(f"{seen.domain}: {word}", style)
        self._line(
            f"{count[Severity.CRIT]} critical, {count[Severity.WARN]} warnings, {count[Severity.INFO]} notes"
            f" · {seen.run_at} · {seen.seconds:.1f} s · HELO {seen.settings.helo_name}"
            + (f" · resolver {seen.resolver}" if seen.resolver else "")
        )
        if not result.findings:
            self._line("Nothing to fix.", "green")

    def findings(self, title: str, findings: list[Finding]) -> None:
        if not findings:
            return
        self._title(title)
        for finding in findings:
            subject = f"{finding.subject}  " if finding.subject else ""
            self._line(
                f"{finding.severity.upper():4}  {subject}{finding.message}", _SEVERITY[finding.severity], 2
            )
            self._line(f"Fix: {finding.fix}", indent=8)
            self._line(f"{finding.code} · {finding.reference}", "dim", indent=8)
            if finding.severity is not Severity.INFO:
                self._quotes(finding.evidence)

    def _quotes(self, evidence: tuple[Evidence, ...]) -> None:
        lines = [
            f"{item.where}: {octets_visible(line) if item.source == 'session' else line}"
            for item in evidence
            for line in item.quote.removesuffix("\n").split("\n")
        ]
        for line in lines[:_MAX_QUOTED]:
            self._line(f"> {line.removesuffix(chr(92) + 'r')}", "dim", indent=8)
        if len(lines) > _MAX_QUOTED:
            self._line(f"> … {len(lines) - _MAX_QUOTED} more lines", "dim", indent=8)

    def mx(self, seen: Observation) -> None:
        if not seen.mx.records:
            return
        self._title("MX, implicit" if seen.mx.implicit_mx else "MX")
        for record in seen.mx.records:
            self._line(f"{record.preference:5} {record.target}  {_addresses(record)}", indent=2)

    def endpoints(self, seen: Observation) -> None:
        for endpoint in seen.endpoints:
            self._title(f"{endpoint.subject}  {', '.join(endpoint.targets)}")
            self._line(f"PTR  {_reverse(endpoint)}", indent=2)
            for session in endpoint.sessions:
                self._session(session)

    def _session(self, session: Session) -> None:
        if session.purpose != "main":
            self._line(f"another connection: {session.purpose}", "dim", 2)
        if session.greeting is not None:
            self._line(f"{octets_visible(_flat(session.greeting.raw))}", indent=2)
        if session.capabilities:
            self._line("EHLO " + ", ".join(_keywords(session, tls=False)), indent=2)
        if session.tls is not None:
            self._line(f"TLS  {session.tls.version}, {session.tls.cipher}", indent=2)
            self._line("EHLO " + ", ".join(_keywords(session, tls=True)), indent=2)
        for transaction in session.transactions:
            verdict = transaction.verdict
            if verdict is not None:
                question = _PURPOSES[transaction.purpose]
                pair = f"<{transaction.sender}> → <{transaction.recipient}>"
                self._line(f"{question}: {pair}  {octets_visible(_flat(verdict.raw))}", indent=2)
        if session.end is not None:
            end = session.end
            told = f"{end.kind} {end.detail}".strip()
            self._line(f"ended at {end.step} after {end.at:.1f} s: {told}", "yellow", 2)


def _flat(raw: str) -> str:
    lines = raw.replace("\r\n", "\n").strip("\n").split("\n")
    return lines[0] + (f" … ({len(lines)} lines)" if len(lines) > 1 else "")


def _addresses(record: MxTarget) -> str:
    if record.literal:
        return f"an IP literal ({record.literal})"
    alias = "".join(f"→ {alias} " for alias in record.aliases)
    return alias + (", ".join(record.ipv4 + record.ipv6) or "no address")


def _reverse(endpoint: Endpoint) -> str:
    reverse = endpoint.reverse
    if reverse is None or not reverse.names:
        return f"none ({reverse.status if reverse else 'not asked'})"
    back = "leads back" if reverse.confirmed_by else "does not lead back"
    return f"{', '.join(reverse.names)} ({back})"


def _keywords(session: Session, *, tls: bool) -> list[str]:
    known = session.capabilities_tls if tls else session.capabilities
    return [" ".join((k.keyword, *k.parameters)) for k in known]
