"""Replies of one read, many of them equal: each finding is about its own, none follows from a neighbour."""

import anyio

from checker_smtp import Result, check, render
from checker_smtp.report.model.report import Report, build_report
from checker_smtp.testing import FakeNetwork, FakeResolver, RuleServer
from tests.probes.world import options

ADDRESS = "192.0.2.7"
ZONE = f"""
    good.test MX 10 mx.test.
    mx.test A {ADDRESS}
    7.2.0.192.in-addr.arpa PTR mx.test.
"""


def checked(server: RuleServer, **given: object) -> Result:
    return anyio.run(check, options("good.test", **given), FakeNetwork(FakeResolver(ZONE), server))


def report_on(server: RuleServer, **given: object) -> Report:
    return build_report(checked(server, **given))


def test_what_is_left_open_about_relaying_is_said_of_relaying_alone() -> None:
    relaying = RuleServer(relays=True)
    report = report_on(relaying, source_addresses=(ADDRESS,))
    (item,) = report.unsettled
    assert item.quotes[0].asked[-1] == "RCPT TO:<postmaster@example.com>"
    assert len(item.commands) == 1
    assert "--to postmaster@example.com" in item.commands[0]
    words = {row.purpose: row.verdict.text for row in report.endpoints[0].transactions}
    assert words["null-sender"] == words["postmaster"] == "accepted"
    assert words["relay"] == "accepted, which shows nothing"


def test_another_reply_of_the_same_read_is_no_consequence() -> None:
    later = RuleServer(null_sender=False, rcpt_replies={"postmaster@example.com": "450 4.2.0 later"})
    result = checked(later)
    report = build_report(result)
    assert [(item.code, item.consequences) for item in (*report.problems, *report.unsettled)] == [
        ("smtp.null_sender.rejected", ()),
        ("smtp.not_tested", ()),
    ]
    assert "Also:" not in render(result, "text")
