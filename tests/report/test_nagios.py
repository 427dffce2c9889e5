"""The plugin output, parsed as the Monitoring Plugins guidelines define it."""

import re
from dataclasses import replace

import pytest

from checker_smtp.probes.rules import Outcome, Severity
from checker_smtp.report.formats.nagios import render_nagios
from tests.report.results import (
    FIXTURES,
    POSTURES,
    endpoint,
    everywhere_hostile,
    finding,
    golden,
    hidden,
    observation,
    replayed,
    result,
)

# 'label'=value[UOM];[warn];[crit];[min];[max], where a quote in a label is doubled
_DATUM = re.compile(
    r"'(?P<label>(?:[^='|]|'')+)'=(?P<value>-?\d+(?:\.\d+)?)(?P<unit>s|%|B|c|)"
    r"(?:;(?P<warn>[\d.:~@-]*))?(?:;(?P<crit>[\d.:~@-]*))?"
    r"(?:;(?P<min>-?[\d.]*))?(?:;(?P<max>-?[\d.]*))?(?: |$)"
)


def parse(output: str) -> tuple[str, dict[str, float], list[str]]:
    """Return the status text, the performance data and the long output."""
    first, *rest = output.removesuffix("\n").split("\n")
    text, bar, performance = first.partition(" | ")
    assert bar
    assert output.count("|") == 1
    data: dict[str, float] = {}
    at = 0
    while at < len(performance):
        match = _DATUM.match(performance, at)
        assert match, performance[at:]
        label = match["label"].replace("''", "'")
        assert label not in data
        data[label] = float(match["value"])
        at = match.end()
    return text, data, rest


@pytest.mark.parametrize("posture", POSTURES)
def test_output_is_that_of_a_plugin(posture: str) -> None:
    output = render_nagios(POSTURES[posture]())
    parse(output)
    golden(f"{posture}.nagios", output)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("ok", "OK"),
        ("info", "OK"),
        ("warning", "WARNING"),
        ("critical", "CRITICAL"),
        ("unknown", "UNKNOWN"),
    ],
)
def test_the_status_word_matches_the_exit_code(status: str, word: str) -> None:
    text, _, _ = parse(render_nagios(replace(POSTURES["healthy"](), status=status)))
    assert text.startswith(f"SMTP {word}: mail accepted; example.org: ")


def test_performance_data_has_counts_and_phases() -> None:
    _, data, _ = parse(render_nagios(POSTURES["relay"]()))
    assert data == {
        "time": 0.345,
        "reached": 1,
        "critical": 1,
        "warnings": 1,
        "notes": 1,
        "192.0.2.1:25 connect": 0.01,
        "192.0.2.1:25 banner": 0.02,
        "192.0.2.1:25 ehlo": 0.03,
        "192.0.2.1:25 transactions": 0.15,
    }


def test_the_worst_finding_is_in_the_status_line_and_all_are_below() -> None:
    text, _, rest = parse(render_nagios(POSTURES["relay"]()))
    assert text.endswith("; The server accepts mail from outside for other domains [smtp.open_relay]")
    assert [line.split()[0] for line in rest] == ["CRIT", "WARN", "INFO"]
    assert rest[0] == "CRIT 192.0.2.1:25 The server relays. [smtp.open_relay]"


def test_the_status_text_does_not_change_with_the_words_of_a_reply() -> None:
    texts = {
        parse(render_nagios(replace(POSTURES["relay"](), findings=(finding(message=message),))))[0]
        for message in ("550 Try later (4F2A1B)", "550 Try later (77C0DE)")
    }
    assert len(texts) == 1


def test_a_null_mx_is_ok_and_reported() -> None:
    seen = observation()
    nowhere = replace(seen, endpoints=(), mx=replace(seen.mx, records=(), null_mx=True))
    text, _, _ = parse(render_nagios(result(nowhere, (), "info")))
    assert text == "SMTP OK: mail none (null-mx); example.org: declares that it receives no mail (null MX)"


def test_hostile_content_changes_no_structure() -> None:
    output = render_nagios(everywhere_hostile())
    text, data, rest = parse(output)
    assert text.startswith("SMTP CRITICAL: ")
    assert len(rest) == 3
    assert "time" in data
    assert output.isascii()
    assert not hidden(output)
    assert "<" not in output


def test_output_stays_within_the_limit_of_nagios() -> None:
    many = observation(*(endpoint(f"2001:db8:1111:2222:3333:4444:5555:{n:x}") for n in range(32)))
    found = tuple(finding(message="x" * 10000) for _ in range(100))
    output = render_nagios(result(many, found, "critical"))
    parse(output)
    assert len(output) < 8192
    assert output.endswith("and 88 more findings\n")


def test_recorded_checks_are_parsed() -> None:
    for folder in FIXTURES:
        parse(render_nagios(replayed(folder)))


def test_an_unknown_status_names_the_cause_and_not_what_follows_from_it() -> None:
    codes = ("smtp.ipv6.none", "smtp.not_tested", "smtp.null_sender.deferred", "smtp.postmaster.deferred")
    outcomes = (Outcome.FAIL, *(Outcome.TRANSIENT for _ in codes[1:]))
    found = tuple(finding(c, Severity.INFO, outcome=o) for c, o in zip(codes, outcomes, strict=True))
    text, _, _ = parse(render_nagios(result(observation(), found, "unknown")))
    assert text.endswith("Mail to postmaster is deferred [smtp.postmaster.deferred]")
