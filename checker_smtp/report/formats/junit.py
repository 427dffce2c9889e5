"""A JUnit report for CI pipelines: the domain is a test suite, each rule a test case.

A rule with a warning or a critical finding is a failure. A rule that could not be evaluated is skipped,
because a pass would claim too much. Any other rule passes, with its notes as output. A test case has at most
one failure, because most readers of the format support only one; it quotes all findings of the rule. The
state of the domain's mail is a property of the suite.
"""

import re
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import RULES, Finding, rule_of
from checker_smtp.report.model.mail_state import describe_reason
from checker_smtp.report.model.panels import (
    UNSETTLED,
    describe_acceptance,
    describe_severity,
    is_fault,
    list_unused,
)
from checker_smtp.report.terminal import Terminal
from checker_smtp.report.visible import octets_visible, visible

__all__ = ["render_junit", "render_junit_several"]

_zoneless = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?").fullmatch


def render_junit(result: Result, terminal: Terminal | None = None) -> str:
    """Return the report in XML, with a final newline."""
    return "".join(render_junit_several([result], terminal))


def render_junit_several(results: Sequence[Result], _: Terminal | None = None) -> Iterator[str]:
    """Yield the reports in XML, a test suite for each domain."""
    root = Element("testsuites", name="checker-smtp")
    for result in results:
        root.append(_suite(result))
    _count(root, root.findall("testsuite/testcase"), sum(result.observation.seconds for result in results))
    indent(root)
    text: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    yield text.decode("ascii") + "\n"


def _suite(result: Result) -> Element:
    observation = result.observation
    suite = Element("testsuite", name=visible(observation.domain))
    properties = SubElement(suite, "properties")
    for name, value in (("mail", result.mail.state), ("mail.reason", result.mail.reason)):
        SubElement(properties, "property", name=name, value=visible(value))
    for unused in list_unused(result.unused_acceptances, observation.run_at):
        SubElement(properties, "property", name="unused acceptance", value=unused)
    # all rules of this version, then those that only the result has
    rules = dict.fromkeys((*RULES, *(finding.rule for finding in result.findings)))
    cases = [_case(result, rule) for rule in rules]
    suite.extend(cases)
    _count(suite, cases, observation.seconds)
    suite.set("hostname", visible(observation.settings.helo_name))
    if match := _zoneless(observation.run_at):
        suite.set("timestamp", match[1])
    return suite


def _count(element: Element, cases: list[Element], seconds: float) -> None:
    """Set the counts of these test cases and the time as attributes."""
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    element.set("time", f"{seconds:.3f}")


def _case(result: Result, rule: str) -> Element:
    case = Element("testcase", classname=visible(result.observation.domain), name=visible(rule), time="0")
    findings = [finding for finding in result.findings if finding.rule == rule]
    failures = list(filter(is_fault, findings))
    unsettled = [f for f in findings if f.outcome in UNSETTLED and f.acceptance is None]
    if failures:
        worst = failures[0]
        failure = SubElement(case, "failure", message=_sentence(worst), type=visible(worst.code))
        failure.text = _text(failures)
    elif unsettled:
        SubElement(case, "skipped", message=_sentence(unsettled[0]))
    elif not findings and not _is_tested(result, rule):
        SubElement(case, "skipped", message="The rule was not tested.")
    notes = [finding for finding in findings if finding not in failures]
    if notes:
        SubElement(case, "system-out").text = _text(notes)
    return case


def _is_tested(result: Result, name: str) -> bool:
    rule, observation = rule_of(name), result.observation
    return rule is not None and rule.applies_to(observation) and rule.tested(observation)


def _sentence(finding: Finding) -> str:
    return visible(f"{finding.subject}: {finding.message}" if finding.subject else finding.message)


def _text(findings: list[Finding]) -> str:
    return "\n".join(line for finding in findings for line in _lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    yield visible(f"{finding.severity.upper()} {finding.code}: {_sentence(finding)}")
    yield visible(f"Fix: {finding.fix}")
    if finding.reference:
        yield visible(f"See: {finding.reference}")
    if acceptance := describe_acceptance(finding):
        yield f"Not counted: {acceptance}"
    if severity := describe_severity(finding):
        yield f"Severity: {severity}"
    if reason := describe_reason(finding):
        yield f"Reason: {reason}"
    for item in finding.evidence:
        escape = octets_visible if item.source == "session" else visible
        for line in item.quote.removesuffix("\n").split("\n"):
            yield f"> {visible(item.where)}: {escape(line.removesuffix(chr(13)))}"
