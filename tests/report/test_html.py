"""The page is complete, contained and readable for every domain and every reply."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from checker_smtp.probes.observation import Entry, TlsIssue, TlsProbe
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.formats.html import render_html, render_index
from tests.report.page import faults, outline, parse, words
from tests.report.results import (
    FIXTURES,
    MX,
    POSTURES,
    WIDER,
    endpoint,
    everywhere_hostile,
    golden,
    hidden,
    observation,
    replayed,
    reply,
    session,
)

CASES = [pytest.param(folder, id=folder.name) for folder in FIXTURES]
OUTLINED = (
    "dns-mx-with-different-faults",
    "dns-no-such-domain",
    "dns-null-mx",
    "dns-one-dead-address-of-two",
    "dns-two-mx-four-addresses",
    "odd-eight-bit-text",
    "odd-starttls-injection",
    "postfix-blocklisted",
    "postfix-dual-stack",
    "postfix-greylisting",
    "postfix-healthy",
    "postfix-no-postmaster",
    "postfix-open-relay",
    "smtp-sink-takes-everything",
)
SIZE_LIMIT = 150_000


def of_class(page: str, name: str) -> list[Element]:
    return [e for e in parse(page).iter() if name in e.attrib.get("class", "").split()]


@pytest.mark.slow
@pytest.mark.parametrize("folder", CASES)
def test_every_recorded_check_makes_a_valid_page(folder: Path) -> None:
    page = render_html(replayed(folder))
    assert faults(page) == []
    assert not hidden(page)
    assert len(page.encode()) < SIZE_LIMIT


@pytest.mark.parametrize("name", OUTLINED)
def test_page_of_a_case(name: str) -> None:
    folder = next(folder for folder in FIXTURES if folder.name == name)
    golden(f"outline-{name}.txt", outline(render_html(replayed(folder))))


@pytest.mark.parametrize("build", POSTURES.values(), ids=POSTURES)
def test_results_without_transcripts(build: Callable[[], Result]) -> None:
    assert faults(render_html(build())) == []


def test_hostile_text_in_every_field() -> None:
    page = render_html(everywhere_hostile())
    assert faults(page) == []
    assert not hidden(page)
    text = words(parse(page))
    assert r"\x1b]0;owned\x07" in text
    assert "</script><script>alert(1)</script>" in text
    assert "{{7*7}}{% raw %}" in text
    assert not any(char in text for char in WIDER)


def banner(length: int) -> Result:
    huge = reply(220, "<b>A&\x1b" * (length // 6), 0.03, 1)
    lines: tuple[Entry, ...] = (
        {"do": "connect", "host": "192.0.2.1", "port": 25, "at": 0.01},
        {"do": "receive", "got": huge.raw, "at": 0.03},
    )
    loud = replace(session(), greeting=huge, transcript=lines)
    return evaluate(observation(*(endpoint(f"192.0.2.{n}", loud, loud, loud) for n in range(1, 5))))


def test_long_banners_do_not_make_a_long_page() -> None:
    page = render_html(banner(100_000))
    assert faults(page) == []
    assert "more octets" in page
    assert len(page.encode()) < SIZE_LIMIT


def test_long_sessions_are_truncated_and_the_rest_is_counted() -> None:
    entries: list[Entry] = [{"do": "connect", "host": "192.0.2.1", "port": 25, "at": 0.01}]
    entries += [{"do": "receive", "got": f"250-<i>{n}\x80\r\n" * 50, "at": 0.03} for n in range(1000)]
    endless = replace(session(), transcript=tuple(entries))
    page = render_html(evaluate(observation(*(endpoint(f"192.0.2.{n}", endless) for n in range(1, 5)))))
    assert faults(page) == []
    assert len(page.encode()) < 4 * SIZE_LIMIT
    assert re.search(r"… 4\d{4} more lines", page)


def test_problems_come_first_and_sections_in_order() -> None:
    tree = parse(render_html(replayed(next(f for f in FIXTURES if f.name == "dns-mx-with-different-faults"))))
    titles = [words(h) for h in tree.iter("h2")]
    assert titles == [
        "Critical Mail can arrive.",
        "What to fix",
        "Notes",
        "Mail servers of the domain",
        "Endpoints",
        "About this checker",
    ]


def test_endpoints_with_faults_are_open() -> None:
    page = render_html(replayed(next(f for f in FIXTURES if f.name == "dns-mx-with-different-faults")))
    assert ["open" in details.attrib for details in of_class(page, "endpoint")] == [False, True, True]


def test_evidence_links_to_its_transcript_line() -> None:
    page = render_html(replayed(next(f for f in FIXTURES if f.name == "postfix-open-relay")))
    cited = [line for line in of_class(page, "cited") if "accepts mail from outside" in words(line)]
    assert len(cited) == 2
    lines = of_class(page, "lines")
    said = [words(line) for line in lines[0].iter("li")]
    replies = [number for number, line in enumerate(said) if " server 250 2.1.5 " in line]
    # of three recipients accepted in one packet, the one of the relay question is the third
    assert "evidence" in said[replies[2]]
    assert "evidence" not in said[replies[0]] + said[replies[1]]


def test_issues_of_the_tls_checker_are_included() -> None:
    issue = TlsIssue(code="expired", severity="crit", message="It <b>expired</b>.", fix="Renew it.")
    seen = observation(tls_probes=(TlsProbe(endpoint=f"{MX}:25", issues=(issue,)),))
    page = render_html(evaluate(seen))
    assert faults(page) == []
    issues = of_class(page, "issues")
    assert words(issues[0]) == "expired It <b>expired</b>. Fix: Renew it."
    assert "TLS issues" in words(parse(page))


def test_print_opens_every_section() -> None:
    style = next(parse(render_html(POSTURES["healthy"]())).iter("style")).text or ""
    printed = style[style.index("@media print") :]
    assert "details::details-content { content-visibility: visible;" in printed


def test_the_policy_of_the_page_permits_only_its_own_style() -> None:
    metas = {
        m.attrib.get("http-equiv"): m.attrib.get("content")
        for m in parse(render_html(POSTURES["healthy"]())).iter("meta")
    }
    policy = metas["Content-Security-Policy"] or ""
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_a_domain_is_shown_in_unicode_and_in_ascii() -> None:
    page = render_html(replayed(next(f for f in FIXTURES if f.name == "dns-idn")))
    tree = parse(page)
    assert "ü" in words(next(tree.iter("h1")))
    assert "in DNS: xn--" in words(of_class(page, "alabel")[0])


def test_the_index_links_to_the_pages() -> None:
    page = render_index(
        [
            ("a<b>.test", "a.html", "critical", "It <relays>."),
            ("ok.test", "ok.html", "ok", "Mail can arrive."),
            ("x", "x.html", "odd", ""),
        ]
    )
    tree = parse(page)
    links = [(words(a), a.attrib["href"]) for a in tree.iter("a")]
    assert links == [("a<b>.test", "a.html"), ("ok.test", "ok.html"), ("x", "x.html")]
    assert [words(pill) for pill in of_class(page, "pill")] == ["Critical", "OK", "Unknown"]
    assert [words(note) for note in of_class(page, "note")] == ["It <relays>.", "Mail can arrive.", ""]
    assert [fault for fault in faults(page) if "leads outside" not in fault] == []


def test_every_use_of_a_page_is_the_same_page() -> None:
    result = POSTURES["relay"]()
    assert render_html(result) == render_html(result)
