"""Several domains in one report: a line each, then the reports; one document where a format has documents."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

from checker_smtp.probes.result import Result
from checker_smtp.report import formats
from checker_smtp.report.document import load
from checker_smtp.report.formats import FORMATS, render
from checker_smtp.report.formats.nagios import render_nagios_error
from checker_smtp.report.model.several import worst_status
from tests.report.results import POSTURES


def named(result: Result, domain: str) -> Result:
    return replace(result, observation=replace(result.observation, domain=domain))


RESULTS = [
    named(POSTURES["healthy"](), "well.test"),
    named(POSTURES["relay"](), "relay.test"),
    named(POSTURES["healthy"](), "fine.test"),
]


def render_several(results: list[Result], form: str) -> str:
    return "".join(formats.render_several(results, form))


def test_text_begins_with_a_line_each() -> None:
    lines = render_several(RESULTS, "text").splitlines()
    starts = [re.split(r"  +", line, maxsplit=1) for line in lines[:3]]
    assert [domain.partition(":")[0] for _, domain in starts] == ["well.test", "relay.test", "fine.test"]
    assert starts[1] == ["Critical", "relay.test: The server accepts mail from outside for other domains."]
    assert lines[3] == ""
    text = "\n".join(lines)
    assert all(render(result, "text").rstrip() in text for result in RESULTS)


def test_json_is_an_array_and_jsonl_a_line_each() -> None:
    array = json.loads(render_several(RESULTS, "json"))
    assert array == [json.loads(render(result, "json")) for result in RESULTS]
    lines = render_several(RESULTS, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == array
    assert [load(line) for line in lines] == [load(render(result, "json")) for result in RESULTS]


def test_junit_has_a_suite_each_and_their_sums() -> None:
    root = ElementTree.fromstring(render_several(RESULTS, "junit"))  # noqa: S314 - our own output
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["well.test", "relay.test", "fine.test"]
    for name in ("tests", "failures", "skipped"):
        assert int(root.get(name, "")) == sum(int(suite.get(name, "")) for suite in suites)
    assert int(suites[1].get("failures", "")) > 0


def test_prometheus_has_each_family_once() -> None:
    text = render_several(RESULTS, "prometheus")
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    (status,) = (family for family in families if family.name == "checker_smtp_status")
    current = {s.labels["domain"]: s.labels["status"] for s in status.samples if s.value}
    assert current["relay.test"] == "critical"
    assert set(current) == {"well.test", "relay.test", "fine.test"}
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


# https://www.monitoring-plugins.org/doc/guidelines.html, "Plugin Output for Nagios" and "Performance data"
NUMBER = r"-?\d+(\.\d+)?"
RANGE = rf"@?(({NUMBER}|~)?:)?({NUMBER})?"
DATUM = re.compile(
    rf"('(?:[^'=]|'')+'|[^\s'=]+)={NUMBER}(us|ms|s|%|B|KB|MB|TB|c)?(;{RANGE})?(;{RANGE})?(;({NUMBER})?)?(;({NUMBER})?)?"
)


def parse_plugin(text: str) -> tuple[str, str, list[str], list[str]]:
    """Return the status, the text, the performance data and the long lines of a plugin's output."""
    assert text.endswith("\n")
    assert text.isascii()
    head, *long = text.splitlines()
    assert "|" not in "\n".join(long)
    words, bar, data = head.partition(" | ")
    match = re.fullmatch(r"SMTP (OK|WARNING|CRITICAL|UNKNOWN): (.+)", words)
    assert match is not None, words
    items = [one[0] for one in re.finditer(r"(?:'(?:[^']|'')*'|[^\s'])+", data)]
    assert all(DATUM.fullmatch(item) for item in items), items
    assert bool(bar) == bool(items)
    return match[1], match[2], items, long


def test_nagios_has_the_worst_first_and_a_long_line_each() -> None:
    status, text, data, long = parse_plugin(render_several(RESULTS, "nagios"))
    assert status == "CRITICAL"
    assert text.startswith("3 domains: 1 CRITICAL, 2 OK; relay.test: 1 of ")
    assert text.endswith("[smtp.open_relay]")
    assert "'critical'=1;;;0;3" in data
    assert [line.split()[0] for line in long] == ["OK", "CRITICAL", "OK"]
    well = parse_plugin(render_several(RESULTS[::2], "nagios"))
    assert (well[0], well[1]) == ("OK", "2 domains: 2 OK")


@pytest.mark.parametrize("result", [make() for make in POSTURES.values()], ids=list(POSTURES))
def test_the_grammar_of_plugins_holds_for_each_posture(result: Result) -> None:
    assert parse_plugin(render(result, "nagios"))[1]
    assert parse_plugin(render_several([result, RESULTS[0]], "nagios"))[1].startswith("2 domains: ")


def test_an_error_is_a_status_line() -> None:
    status, text, data, long = parse_plugin(render_nagios_error("the resolver | is\n<dead>"))
    assert (status, text, data, long) == ("UNKNOWN", r"the resolver \x7c is [dead]", [], [])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_every_domain(form: str) -> None:
    text = render_several(RESULTS, form)
    assert all(result.observation.domain in text for result in RESULTS)


def test_a_warning_stands_over_unknown() -> None:
    assert worst_status(["ok", "unknown", "warning"]) == "warning"
    assert worst_status(["info", "unknown", "ok"]) == "unknown"
    assert worst_status(["critical", "unknown", "warning"]) == "critical"
    assert worst_status([]) == "unknown"
