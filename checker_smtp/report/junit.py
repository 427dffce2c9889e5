"""A JUnit report for CI pipelines: the domain is a test suite, each rule a test case.

A rule that found a warning or something critical has failed; one that could not judge is skipped, since a
pass would be a claim. The rest passes, with its notes as output. There is at most one failure in a test
case, because that is what most readers take; it quotes all that the rule found.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import RULES, Finding, Severity

from .metrics import UNSETTLED
from .visible import octets_visible, visible

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["render_junit"]

_zoneless = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?").fullmatch


def render_junit(result: Result) -> str:
    """The report in XML, with a final newline."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    seen = result.observation
    root = Element("testsuites", name="checker-smtp")
    suite = SubElement(root, "testsuite", name=visible(seen.domain))
    cases = [_case(result, rule) for rule in _rules(result)]
    suite.extend(cases)
    for counted in (root, suite):
        counted.set("tests", str(len(cases)))
        counted.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        counted.set("errors", "0")
        counted.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
        counted.set("time", f"{seen.seconds:.3f}")
    suite.set("hostname", visible(seen.settings.helo_name))
    if began := _zoneless(seen.run_at):
        suite.set("timestamp", began[1])
    indent(root)
    text: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode("ascii") + "\n"


def _rules(result: Result) -> list[str]:
    """Every rule of today, then those that only the result knows."""
    return list(dict.fromkeys((*RULES, *(finding.rule for finding in result.findings))))


def _case(result: Result, rule: str) -> "Element":
    from xml.etree.ElementTree import Element, SubElement

    case = Element("testcase", classname=visible(result.observation.domain), name=visible(rule), time="0")
    found = [finding for finding in result.findings if finding.rule == rule]
    failures = [finding for finding in found if finding.severity is not Severity.INFO]
    unsettled = [finding for finding in found if finding.outcome in UNSETTLED]
    if failures:
        worst = failures[0]
        failure = SubElement(case, "failure", message=_sentence(worst), type=visible(worst.code))
        failure.text = _told(failures)
    elif unsettled:
        SubElement(case, "skipped", message=_sentence(unsettled[0]))
    elif not found and not _tested(result, rule):
        SubElement(case, "skipped", message="There was nothing to judge.")
    notes = [finding for finding in found if finding not in failures]
    if notes:
        SubElement(case, "system-out").text = _told(notes)
    return case


def _tested(result: Result, rule: str) -> bool:
    seen = result.observation
    return rule in RULES and RULES[rule].applies_to(seen) and RULES[rule].tested(seen)


def _sentence(finding: Finding) -> str:
    return visible(f"{finding.subject}: {finding.message}" if finding.subject else finding.message)


def _told(findings: list[Finding]) -> str:
    return "\n".join(line for finding in findings for line in _lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    yield visible(f"{finding.severity.upper()} {finding.code}: {_sentence(finding)}")
    yield visible(f"Fix: {finding.fix}")
    if finding.reference:
        yield visible(f"See: {finding.reference}")
    for item in finding.evidence:
        shown = octets_visible if item.source == "session" else visible
        for line in item.quote.removesuffix("\n").split("\n"):
            yield f"> {visible(item.where)}: {shown(line.removesuffix(chr(13)))}"
