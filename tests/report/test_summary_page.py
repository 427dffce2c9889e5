"""The page of a summary: valid for any input, and each row with its figures and its command."""

from dataclasses import replace

import pytest

from checker_smtp.report.summary.buckets import Group
from checker_smtp.report.summary.counters import Frequent
from checker_smtp.report.summary.page import render_summary
from checker_smtp.report.summary.view_model import build_summary
from tests.report.page import faults, parse, words
from tests.report.results import (
    FIXTURES,
    NASTY,
    WIDER,
    endpoint,
    everywhere_hostile,
    finding,
    hidden,
    replayed,
    unreached,
)
from tests.report.scan_lines import checked, line, not_checked, speaking, tallied
from tests.report.summary_page import of_class, panel


@pytest.mark.parametrize("lines", [(), (not_checked("?"),), (b"no\n", not_checked("?"))], ids=len)
def test_pages_without_a_domain(lines: tuple[bytes, ...]) -> None:
    page = render_summary(tallied(*lines), "results.jsonl")
    assert faults(page) == []
    text = words(parse(page))
    assert "No domain was checked." in text
    assert "nan" not in text


def test_the_page_of_all_recorded_checks() -> None:
    page = render_summary(tallied(*(line(replayed(folder)) for folder in FIXTURES)), "results.jsonl.gz")
    assert faults(page) == []
    assert not hidden(page)
    assert [words(h) for h in parse(page).iter("h2")][1:] == [
        "Critical findings",
        "Warnings",
        "Notes",
        "TLS versions",
        "IPv6",
        "Server software",
        "MX providers",
        "Slowest servers",
    ]
    assert len(page.encode()) < 200_000


def test_what_the_rows_say() -> None:
    postfix, old = speaking("mx ESMTP Postfix"), speaking("mx ESMTP", tls="TLSv1.1", address="192.0.2.2")
    page = render_summary(
        tallied(
            *(checked(f"a{n}.example", endpoints=(postfix,), targets=("mx.one.example",)) for n in range(7)),
            checked("b.example", finding(), status="critical", endpoints=(old,)),
            checked("c.example", status="unknown", endpoints=(endpoint("192.0.2.3", unreached()),)),
        ),
        "results.jsonl",
    )
    assert panel(page, "verdicts") == ["Critical | 1 | 11.1 %", "OK | 7 | 77.8 %", "Unknown | 1 | 11.1 %"]
    assert panel(page, "codes-crit") == [
        "The server accepts mail from outside for other domains smtp.open_relay | 1 | 11.1 %"
    ]
    assert panel(page, "tls") == [
        "TLSv1.3 | 7 | 77.8 %",
        "TLSv1.1 | 1 | 11.1 %",
        "No server answered | 1 | 11.1 %",
    ]
    assert panel(page, "software") == ["Postfix | 7 | 77.8 %", "Unknown | 1 | 11.1 %"]
    assert panel(page, "providers") == ["one.example | 7 | 77.8 %", "example.org | 2 | 22.2 %"]
    assert panel(page, "slowest")[0] == "192.0.2.1:25 mx.example.org, 7 domains | 20 ms | "
    (first, *_) = of_class(parse(page), "names")
    assert words(first) == "b.example"
    # a few names, then the command for the rest; no command where these are all
    commands = [words(pre) for pre in parse(page).iter("pre")]
    assert "checker-smtp summary results.jsonl --list status:ok" in commands
    assert not any("open_relay" in command for command in commands)


def test_few_among_many_are_not_rounded_away() -> None:
    lines = [checked("a.example")] * 3000 + [checked("b.example", status="critical")]
    page = render_summary(tallied(*lines), "results.jsonl")
    assert panel(page, "verdicts") == ["Critical | 1 | <0.1 %", "OK | 3,000 | >99.9 %"]


def test_counts_that_may_be_too_low_say_so() -> None:
    tally = tallied(*(checked("a.example", targets=(f"mx.p{n}.example",)) for n in range(100)))
    tally.groups[Group.PROVIDER] = Frequent(50)
    for number in range(100):
        for _ in range(2 if number > 80 else 1):
            tally.groups[Group.PROVIDER].add(f"p{number}.example", "a.example")
    page = render_summary(tally, "results.jsonl")
    assert panel(page, "providers")[0] == "p81.example | ≥ 2 | 2.0 %"
    text = words(parse(page))
    assert "All of the at least 2 domains:" in text
    assert "The 20 most frequent providers of more than can be counted exactly" in text


def test_hostile_text_everywhere() -> None:
    hostile = everywhere_hostile()
    short = replace(hostile, observation=replace(hostile.observation, domain="a.example" + NASTY))
    nasty = f"x{NASTY}"[:95]
    tally = tallied(
        line(short),
        not_checked(NASTY + WIDER[:-1], nasty, NASTY + WIDER[:-1]),
        checked(
            f"b{NASTY}"[:250],
            finding(nasty),
            targets=(f"mx.{NASTY}"[:250],),
            endpoints=(speaking(NASTY, tls=nasty),),
        ),
    )
    assert tally.checked > 0
    page = render_summary(tally, f"'; rm -rf / #{NASTY}.gz")
    assert faults(page) == []
    assert not hidden(page)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("results.jsonl", "results.jsonl"),
        ("my results.jsonl", "'my results.jsonl'"),
        ("-x.jsonl", "./-x.jsonl"),
        ("it's.jsonl.zst", "'it'\"'\"'s.jsonl.zst'"),
        ("parts/", "parts/"),
        ("-", "-"),
    ],
)
def test_commands_read_the_same_results(path: str, shown: str) -> None:
    view = build_summary(tallied(*[checked("a.example")] * 6), path)
    (row,) = view.verdicts.rows
    assert row.command == f"checker-smtp summary {shown} --list status:ok"
