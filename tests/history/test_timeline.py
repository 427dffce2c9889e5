"""The time-line of a domain: what changed in each check, and what a check could not test again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from checker_smtp.history.baseline import compare_each
from checker_smtp.history.store import History
from checker_smtp.history.timeline import render_timeline
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.policy import accept
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Acceptance
from checker_smtp.report.diff.compare import Difference
from checker_smtp.report.terminal import Terminal
from tests.report.results import NASTY, WIDER, endpoint, golden, hidden, observation, session, unreached

SECOND = "2001:db8::1"


def seen(day: int, *endpoints: object, **other: object) -> Observation:
    return observation(*endpoints, run_at=f"2026-11-{day:02}T06:00:00Z", **other)  # type: ignore[arg-type]


PLAIN = endpoint("192.0.2.1", session(tls=""))
SILENT = endpoint("192.0.2.1", unreached("timeout", 12.0))
ACCEPTANCE = Acceptance(
    code="smtp.starttls.missing", subject="192.0.2.1:25", reason="replaced in May", until=date(2026, 11, 8)
)
# a month of a domain: healthy for three days, then without TLS, accepted for a while, moved, and repaired
MONTH: list[Result] = [
    *(evaluate(seen(day)) for day in (1, 2, 3)),
    evaluate(seen(4, PLAIN, endpoint(SECOND))),
    evaluate(seen(5, PLAIN, endpoint(SECOND))),
    *(accept(evaluate(seen(day, PLAIN, endpoint(SECOND))), [ACCEPTANCE]) for day in (6, 7, 8, 9)),
    evaluate(
        seen(10, endpoint("192.0.2.1", session(tls="TLSv1.2", offered=("PIPELINING",))), endpoint(SECOND))
    ),
    evaluate(seen(11, endpoint("192.0.2.7"), endpoint(SECOND))),
    evaluate(seen(12, endpoint("192.0.2.7"), endpoint(SECOND))),
]


def differences(results: list[Result]) -> list[Difference | None]:
    return list(compare_each(results))


def test_the_text_is_the_golden_one(tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        entries = [history.keep(result) for result in MONTH]
        text = render_timeline(
            zip(entries, compare_each(map(history.load, entries)), strict=True), Terminal()
        )
    golden("timeline.txt", text)
    assert "#1, 2026-11-01 06:00:00 UTC: the first check (" in text
    assert "#2, 2026-11-02 06:00:00 UTC, to #3, 2026-11-03 06:00:00 UTC: nothing changed in 2 checks" in text
    for word in ("New findings", "Gone", "TLS", "Extensions", "Addresses", "Acceptances"):
        assert f"\n{word}\n" in text


def test_what_was_not_tested_is_neither_new_nor_gone_afterwards() -> None:
    # without TLS, then silent for two days, then without TLS as before
    results = [
        evaluate(seen(day, one, endpoint(SECOND)))
        for day, one in enumerate((PLAIN, SILENT, SILENT, PLAIN), 1)
    ]
    first, silent, still, again = differences(results)
    assert first is None
    assert silent is not None
    assert "smtp.starttls.missing" in {one.code for one in silent.unsettled}
    assert still is not None
    assert not still.is_change
    assert again is not None
    assert "smtp.starttls.missing" not in {one.code for one in again.appeared}
    assert not again.worse


def test_what_was_repaired_meanwhile_is_gone_when_it_is_tested() -> None:
    repaired = endpoint("192.0.2.1", session())
    results = [
        evaluate(seen(day, one, endpoint(SECOND))) for day, one in enumerate((PLAIN, SILENT, repaired), 1)
    ]
    *_, last = differences(results)
    assert last is not None
    assert "smtp.starttls.missing" in {one.code for one in last.gone}


@pytest.mark.parametrize(
    ("change", "is_change"),
    [
        (lambda seen: replace(seen, seconds=99.0), False),
        (lambda seen: replace(seen, settings=replace(seen.settings, timeout=5.0)), False),
        (lambda seen: replace(seen, mx=replace(seen.mx, records=())), True),
    ],
)
def test_seconds_and_options_are_no_change(
    change: Callable[[Observation], Observation], is_change: bool
) -> None:
    _, difference = differences([evaluate(seen(1)), evaluate(change(seen(2)))])
    assert difference is not None
    assert difference.is_change is is_change


def test_hostile_text_cannot_control_a_terminal(tmp_path: Path) -> None:
    hostile = replace(session(), capabilities_tls=(), ehlo_tls=None, tls=None)
    attacked = replace(hostile, capabilities=(replace(session().capabilities[0], keyword="X" + NASTY),))
    results = [evaluate(seen(1)), evaluate(seen(2, endpoint("192.0.2.1", attacked), endpoint(SECOND)))]
    with History(tmp_path / "history.db") as history:
        entries = [history.keep(result) for result in results]
        text = render_timeline(zip(entries, compare_each(map(history.load, entries)), strict=True))
    assert "X" in text
    assert not hidden(text)
    assert not any(mark in text for mark in WIDER)
