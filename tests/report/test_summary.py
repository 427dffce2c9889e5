"""The summary counts correctly and reports unreadable lines."""

import json
from dataclasses import replace

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
    POSTURES,
    SETTINGS,
    endpoint,
    finding,
    replayed,
    unreached,
)
from tests.report.scan_lines import checked, line, no_address, not_checked, speaking, tallied
from tests.report.summary_page import of_class, panel


def counts(found: Frequent) -> dict[str, int]:
    return {value: bucket.count for value, bucket in found.top(len(found))}


def found_in(tally: Tally, group: Group) -> dict[str, int]:
    return counts(tally.groups[group])


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
