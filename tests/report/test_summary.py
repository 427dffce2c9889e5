"""The summary counts correctly, reports unreadable lines, and renders a valid page from any input."""

import json
from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest

from checker_smtp.probes.observation import Coverage, FamilyCoverage, Mx
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import Severity
from checker_smtp.report.advice.software import recognise
from checker_smtp.report.model.metrics import find_tls
from checker_smtp.report.summary.buckets import NO_ANSWER, NO_TLS, UNKNOWN, Group
from checker_smtp.report.summary.counters import Frequent
from checker_smtp.report.summary.page import render_summary
from checker_smtp.report.summary.tally import Tally
from checker_smtp.report.summary.view_model import build_summary
from tests.report.page import faults, parse, words
from tests.report.results import (
    FIXTURES,
    NASTY,
    POSTURES,
    SETTINGS,
    WIDER,
    endpoint,
    everywhere_hostile,
    finding,
    hidden,
    replayed,
    unreached,
)
from tests.report.scan_lines import checked, line, no_address, not_checked, speaking, tallied


def counts(found: Frequent) -> dict[str, int]:
    return {value: bucket.count for value, bucket in found.top(len(found))}


def found_in(tally: Tally, group: Group) -> dict[str, int]:
    return counts(tally.groups[group])


def of_class(element: Element, name: str) -> list[Element]:
    return [e for e in element.iter() if name in e.attrib.get("class", "").split()]


def panel(page: str, anchor: str) -> list[str]:
    """Return the text of each row of a panel, without its details."""
    (section,) = [e for e in parse(page).iter("section") if e.attrib.get("aria-labelledby") == anchor]
    rows = []
    for row in section.iter("summary"):
        parts = [words(e) for name in ("label", "figure", "aside") for e in of_class(row, name)]
        rows.append(" | ".join(parts))
    return rows


def test_every_recorded_check_counts_where_it_should() -> None:
    results = [replayed(folder) for folder in FIXTURES]
    tally = tallied(*map(line, results))
    endpoints = [[e for e in r.observation.endpoints if e.ready_session] for r in results]
    software = [{found.software if (found := recognise(e)) else UNKNOWN for e in held} for held in endpoints]
    versions = [{found.version if (found := find_tls(e)) else NO_TLS for e in held} for held in endpoints]

    def domains(sets: list[set[str]], value: str) -> int:
        return sum(value in one for one in sets)

    assert (tally.checked, tally.broken) == (len(results), 0)
    assert found_in(tally, Group.STATUS) == {
        status: sum(r.status == status for r in results) for status in {r.status for r in results}
    }
    for severity in Severity:
        view = [{f.code for f in r.findings if f.severity is severity} for r in results]
        assert found_in(tally, Group(severity)) == {code: domains(view, code) for code in set().union(*view)}
    assert found_in(tally, Group.SOFTWARE) == {s: domains(software, s) for s in set().union(*software)}
    expected = {v: domains(versions, v) for v in set().union(*versions)}
    assert found_in(tally, Group.TLS) == expected | {NO_ANSWER: sum(not held for held in endpoints)}
    assert tally.sessions == sum(len(e.sessions) for r in results for e in r.observation.endpoints)


def test_a_domain_counts_once_in_each_row() -> None:
    both = (speaking("mx ESMTP Postfix"), speaking("mx ESMTP Exim 4.96", tls="TLSv1", address="192.0.2.2"))
    tally = tallied(
        checked("a.example", endpoints=both, targets=("mx1.one.example", "mx2.one.example", "mx.two.co.uk")),
        checked("b.example", endpoints=(*both[:1], speaking("mx ESMTP Postfix", address="192.0.2.3"))),
    )
    assert found_in(tally, Group.SOFTWARE) == {"Postfix": 2, "Exim": 1}
    assert found_in(tally, Group.TLS) == {"TLSv1.3": 2, "TLSv1": 1}
    assert found_in(tally, Group.PROVIDER) == {"one.example": 1, "two.co.uk": 1, "example.org": 1}


def test_findings_count_by_code_and_severity() -> None:
    softer = finding("smtp.open_relay", Severity.WARN)
    tally = tallied(
        checked("a.example", finding(), finding(subject="192.0.2.2:25")),
        checked("b.example", finding(), softer),
    )
    assert found_in(tally, Group.CRIT) == {"smtp.open_relay": 2}
    assert found_in(tally, Group.WARN) == {"smtp.open_relay": 1}


def test_ipv6() -> None:
    four, six, dead = endpoint("192.0.2.1"), endpoint("2001:db8::1"), endpoint("2001:db8::1", unreached())
    far = Coverage(
        ipv4=FamilyCoverage(published=1, connected=1), ipv6=FamilyCoverage(published=1, untestable=1)
    )
    nowhere = Mx(status=DnsStatus.ANSWER, records=(no_address("mx.example.org"),))
    tally = tallied(
        checked("reached.example", endpoints=(four, six)),
        checked("reached.example", endpoints=(six, endpoint("2001:db8::2", unreached()))),
        checked("unreached.example", endpoints=(four, dead)),
        checked("untestable.example", endpoints=(four, dead), coverage=far),
        checked("none.example", endpoints=(four,)),
        checked(
            "nowhere.example", mx=nowhere, coverage=Coverage(ipv4=FamilyCoverage(), ipv6=FamilyCoverage())
        ),
        checked("left.example", endpoints=(four, six), settings=replace(SETTINGS, ipv6=False)),
    )
    assert {state: bucket.samples for state, bucket in tally.groups[Group.IPV6].top(9)} == {
        "reached": ["reached.example", "reached.example"],
        "unreached": ["unreached.example"],
        "untestable": ["untestable.example"],
        "none": ["none.example"],
        "no-address": ["nowhere.example"],
        "not-tested": ["left.example"],
    }


def test_slow_greetings() -> None:
    silent = endpoint("192.0.2.9", unreached("timeout", 60.0))
    tally = tallied(
        checked("a.example", endpoints=(speaking("mx ESMTP", after=6.0), silent)),
        checked("b.example", endpoints=(speaking("mx ESMTP", after=2.0),)),
        checked("c.example", endpoints=(speaking("mx ESMTP", after=0.5, address="192.0.2.2"),)),
    )
    view = [(s.subject, round(s.seconds, 3), s.count, s.target) for s in tally.slowest.top(9)]
    assert view == [
        ("192.0.2.1:25", 6.0, 2, "mx.example.org"),
        ("192.0.2.2:25", 0.5, 1, "mx.example.org"),
    ]


def test_the_time_of_the_scan() -> None:
    moments = ("2026-03-01T12:00:00Z", "2026-03-01T14:30:00+02:00", "2026-02-28T23:59:59Z")
    odd = ("yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:00", "")
    tally = tallied(*(checked("a.example", run_at=moment) for moment in (*moments, *odd)))
    assert (
        dict(build_summary(tally, "x.jsonl").facts)["Checked"] == "2026-02-28 23:59 to 2026-03-01 12:30 UTC"
    )


def test_a_shared_session_counts_for_each_domain() -> None:
    shared = line(POSTURES["healthy"]())
    facts = dict(build_summary(tallied(shared, shared), "x").facts)
    assert facts["Sessions in the results"] == "4; shared ones count for each domain"


def test_names_that_were_not_checked() -> None:
    tally = tallied(
        not_checked("exa mple.com", "bad-name", "It has a space."),
        not_checked("b.example", "stop-list", ""),
        not_checked("c.example", "stop-list", ""),
        not_checked("d.example", "comet", "A comet."),
        checked("a.example"),
    )
    assert (tally.checked, tally.unchecked) == (1, 4)
    page = render_summary(tally, "results.jsonl")
    assert faults(page) == []
    assert panel(page, "unchecked") == [
        "Excluded by --exclude-file | 2 | 40.0 %",
        "Not a domain name | 1 | 20.0 %",
        "comet | 1 | 20.0 %",
    ]
    assert "exa mple.com: It has a space." in words(parse(page))


BROKEN = {
    "no JSON": b"<html>\n",
    "half a line with an end": checked("a.example")[:300] + b"\n",
    "no object": b"[]\n",
    "nothing in it": b"{}\n",
    "neither one": b'{"version": 1, "domain": "a.example"}\n',
    "both": line(POSTURES["healthy"](), not_checked="error"),
    "a later version": line(POSTURES["healthy"](), version=3),
    "no status": line(POSTURES["healthy"](), status="fine"),
    "a severity of its own": checked("a.example", finding()).replace(b'"crit"', b'"doom"'),
    "a code without end": checked("a.example", finding("x" * 10_000)),
    "a target without end": checked("a.example", targets=("x" * 300,)),
    "an endless wait": checked("a.example").replace(b'"at": 0.03', b'"at": 1e300'),
    "octets that are no text": checked("a.example").replace(b"a.example", b"\xff\xfe"),
    "deep nesting": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_broken_lines_are_counted_and_reported(broken: bytes) -> None:
    tally = tallied(checked("a.example"), broken, b"\n", checked("b.example"))
    assert (tally.checked, tally.broken, tally.half_written) == (2, 1, False)
    page = render_summary(tally, "results.jsonl")
    assert faults(page) == []
    (warning,) = of_class(parse(page), "warning")
    assert words(warning).startswith("1 line could not be read (line 2: ")


def test_many_broken_lines_are_reported_in_short() -> None:
    tally = tallied(*[b"no\n"] * 5, checked("a.example"))
    (warning,) = build_summary(tally, "x").warnings
    assert warning.startswith("5 lines could not be read")
    assert warning.count("line ") == 3
    assert warning.endswith("; …).")


def test_a_half_written_last_line_is_no_broken_one() -> None:
    whole = checked("a.example")
    tally = tallied(whole, checked("b.example")[:-40])
    assert (tally.checked, tally.broken, tally.half_written) == (1, 0, True)
    assert "half-written" in build_summary(tally, "x").warnings[0]
    # one that only lacks its end is whole
    assert tallied(whole, whole.rstrip()).checked == 2


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


def distinct(number: int) -> bytes:
    """A line that has nothing in common with that of another number, and only what a summary reads."""
    hello = {"code": 250, "text": "mx", "at": 0.2}
    session = {
        "connected_at": 0.01,
        "greeting": {"code": 220, "text": f"mx ESMTP {number}", "at": 0.01 + number / 1e5},
        "ehlo": hello,
        "tls": {"version": f"TLSv{number}"},
    }
    target = f"mx.p{number}.example"
    address = f"2001:db8::{number:x}"
    seen = {
        "domain": f"d{number}.example",
        "run_at": "2026-03-01T12:00:00Z",
        "settings": {"ipv6": True},
        "mx": {"records": [{"target": target, "ipv6": [address]}]},
        "endpoints": [{"address": address, "port": 25, "targets": [target], "sessions": [session]}],
        "coverage": {"ipv6": {"published": 1, "connected": 1}},
    }
    findings = [{"code": f"smtp.x{number}", "severity": "crit"}]
    return json.dumps({"observation": seen, "findings": findings, "status": "critical"}).encode() + b"\n"


@pytest.mark.slow
def test_buckets_are_bounded() -> None:
    tally = Tally()
    for number in range(25_000):
        tally.add(distinct(number))
    assert (tally.checked, tally.broken) == (25_000, 0)
    for found in tally.groups.values():
        assert len(found) <= 10_000
    assert len(tally.slowest) <= 1_000
    page = render_summary(tally, "results.jsonl")
    assert faults(page) == []
    assert len(page) < 150_000


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
