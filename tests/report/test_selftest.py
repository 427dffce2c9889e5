"""The remarks of a self-test: a sentence each, and the ones that make a check unreliable."""

from dataclasses import replace

import pytest

from checker_smtp.probes.dns import Soundness
from checker_smtp.probes.observation import Control, ReverseDns
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.selftest import FamilyView, SelfTest
from checker_smtp.report.model.report import build_report
from checker_smtp.report.selftest import build_remarks, render_selftest
from checker_smtp.report.terminal import Terminal
from tests.report.results import observation

NAMED = ReverseDns(status=DnsStatus.ANSWER, names=("probe.test",), total=1, confirmed_by=("probe.test",))
HEALTHY = observation()
ASTRAY = ReverseDns(status=DnsStatus.ANSWER, names=("other.test",), total=1)
NAMELESS = ReverseDns(status=DnsStatus.NXDOMAIN)
HERE = FamilyView(family=4, address="9.9.9.1", reverse=NAMED)
NO_ROUTE = FamilyView(family=6)


def seen(
    *families: FamilyView, helo: tuple[str, ...] = ("9.9.9.1",), controls: tuple[Control, ...] = ()
) -> SelfTest:
    status = DnsStatus.ANSWER if helo else DnsStatus.NXDOMAIN
    return SelfTest(
        resolver=Soundness(answers=(DnsAnswer(name=".", rdtype="NS", status=DnsStatus.ANSWER),)),
        families=families,
        helo_name="probe.test",
        helo_status=status,
        helo_addresses=helo,
        controls=controls,
    )


def control(outcome: str, address: str = "192.0.2.1") -> Control:
    return Control(host="mx.friend.test", address=address, port=25, outcome=outcome)


@pytest.mark.parametrize(
    ("selftest", "problems"),
    [
        (seen(HERE), []),
        (seen(HERE, NO_ROUTE), ["IPv6: no route"]),
        (
            seen(FamilyView(family=4, address="9.9.9.1", reverse=NAMELESS)),
            ["9.9.9.1 has no PTR record (nxdomain)"],
        ),
        (
            seen(FamilyView(family=4, address="9.9.9.1", reverse=ASTRAY)),
            ["9.9.9.1 has the PTR name other.test, which does not"],
        ),
        (seen(HERE, helo=()), ["The EHLO name probe.test does not resolve (nxdomain)"]),
        (seen(HERE, helo=("9.9.9.9",)), ["The EHLO name probe.test resolves to 9.9.9.9, which is not"]),
        (seen(HERE, controls=(control("connected"),)), []),
        (seen(HERE, controls=(control("timeout"),)), ["mx.friend.test (192.0.2.1, port 25) does not accept"]),
    ],
)
def test_conditions_that_make_a_check_unreliable(selftest: SelfTest, problems: list[str]) -> None:
    bad = [remark.text for remark in build_remarks(selftest) if not remark.good]
    assert len(bad) == len(problems)
    assert all(text.startswith(begin) for text, begin in zip(bad, problems, strict=True))


@pytest.mark.parametrize(
    ("selftest", "problem"),
    [
        (
            seen(FamilyView(family=4, address="9.9.9.1", reverse=ReverseDns(status=DnsStatus.SERVFAIL))),
            "The lookup of 9.9.9.1 (servfail) failed: it is not known if the PTR name of 9.9.9.1 is right.",
        ),
        (
            seen(FamilyView(family=4, address="9.9.9.1", reverse=replace(ASTRAY, unsettled=("other.test",)))),
            "The lookup of other.test failed: it is not known if the PTR name of 9.9.9.1 is right.",
        ),
        (
            replace(seen(HERE, helo=()), helo_status=DnsStatus.UNUSABLE),
            "The EHLO name probe.test could not be looked up (unusable): it is not known if it is right.",
        ),
    ],
)
def test_what_could_not_be_looked_up_is_not_called_missing(selftest: SelfTest, problem: str) -> None:
    assert [remark.text for remark in build_remarks(selftest) if not remark.good] == [problem]


def test_a_resolver_that_fails_for_a_type_of_record() -> None:
    controls = (("A", "nxdomain"), ("MX", "error"))
    answers = [DnsAnswer(name="a.invalid", rdtype=t, status=DnsStatus(status)) for t, status in controls]
    remark = build_remarks(replace(seen(HERE), resolver=Soundness(answers=tuple(answers))))[0]
    assert not remark.good
    assert remark.text.startswith("The resolver fails for records of type MX, whatever the name.")


def test_nat_is_not_a_fault_of_the_machine() -> None:
    inside = FamilyView(family=4, address="192.168.1.4", not_public="private (RFC 1918)")
    remarks = build_remarks(seen(inside, helo=("9.9.9.1",)))
    assert all(remark.good for remark in remarks)
    assert "Servers see another address" in remarks[1].text
    assert "behind NAT it may still be right" in remarks[2].text


def resolver(*statuses: str) -> Soundness:
    names = (("a.invalid", "A"), (".", "NS"), ("com", "NS"))
    return Soundness(
        answers=tuple(
            DnsAnswer(
                name=name,
                rdtype=rdtype,
                status=DnsStatus(status),
                records=("a.invalid. 60 IN A 198.51.100.9",) if status == "answer" and rdtype == "A" else (),
            )
            for (name, rdtype), status in zip(names, statuses, strict=True)
        )
    )


@pytest.mark.parametrize(
    ("statuses", "good", "text"),
    [
        (
            ("nxdomain", "answer", "answer"),
            True,
            "The resolver answers, and denies a name that does not exist.",
        ),
        (("nxdomain", "refused", "answer"), True, "The resolver answers, but not for . NS."),
        (("nxdomain", "nodata", "nxdomain"), False, "neither the root of the DNS nor com has name servers"),
        (("answer", "answer", "answer"), False, "it has an address for a.invalid"),
        (("timeout", "timeout", "timeout"), False, "The resolver cannot be used (timeout)"),
    ],
)
def test_the_resolver(statuses: tuple[str, ...], good: bool, text: str) -> None:
    remarks = build_remarks(replace(seen(HERE), resolver=resolver(*statuses)))
    assert (remarks[0].good, text in remarks[0].text) == (good, True)
    assert (len(remarks) == 1) is ("cannot be used (" in remarks[0].text)


def test_a_control_without_an_address_is_named() -> None:
    remark = build_remarks(seen(HERE, controls=(control("it has no address (nxdomain)", address=""),)))[-1]
    assert not remark.good
    assert remark.text == "mx.friend.test was not connected to: it has no address (nxdomain)."


def test_without_a_control_the_option_is_named() -> None:
    assert "--control" in render_selftest(seen(HERE), Terminal(width=200))


def test_a_line_for_each_remark() -> None:
    text = render_selftest(seen(HERE, NO_ROUTE), Terminal(width=200))
    assert [line[:6] for line in text.splitlines()] == [
        "ok    ",
        "ok    ",
        "ok    ",
        "note  ",
        "ok    ",
        "ok    ",
    ]
    assert "over IPv6 cannot be tested" in text


def test_the_report_names_the_controls_that_were_probed() -> None:
    with_control = replace(HEALTHY, controls=(control("connected"),))
    details = dict(build_report(evaluate(with_control)).head.details)
    assert details["Control hosts"] == "mx.friend.test at 192.0.2.1: connected"
    assert "Control hosts" not in dict(build_report(evaluate(HEALTHY)).head.details)
