"""The refusals that a check left in the logs of the servers, in the report."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import evaluate
from checker_smtp.report.formats.html import render_html
from checker_smtp.report.formats.text import render_text
from checker_smtp.report.model.fail2ban import describe_refusals
from checker_smtp.report.refusal_count import count_refusals
from tests.probes.observations import HERE, THERE, V6, endpoint, observation, reply

NO = "550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ({}, 1),  # the relay probe
        ({"null": NO, "postmaster": NO}, 3),
        ({"null": "MAIL 550 no", "postmaster": "450 later"}, 3),
        ({"greeting": "554 go away"}, 1),
        ({"ehlo": "502 what?", "helo": "550 no"}, 2),
        ({"relay": "250 ok"}, 0),
    ],
)
def test_the_number_of_a_server(words: dict[str, str], number: int) -> None:
    counts = count_refusals(observation(endpoint(**words)))
    assert counts == ({HERE: number} if number else {})


def test_a_421_that_closes_behind_a_refusal_is_another_line() -> None:
    """Postfix under stress closes after each refusal, and fail2ban's stock filter counts two lines for it."""
    seen = endpoint(null=NO, postmaster=None, relay=None)
    closing = reply("421 4.7.0 Error: too many errors")
    first, *others = seen.main.transactions
    in_step = replace(seen.main, transactions=(replace(first, rset=closing), *others))
    out_of_step = replace(seen.main, unsolicited=(closing,))
    assert count_refusals(observation(replace(seen, sessions=(in_step,)))) == {HERE: 2}
    assert count_refusals(observation(replace(seen, sessions=(in_step, out_of_step)))) == {HERE: 4}


def refusing(number: int) -> Observation:
    return observation(*(endpoint(null=NO, postmaster=NO, address=f"192.0.2.{n}") for n in range(number)))


def test_the_server_with_the_most_is_first_and_long_lists_are_cut() -> None:
    seen = observation(endpoint(), endpoint(null=NO, postmaster=NO, address=V6))
    assert describe_refusals(seen)[0][1] == f"3 by {THERE}, 1 by {HERE}"
    assert describe_refusals(refusing(12))[0][1].endswith("2 more servers with fewer or as many")
    assert describe_refusals(observation(endpoint(relay="250 ok"))) == []


def test_text_and_page_have_the_number_and_the_line_for_fail2ban() -> None:
    result = evaluate(refusing(1))
    text, page = " ".join(render_text(result).split()), render_html(result)
    assert "Refusals in the servers' logs 3 by 192.0.2.0:25" in text
    for shown in (text, page):
        assert "ignoreip = 127.0.0.1/8 ::1 ADDRESS" in shown.replace("<wbr>", "")


def test_the_text_about_a_healthy_server_has_no_section_for_its_one_refusal() -> None:
    assert "fail2ban" not in render_text(evaluate(observation(endpoint())))
