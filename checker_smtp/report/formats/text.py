"""The report as text for a terminal or a log, in the order and the words of the HTML page.

The report of a healthy domain fits on one screen, and the first ten lines of any report say what to do. The
time-lines and the transcripts are only on the page and in the JSON document.
"""

from collections.abc import Iterator, Sequence

from checker_smtp.probes.result import Result
from checker_smtp.report.advice.explain import steps
from checker_smtp.report.model.endpoints import EndpointReport
from checker_smtp.report.model.items import Fix, Item, Quote
from checker_smtp.report.model.panels import ReportPanel
from checker_smtp.report.model.report import Report, build_report, describe_worst
from checker_smtp.report.model.transactions import TransactionResult
from checker_smtp.report.model.transcript import more_lines
from checker_smtp.report.model.verdict import STATUS_WORDS
from checker_smtp.report.terminal import Terminal

__all__ = ["STATUS_WIDTH", "render_line", "render_text", "render_text_several"]

_INDENT = " " * 8
_RULE = "-" * 72
STATUS_WIDTH = max(map(len, STATUS_WORDS.values()))
# Lines quoted of one reply; the page and the JSON document have more.
_MAX_QUOTED = 3
# The part of a line that the question of a row may take, so that its answer is not a narrow column.
_MAX_QUESTION = 3
# The pair that most verdicts come from; the page has the others.
_MAX_COMMANDS = 2


def render_text(result: Result, terminal: Terminal | None = None) -> str:
    """Return the report as text."""
    page = _Page(terminal or Terminal(), build_report(result))
    return "\n".join(filter(None, page.parts())) + page.last_line()


def render_line(result: Result, terminal: Terminal) -> str:
    """Return the status, the domain, and the sentence on its worst fault, as one line."""
    return terminal.lines(
        f"{result.observation.domain}: {describe_worst(result)}",
        first=f"{STATUS_WORDS.get(result.status, 'Unknown'):{STATUS_WIDTH}}  ",
        first_style="good" if result.status == "info" else result.status,
    )


def render_text_several(results: Sequence[Result], terminal: Terminal) -> Iterator[str]:
    """Yield a line for each domain, then the reports."""
    for result in results:
        yield render_line(result, terminal)
    for result in results:
        yield f"\n{_RULE}\n{render_text(result, terminal)}"


class _Page:
    def __init__(self, terminal: Terminal, report: Report) -> None:
        self._terminal = terminal
        self._report = report

    def parts(self) -> list[str]:
        report = self._report
        panels = {
            ReportPanel.FIX: (self._items("What to fix", report.problems), self._notes(report.notes)),
            ReportPanel.UNSETTLED: (self._items("Not settled", report.unsettled),),
            ReportPanel.CHECKER: (self._about() if report.checker or report.max_refusals > 1 else "",),
            ReportPanel.ACCEPTED: (self._accepted(),),
        }
        return [
            self._head(),
            *(part for panel in report.panels for part in panels[panel]),
            self._mx(),
            *(self._endpoint(endpoint) for endpoint in report.endpoints),
        ]

    def last_line(self) -> str:
        return self._terminal.lines(f"Not looked at: {self._report.not_looked_at}.", "dim")

    def _head(self) -> str:
        report, head = self._report, self._report.head
        is_shown = head.unicode and not self._terminal.ascii_only
        name = f"{head.unicode} ({head.domain})" if is_shown else head.domain
        first = f" First: {report.first.title}." if report.first else ""
        verdict = head.verdict
        resolver = [detail for detail in head.details if detail[0] == "Resolver"]
        first_fact, *others = head.facts
        facts = " · ".join(f"{label} {value}" for label, value in (first_fact, *resolver, *others))
        return self._terminal.lines(
            f"{name}: {verdict.word.upper()}. {verdict.arrival} {verdict.faults}{first}",
            "good" if verdict.status == "info" else verdict.status,
        ) + self._terminal.lines(facts, "dim")

    def _title(self, title: str) -> str:
        return self._terminal.lines(title, "bold")

    def _items(self, title: str, items: tuple[Item, ...]) -> str:
        body = "\n".join(self._item(item) for item in items)
        return self._title(title) + body if items else ""

    def _about(self) -> str:
        """Return what is said of this checker, and its settings."""
        details = " · ".join(f"{label} {value}" for label, value in self._report.head.details)
        items = self._items("About this checker", self._report.checker)
        head = f"{items}\n" if items else self._title("About this checker")
        return head + self._terminal.lines(details, "dim", first="  ")

    def _item(self, item: Item) -> str:
        return (
            self._label(item)
            + "".join(self._subject(s.name, s.target, s.message) for s in item.subjects)
            + "".join(self._terminal.lines(f"Also: {text}", first=_INDENT) for text in item.consequences)
            + (self._terminal.lines(f"Why: {item.why}", first=_INDENT) if item.why else "")
            + "".join(self._fix(fix, item) for fix in item.fixes)
            + "".join(self._terminal.lines(step, first=_INDENT) for step in item.steps)
            + "".join(self._quote(quote) for quote in item.quotes)
            + "".join(self._terminal.lines(f"Reason: {r}", "dim", first=_INDENT) for r in item.reasons)
            + self._severity(item)
            + "".join(self._terminal.verbatim(f"$ {c}", first=_INDENT) for c in item.commands[:_MAX_COMMANDS])
            + self._terminal.lines(f"{item.code} · {item.reference}".strip(" ·"), "dim", first=_INDENT)
        )

    def _severity(self, item: Item) -> str:
        note = item.severity_note
        return self._terminal.lines(f"Severity: {note}", "dim", first=_INDENT) if note else ""

    def _quote(self, quote: Quote) -> str:
        lines = (*quote.asked, *quote.lines[:_MAX_QUOTED], *more_lines(len(quote.lines) - _MAX_QUOTED))
        body = "".join(self._terminal.lines(line, "dim", first=f"{_INDENT}> ") for line in lines)
        return self._terminal.lines(f"{quote.where}:", "dim", first=_INDENT) + body

    def _label(self, item: Item) -> str:
        return self._terminal.lines(
            item.title, "bold", first=f"  {item.severity.upper():6}", first_style=item.severity
        )

    def _subject(self, name: str, target: str, message: str) -> str:
        # a message about an MX target names it itself
        name = "" if name in message and not target else name
        where = f"{name} ({target}): " if target else f"{name}: " if name else ""
        return self._terminal.lines(where + message, first=_INDENT)

    def _fix(self, fix: Fix, item: Item) -> str:
        label = "Fix" if item.has_fix else "What to do"
        at = f" at {', '.join(fix.subjects)}" if fix.subjects else ""
        software = f" in {fix.software}" if fix.software and label == "Fix" else ""
        lines = [
            self._terminal.verbatim(line, first=_INDENT + "    ")
            if copied
            else self._terminal.lines(line, first=_INDENT)
            for copied, line in steps(f"{label}{software}{at}: {fix.text}")
        ]
        return "".join(lines)

    def _notes(self, notes: tuple[Item, ...]) -> str:
        """Return the items that need no action, each with its subjects and its code."""
        entries = [
            self._label(item)
            + "".join(self._subject(s.name, s.target, f"{s.message} ({item.code})") for s in item.subjects)
            + self._severity(item)
            for item in notes
        ]
        return self._title("Notes") + "".join(entries) if entries else ""

    def _accepted(self) -> str:
        """Return the accepted items, each with the reason, then the acceptances that were not used."""
        report = self._report
        entries = [
            self._label(item)
            + "".join(self._subject(s.name, s.target, s.message) for s in item.subjects)
            + self._terminal.lines(f"{item.code} · {item.acceptance_note}", "dim", first=_INDENT)
            for item in report.accepted
        ]
        entries += [self._terminal.lines(f"{text}.", first="  ") for text in report.unused_acceptances]
        return self._title("Accepted") + "".join(entries) if entries else ""

    def _mx(self) -> str:
        report = self._report
        if not report.mx:
            return ""
        rows = [
            self._terminal.lines(
                " · ".join(
                    filter(
                        None,
                        (
                            row.target + (f" (TTL {row.ttl})" if row.ttl else ""),
                            row.address + (f" (TTL {row.address_ttl})" if row.address_ttl else ""),
                            row.note,
                            row.reverse and f"PTR {row.reverse}",
                        ),
                    )
                ),
                first=f"  {row.preference:>5} ",
            )
            for row in report.mx
        ]
        more = self._terminal.lines(f"… and {report.more_mx} more", first=_INDENT) if report.more_mx else ""
        return self._title("Mail servers of the domain") + "".join(rows) + more

    def _endpoint(self, endpoint: EndpointReport) -> str:
        badges = ", ".join(badge.text for badge in endpoint.badges)
        name = f"{endpoint.subject} ({endpoint.targets})"
        lines = [self._terminal.lines(f"{name}: {badges}" if badges else name, "bold")]
        lines += [self._fact(label, value) for label, value in endpoint.facts]
        if endpoint.before is not None:
            lines.append(self._fact("Offers", ", ".join(endpoint.before) or "nothing"))
        changes = [f"+{word}" for word in endpoint.gained] + [f"-{word}" for word in endpoint.lost]
        if endpoint.after is not None and changes:
            lines.append(self._fact("After TLS", ", ".join(changes)))
        lines += [self._fact(badge.text, f"{message} {fix}") for badge, message, fix in endpoint.tls_issues]
        lines += [self._transaction(row) for row in endpoint.transactions]
        return "".join(lines)

    def _fact(self, label: str, value: str) -> str:
        return self._terminal.lines(value, first=f"  {label:13} ", first_style="dim")

    def _transaction(self, row: TransactionResult) -> str:
        first, *others = row.reply or ("",)
        text = " · ".join(filter(None, (row.verdict.text, first)))
        more = "".join(self._terminal.lines(line, "dim", first=_INDENT) for line in others)
        remark = self._terminal.lines(row.remark, "dim", first=" " * 4) if row.remark else ""
        first, level = f"  {row.question}: ", row.verdict.level
        if len(first) <= self._terminal.width // _MAX_QUESTION:
            return self._terminal.lines(text, level, first=first) + more + remark
        answer = self._terminal.lines(text, level, first=" " * 6)
        return self._terminal.lines(first, level) + answer + more + remark
