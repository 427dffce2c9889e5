"""Items of a report: each problem once, the worst first, with its fix, evidence and commands.

Findings of the same kind on several endpoints become one item with several subjects. The fix is that of the
software recognised at each subject; a fix that a rule wrote for the case at hand goes before both.
Everything in an item is visible text; settings and commands in prose stand in backticks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Observation, TlsProbe
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import (
    Code,
    Evidence,
    Finding,
    Outcome,
    Severity,
    Urgency,
    purposes_of,
    record_of,
)
from checker_smtp.report.advice import advice_for
from checker_smtp.report.advice.commands import commands_for
from checker_smtp.report.advice.software import Recognised
from checker_smtp.report.visible import visible

from .consequences import group_by_cause
from .endpoint_index import EndpointIndex
from .mail_state import describe_reason
from .next_steps import next_steps
from .panels import UNSETTLED, ReportPanel, describe_acceptance, describe_severity, panel_of
from .transcript import Citation, TranscriptView, more_lines, shorten

__all__ = ["Context", "Fix", "Item", "Quote", "Subject", "items_of"]

_MAX_SUBJECTS = 32
_MAX_MESSAGE = 2000
_MAX_QUOTES = 6
_MAX_LINES = 12
_MAX_COMMANDS = 6
_UNKNOWN = "A finding that this version does not know"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The subject of an item: `name` is an endpoint, an MX target, or empty for the domain as a whole."""

    name: str
    target: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A fix; `software` is empty for general advice, `subjects` for one that applies to all subjects."""

    software: str
    subjects: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Evidence: the question or who answered, what was `asked`, the words, the line they stand on."""

    where: str
    asked: tuple[str, ...]
    lines: tuple[str, ...]
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One problem.

    `number` is that of its findings, those that follow from it included; `steps` are what may settle it, with
    options; `reasons` those of the refusals in its evidence, with the words that show them; `consequences`
    are what follows from it, each with its code; `severity_note` says that the configuration changed the
    severity, `acceptance_note` that the operator accepts the problem.
    """

    anchor: str
    panel: ReportPanel
    code: str
    severity: Severity
    outcome: Outcome
    title: str
    why: str
    reference: str
    number: int
    subjects: tuple[Subject, ...]
    more_subjects: int
    fixes: tuple[Fix, ...]
    steps: tuple[str, ...]
    quotes: tuple[Quote, ...]
    more_quotes: int
    reasons: tuple[str, ...]
    commands: tuple[str, ...]
    consequences: tuple[str, ...] = ()
    severity_note: str = ""
    acceptance_note: str = ""

    @property
    def has_fix(self) -> bool:
        """True where the remedy is a fix at the domain, and no step to settle a question."""
        is_accepted_fault = self.panel is ReportPanel.ACCEPTED and self.outcome not in UNSETTLED
        return self.panel is ReportPanel.FIX or is_accepted_fault

    @property
    def is_fault(self) -> bool:
        """True for a warning or a critical finding."""
        return self.severity is not Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The input of items: the observation, its endpoints, the software and the transcripts at each.

    `tls_probes` are those of the TLS checker by its names for the endpoints.
    """

    observation: Observation
    endpoints: EndpointIndex
    tls_probes: dict[str, list[TlsProbe]]
    software: dict[str, Recognised | None]
    logs: dict[tuple[str, int], TranscriptView]


def items_of(findings: Iterable[Finding], context: Context) -> tuple[Item, ...]:
    """One item per problem, the most urgent first."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    consequences: dict[tuple[str, ...], list[Finding]] = {}
    for cause, following in group_by_cause(sorted(findings, key=_urgency)):
        kind = _kind(cause)
        groups.setdefault(kind, []).append(cause)
        consequences.setdefault(kind, []).extend(following)
    return tuple(
        _item(f"f{n}", group, consequences[kind], context)
        for n, (kind, group) in enumerate(groups.items(), start=1)
    )


def _urgency(finding: Finding) -> tuple[int, int]:
    record = record_of(finding.code)
    return -finding.severity.rank, record.urgency if record else Urgency.OTHER


def _own_record(finding: Finding) -> Code | None:
    """Return the record of a code of this checker; None for the findings of another, or a newer, one."""
    record = record_of(finding.code)
    return record if record is not None and not record.source else None


def _kind(finding: Finding) -> tuple[str, ...]:
    """Return a key that is the same for findings of the same problem."""
    # two messages about the domain as a whole are two problems, and so are those of another checker
    is_alone = not finding.subject or _own_record(finding) is None
    message = finding.message if is_alone else ""
    return (
        *(finding.code, finding.severity, finding.rule_severity or "", describe_acceptance(finding)),
        *(finding.outcome, finding.fix, message),
    )


def _item(anchor: str, group: list[Finding], following: list[Finding], context: Context) -> Item:
    first = group[0]
    record = record_of(first.code)
    everything = [*group, *following]
    quotes = list(dict.fromkeys(quote for finding in everything for quote in _quotes(finding, context)))
    return Item(
        anchor=anchor,
        panel=panel_of(first),
        code=visible(first.code),
        severity=first.severity,
        outcome=first.outcome,
        title=record.title if record else _UNKNOWN,
        why=record.why if record else "",
        reference=visible(first.reference),
        number=len(everything),
        subjects=tuple(_subject(finding, context) for finding in group[:_MAX_SUBJECTS]),
        more_subjects=max(len(group) - _MAX_SUBJECTS, 0),
        fixes=tuple(_fixes(group, context)),
        steps=tuple(
            dict.fromkeys(
                step
                for finding in everything
                for step in next_steps(
                    finding, context.endpoints.find(finding), context.observation, shown=first.fix
                )
            )
        ),
        quotes=tuple(quotes[:_MAX_QUOTES]),
        more_quotes=max(len(quotes) - _MAX_QUOTES, 0),
        reasons=tuple(filter(None, dict.fromkeys(map(describe_reason, group))))[:_MAX_QUOTES],
        commands=tuple(map(visible, dict.fromkeys(_commands(everything, context))))[:_MAX_COMMANDS],
        consequences=tuple(dict.fromkeys(map(_consequence, following)))[:_MAX_SUBJECTS],
        severity_note=describe_severity(first),
        acceptance_note=describe_acceptance(first),
    )


def _consequence(finding: Finding) -> str:
    return visible(f"{finding.message[:_MAX_MESSAGE]} ({finding.code})")


def _commands(group: list[Finding], context: Context) -> Iterator[str]:
    """Yield the commands for each finding, at each endpoint that its evidence is from."""
    for finding in group[:_MAX_COMMANDS]:
        cited: list[Endpoint | None] = []
        if not finding.subject:
            cited += context.endpoints.cited_by(finding)[:_MAX_COMMANDS]
        for endpoint in cited or [context.endpoints.find(finding)]:
            yield from commands_for(finding, endpoint, context.observation)


def _subject(finding: Finding, context: Context) -> Subject:
    found = context.endpoints.find(finding)
    endpoint = found if found is not None and found.subject == finding.subject else None
    target = ", ".join(endpoint.targets[:3]) if endpoint else ""
    return Subject(
        name=visible(finding.subject), target=visible(target), message=visible(finding.message[:_MAX_MESSAGE])
    )


def _fixes(group: list[Finding], context: Context) -> list[Fix]:
    """One fix for each software met; where all subjects share one, they need not be named."""
    by_software: dict[str, dict[str, None]] = {}
    for finding in group:
        record = _own_record(finding)
        own = record is not None and finding.fix == record.fix
        recognised = [context.software.get(e.subject) for e in _concerned(finding, context)]
        met = [str(found.software) for found in recognised if found]
        for name in met if own and met else [""]:
            by_software.setdefault(name, {})[finding.subject] = None
    texts: dict[tuple[str, str], dict[str, None]] = {}
    for name, subjects in by_software.items():
        text = advice_for(group[0].code, name) if name else visible(group[0].fix)
        tailored = bool(name) and text != advice_for(group[0].code)
        texts.setdefault((name if tailored else "", text), {}).update(subjects)
    alone = len(texts) == 1
    return [
        Fix(software=name, subjects=() if alone else tuple(map(visible, filter(None, subjects))), text=text)
        for (name, text), subjects in texts.items()
        if text
    ]


def _concerned(finding: Finding, context: Context) -> list[Endpoint]:
    """Return the endpoints to fix: the subject, or those that the evidence of a domain's fault is from."""
    if finding.subject:
        endpoint = context.endpoints.find(finding)
        return [endpoint] if endpoint else []
    record = record_of(finding.code)
    if record is not None and record.fix_everywhere:
        return list(context.observation.endpoints)
    return context.endpoints.cited_by(finding)


def _quotes(finding: Finding, context: Context) -> list[Quote]:
    record = record_of(finding.code)
    purposes = purposes_of(finding)
    keyword = record.quoted_keyword if record else ""
    return [
        _quote(item, purposes[number] if number < len(purposes) else "", keyword, context)
        for number, item in enumerate(finding.evidence)
    ]


def _quote(item: Evidence, purpose: str, keyword: str, context: Context) -> Quote:
    lines = item.quote.removesuffix("\n").split("\n")
    quoted = [line for line in lines if keyword in line.upper()]
    shown = [_quoted(line.removesuffix("\r"), item.source) for line in quoted[:_MAX_LINES]]
    shown += more_lines(len(lines) - len(shown))
    log = context.logs.get((item.where, item.session if item.session is not None else -1))
    place = log.find(item, purpose) if log is not None else Citation()
    again = f", connection {item.session + 1}" if item.session else ""
    return Quote(
        where=visible(item.where) + again, asked=place.commands, lines=tuple(shown), anchor=place.anchor
    )


def _quoted(line: str, source: str) -> str:
    if source == "session":
        return shorten(line)
    # an answer without records is quoted as its status, which people know in capitals
    return line.upper() if line in tuple(DnsStatus) else visible(line[:400])
