"""The report as a story, before it is a page or a terminal's text: both tell it in this order, these words.

1. The head: which domain, can mail arrive, how bad is it, when and how it was looked at, how sure it is.
2. What to fix, the worst first, notes last; the same problem on several endpoints once.
3. What is not the domain's fault, or not settled: refusals of this checker, putting off, what was not tested.
4. The MX table and the coverage of both address families.
5. Each endpoint.

Every text in a story has been made visible (see `visible`), so whoever renders it has only to escape for the
medium. What a hostile server can make long is cut here, and what was cut is counted. No HTML and no colours.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, Severity

from .endpoints import EndpointReport, build_endpoint_report
from .items import Context, Item, items_of
from .metrics import UNSETTLED
from .mx_table import CoverageRow, MxRow, build_coverage_rows, build_mx_rows
from .software import recognise
from .timeline import format_seconds
from .transcript import TranscriptView
from .verdict import Verdict, build_verdict, list_disabled_tests
from .visible import visible

__all__ = ["Head", "Report", "build_report"]

# Characters of transcript told in all; each session gets its share, and none less than the second.
_ROOM = 60_000
_LEAST_ROOM = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`unicode` is the domain as people write it, empty where that is the same.

    `facts` are label and value: the first ones matter to everybody, `details` to who repeats the check.
    """

    domain: str
    unicode: str
    verdict: Verdict
    counts: dict[str, int]
    run_at: str
    facts: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`to_fix` are the domain's own problems, `unsettled` those that are not, or not yet; worst first.

    `cited` has, for each transcript line that is evidence, the items that rest on it.
    """

    head: Head
    to_fix: tuple[Item, ...]
    unsettled: tuple[Item, ...]
    mx: tuple[MxRow, ...]
    more_mx: int
    null_mx: bool
    implicit_mx: bool
    coverage: tuple[CoverageRow, ...]
    endpoints: tuple[EndpointReport, ...]
    skipped: tuple[str, ...]
    cited: dict[str, tuple[Item, ...]]

    @property
    def is_unsettled_first(self) -> bool:
        """Whether what is not settled is the news, because there is nothing to fix but notes."""
        return bool(self.unsettled) and all(item.severity is Severity.INFO for item in self.to_fix)


def build_report(result: Result) -> Report:
    """The story of a result."""
    seen = result.observation
    context = Context(
        observation=seen,
        software={endpoint.subject: recognise(endpoint) for endpoint in seen.endpoints},
        logs={
            (endpoint.subject, n): TranscriptView(session, f"e{number}s{n}")
            for number, endpoint in enumerate(seen.endpoints)
            for n, session in enumerate(endpoint.sessions)
        },
    )
    items = items_of(result.findings, context)
    to_fix = tuple(item for item in items if item.outcome not in UNSETTLED)
    unsettled = tuple(item for item in items if item.outcome in UNSETTLED)
    rows, more = build_mx_rows(seen)
    room = max(_ROOM // max(len(context.logs), 1), _LEAST_ROOM)
    return Report(
        head=_head(result, to_fix, unsettled),
        to_fix=to_fix,
        unsettled=unsettled,
        mx=rows,
        more_mx=more,
        null_mx=seen.mx.null_mx,
        implicit_mx=seen.mx.implicit_mx,
        coverage=build_coverage_rows(seen),
        endpoints=tuple(
            build_endpoint_report(
                number, endpoint, _about(endpoint.subject, result, endpoint.targets), context, room
            )
            for number, endpoint in enumerate(seen.endpoints)
        ),
        skipped=tuple(map(visible, seen.skipped)),
        cited=_cited(items),
    )


def _about(subject: str, result: Result, targets: tuple[str, ...]) -> list[Finding]:
    """The findings about an endpoint, among them those about the domain that it is evidence for."""
    port = subject.rpartition(":")[2]
    names = {subject, *(f"{target}:{port}" for target in targets)}
    return [
        finding
        for finding in result.findings
        if finding.subject in names
        or (not finding.subject and any(e.source == "session" and e.where in names for e in finding.evidence))
    ]


def _cited(items: tuple[Item, ...]) -> dict[str, tuple[Item, ...]]:
    cited: dict[str, tuple[Item, ...]] = {}
    for item in items:
        for quote in item.quotes:
            if quote.anchor and item not in cited.get(quote.anchor, ()):
                cited[quote.anchor] = (*cited.get(quote.anchor, ()), item)
    return cited


def _head(result: Result, to_fix: tuple[Item, ...], unsettled: tuple[Item, ...]) -> Head:
    seen = result.observation
    counts = {str(severity): sum(item.severity is severity for item in to_fix) for severity in Severity}
    counts["unsettled"] = len(unsettled)
    return Head(
        domain=visible(seen.domain),
        unicode=_unicode(seen.domain),
        verdict=build_verdict(result, counts),
        counts=counts,
        run_at=visible(seen.run_at),
        facts=tuple(_facts(seen)),
        details=tuple(_details(seen)),
    )


def _facts(seen: Observation) -> list[tuple[str, str]]:
    facts = [("Checked", visible(f"{_moment(seen.run_at)}, in {format_seconds(seen.seconds)}"))]
    if given := _given(seen):
        facts.append(("MX records", visible(given)))
    if seen.endpoints:
        facts += [(row.family, row.summary) for row in build_coverage_rows(seen)]
    if off := list_disabled_tests(seen):
        facts.append(("Switched off", ", ".join(off)))
    return facts


def _given(seen: Observation) -> str:
    """What there is to know of an MX set that was not looked up; empty where it was."""
    answers = (a for a in seen.dns if (a.name, a.rdtype) == (seen.domain, "MX") and a.status.known)
    return next((answer.detail for answer in answers), "")


def _details(seen: Observation) -> list[tuple[str, str]]:
    settings = seen.settings
    details = [
        ("EHLO name", settings.helo_name),
        ("Sender", settings.sender),
        ("Relay probe", settings.probe_address),
        ("Patience", f"{format_seconds(settings.timeout)} at each step"),
        ("Port", str(settings.port)),
        ("Resolver", seen.resolver or "the system's"),
    ]
    if seen.controls:
        told = [f"{c.host} at {c.address}: {c.outcome}" for c in seen.controls[:10]]
        details.append(("Controls", "; ".join(told)))
    if seen.rules is not None:
        details.append(("Judged by", ", ".join(seen.rules) or "no rule"))
    if settings.allow_targets:
        details.append(("Also dialled", ", ".join(settings.allow_targets)))
    return [(label, visible(value)) for label, value in details]


def _moment(run_at: str) -> str:
    """RFC 3339 as people read it; anything else as it is."""
    return run_at.replace("T", " ").removesuffix("Z") + " UTC" if run_at.endswith("Z") else run_at


def _unicode(domain: str) -> str:
    if "xn--" not in domain:
        return ""
    import idna  # late: its tables cost more than the rest of a report

    try:
        return visible(idna.decode(domain))
    except (idna.IDNAError, UnicodeError):
        return ""
