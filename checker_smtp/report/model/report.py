"""The view model of a report: the order and the words that the HTML page and the text report share.

1. The head: the domain, the verdict, the counts, the time of the check.
2. Panels of items (`panels`), worst first. One problem on several endpoints is one item.
3. The MX table.
4. Each endpoint.

Every text in the model has passed `visible`, so a renderer only escapes it for its medium. Texts that a
hostile server can make long are truncated here, and the rest is counted. No HTML and no colours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from checker_smtp.probes.observation import GIVEN_WITH_REQUEST, Observation, TlsProbe
from checker_smtp.probes.result import Result
from checker_smtp.report.advice.software import recognise
from checker_smtp.report.refusal_count import count_refusals
from checker_smtp.report.visible import visible

from .endpoint_index import EndpointIndex
from .endpoints import EndpointReport, build_endpoint_report
from .fail2ban import describe_refusals
from .items import Context, Item, items_of
from .mx_table import MxRow, build_mx_rows, describe_coverage
from .panels import ReportPanel, describe_counts, list_unused
from .timeline import format_seconds, format_time
from .transcript import TranscriptView
from .verdict import Verdict, build_verdict, list_disabled_tests

__all__ = ["Head", "Report", "build_report", "describe_worst"]

# Characters of transcript in a report. The sessions share them equally, with a minimum for each session.
_MAX_CHARS = 60_000
_MIN_SESSION_CHARS = 6_000
_NOT_LOOKED_AT = "certificate validity, DANE, MTA-STS, DNSSEC signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a report.

    `unicode` is the domain in Unicode, empty for an ASCII domain. `counts` are the numbers of all findings in
    words, by severity. `facts` and `details` are pairs of label and value; `details` are the settings needed
    to repeat the check.
    """

    domain: str
    unicode: str
    verdict: Verdict
    counts: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report.

    `to_fix`, `unsettled`, `checker` and `accepted` are the panels; `unused_acceptances` are sentences.
    `cited` maps the anchor of a transcript line to the items that cite it as evidence. `not_looked_at` is
    what no check looks at.
    """

    head: Head
    to_fix: tuple[Item, ...]
    unsettled: tuple[Item, ...]
    checker: tuple[Item, ...]
    accepted: tuple[Item, ...]
    unused_acceptances: tuple[str, ...]
    mx: tuple[MxRow, ...]
    more_mx: int
    null_mx: bool
    endpoints: tuple[EndpointReport, ...]
    skipped: tuple[str, ...]
    cited: dict[str, tuple[Item, ...]]
    not_looked_at: str = _NOT_LOOKED_AT
    max_refusals: int = 0

    @property
    def problems(self) -> tuple[Item, ...]:
        """The items to fix that are warnings or critical."""
        return tuple(item for item in self.to_fix if item.is_fault)

    @property
    def faults(self) -> tuple[Item, ...]:
        """The warnings and critical items of all panels: those to fix first."""
        return tuple(item for item in (*self.to_fix, *self.unsettled, *self.checker) if item.is_fault)

    @property
    def first(self) -> Item | None:
        """The first fault, where the verdict does not name it already."""
        problem = next(iter(self.faults), None)
        is_named = problem is not None and problem.title.lower() in self.head.verdict.arrival.lower()
        return None if is_named else problem

    @property
    def notes(self) -> tuple[Item, ...]:
        """The other items to fix."""
        return tuple(item for item in self.to_fix if not item.is_fault)

    @property
    def panels(self) -> tuple[ReportPanel, ...]:
        """The panels in the order of the page: what to fix is behind open ones where it has notes only."""
        fix, *others, accepted = ReportPanel
        is_behind = (self.unsettled or self.checker) and not self.problems
        return (*others, fix, accepted) if is_behind else (fix, *others, accepted)


def build_report(result: Result) -> Report:
    """Build the view model of `result`."""
    observation = result.observation
    index = EndpointIndex(observation)
    about = index.group(result.findings)
    tls_probes: dict[str, list[TlsProbe]] = {}
    for probe in observation.tls_probes:
        tls_probes.setdefault(probe.endpoint, []).append(probe)
    context = Context(
        observation=observation,
        endpoints=index,
        tls_probes=tls_probes,
        software={endpoint.subject: recognise(endpoint) for endpoint in observation.endpoints},
        logs={
            (endpoint.subject, n): TranscriptView(session, f"e{number}s{n}")
            for number, endpoint in enumerate(observation.endpoints)
            for n, session in enumerate(endpoint.sessions)
        },
    )
    items = items_of(result.findings, context)
    panels = {panel: tuple(item for item in items if item.panel is panel) for panel in ReportPanel}
    rows, more = build_mx_rows(observation)
    max_chars = max(_MAX_CHARS // max(len(context.logs), 1), _MIN_SESSION_CHARS)
    return Report(
        head=_head(result),
        to_fix=panels[ReportPanel.FIX],
        unsettled=panels[ReportPanel.UNSETTLED],
        checker=panels[ReportPanel.CHECKER],
        accepted=panels[ReportPanel.ACCEPTED],
        unused_acceptances=list_unused(result.unused_acceptances, observation.run_at),
        mx=rows,
        more_mx=more,
        null_mx=observation.mx.null_mx,
        endpoints=_with_one_remark(
            build_endpoint_report(number, endpoint, about.get(endpoint.subject, []), context, max_chars)
            for number, endpoint in enumerate(observation.endpoints)
        ),
        skipped=tuple(map(visible, observation.skipped)),
        cited=_cited(items),
        max_refusals=max(count_refusals(observation).values(), default=0),
    )


def describe_worst(result: Result) -> str:
    """Return one sentence of the verdict: the first problem, or if mail can arrive where there is none."""
    report = build_report(result)
    return f"{report.faults[0].title}." if report.faults else report.head.verdict.arrival


def _with_one_remark(endpoints: Iterable[EndpointReport]) -> tuple[EndpointReport, ...]:
    """Return the endpoints with each remark once, at its first row."""
    known: set[str] = set()
    shown: list[EndpointReport] = []
    for endpoint in endpoints:
        rows = [replace(row, remark="") if row.remark in known else row for row in endpoint.transactions]
        known.update(row.remark for row in rows)
        shown.append(replace(endpoint, transactions=tuple(rows)))
    return tuple(shown)


def _cited(items: tuple[Item, ...]) -> dict[str, tuple[Item, ...]]:
    cited: dict[str, tuple[Item, ...]] = {}
    for item in items:
        for quote in item.quotes:
            if quote.anchor and item not in cited.get(quote.anchor, ()):
                cited[quote.anchor] = (*cited.get(quote.anchor, ()), item)
    return cited


def _head(result: Result) -> Head:
    observation = result.observation
    return Head(
        domain=visible(observation.domain),
        unicode=_unicode(observation.domain),
        verdict=build_verdict(result),
        counts=describe_counts(result.findings),
        facts=tuple(_facts(observation)),
        details=tuple(_details(observation)),
    )


def _facts(observation: Observation) -> list[tuple[str, str]]:
    facts = [
        ("Checked", visible(f"{format_time(observation.run_at)}, in {format_seconds(observation.seconds)}"))
    ]
    if _is_mx_given(observation):
        facts.append(("MX records", GIVEN_WITH_REQUEST))
    if reason := observation.settings.helo_reason:
        facts.append(("EHLO name", visible(f"{observation.settings.helo_name} ({reason})")))
    if observation.endpoints:
        facts += describe_coverage(observation)
    if disabled := list_disabled_tests(observation):
        facts.append(("Not tested, by option", ", ".join(disabled)))
    return facts


def _is_mx_given(observation: Observation) -> bool:
    """Return whether the MX set was supplied by the caller, and DNS was not queried."""
    return any(
        (answer.name, answer.rdtype, answer.detail) == (observation.domain, "MX", GIVEN_WITH_REQUEST)
        for answer in observation.dns
    )


def _details(observation: Observation) -> list[tuple[str, str]]:
    settings = observation.settings
    details = [
        ("EHLO name", settings.helo_name),
        ("Sender", settings.sender),
        ("Relay probe", settings.probe_address),
        ("Timeout", f"{format_seconds(settings.timeout)} at each step"),
        ("Port", str(settings.port)),
        ("Resolver", observation.resolver or "the system's"),
    ]
    if observation.controls:
        outcomes = [
            f"{c.host} at {c.address or 'no address'}: {c.outcome}" for c in observation.controls[:10]
        ]
        details.append(("Control hosts", "; ".join(outcomes)))
    if observation.rules is not None:
        details.append(("Rules", ", ".join(observation.rules) or "none"))
    if settings.allow_targets:
        details.append(("Allowed targets", ", ".join(settings.allow_targets)))
    details += describe_refusals(observation)
    return [(label, visible(value)) for label, value in details]


def _unicode(domain: str) -> str:
    if "xn--" not in domain:
        return ""
    import idna  # imported late: loading its tables takes longer than the rest of a report

    try:
        return visible(idna.decode(domain))
    except (idna.IDNAError, UnicodeError):
        return ""
