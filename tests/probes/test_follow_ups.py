"""Further questions after the answers: the relay control, and what a row of the table takes."""

from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import reducer
from checker_smtp.probes.endpoint.follow_ups import FOLLOW_UPS, DomainProbe, FollowUp
from checker_smtp.probes.endpoint.reducer import advance, begin
from checker_smtp.probes.observation import Transaction
from tests.probes.connections import (
    ALFA,
    BRAVO,
    CONTROL,
    DOMAINS,
    OPEN,
    SEED,
    SPEC,
    connection,
    purposes,
    started,
)


def test_an_accepted_relay_probe_has_one_control_for_the_address() -> None:
    state, spec = started()
    state, spec = advance(state, connection(spec, relay=250))
    control = Transaction(purpose="relay-control", sender="postmaster@probe.test", recipient=CONTROL)
    assert spec == replace(SPEC, purpose="relay-control", budget=179.0, transactions=(control,))
    state, spec = advance(state, connection(spec, relay=250))
    assert spec is None
    assert [purposes(state, domain) for domain in DOMAINS] == [["main", "relay-control"]] * 3
    again, spec = begin(state.facts, [BRAVO], SEED, state.controls)
    again, spec = advance(again, connection(spec))
    assert (spec, purposes(again, BRAVO)) == (None, ["main", "relay", "relay-control"])


def test_a_control_that_another_probe_made_meanwhile_is_taken() -> None:
    state, spec = started(ALFA)
    known = {(Transaction(purpose="relay-control", sender=ALFA.sender, recipient=CONTROL),): OPEN}
    state, spec = advance(replace(state, controls=known), connection(spec, relay=250))
    assert (spec, state.sessions["alfa.test"][-1]) == (None, OPEN)


def test_the_control_takes_time() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, connection(spec, relay=250, seconds=60.0))
    assert (spec, purposes(state)) == (None, ["main"])


# a further row is all that a further question takes


def _unanswered(probe: DomainProbe) -> tuple[Transaction, ...]:
    return tuple(t for t in probe.sessions[0].transactions if t.verdict is None and t.purpose != "relay")


UNANSWERED = FollowUp(
    applies=lambda probe: bool(_unanswered(probe)),
    transactions=_unanswered,
    change=lambda spec: replace(spec, purpose="unanswered"),
)
RECIPIENT = FollowUp(
    applies=lambda probe: probe.sessions[0].end is not None,
    transactions=lambda probe: (
        Transaction(purpose="control", sender=probe.options.sender, recipient="postmaster@mx.test"),
    ),
    change=lambda spec: replace(spec, purpose="control", pipelining=False),
)


def test_a_row_that_names_the_domain_is_asked_for_each_and_another_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reducer, "FOLLOW_UPS", (*FOLLOW_UPS, UNANSWERED, RECIPIENT))
    state, spec = started(ALFA, BRAVO)
    made = []
    shared = connection(spec, answered=0)
    while spec is not None:
        state, spec = advance(state, shared)
        if spec is not None:
            made.append((spec.purpose, len(spec.domain_flights), len(spec.transactions), spec.pipelining))
            shared = connection(spec, answered=0 if spec.domain_flights else None)
    assert made == [
        ("main", 1, 1, True),
        ("main", 0, 1, True),
        ("unanswered", 0, 2, True),
        ("control", 0, 1, False),
        ("unanswered", 0, 2, True),
    ]
    assert purposes(state, BRAVO) == ["main", "relay", "unanswered", "control"]
    assert [t.recipient for (t,) in state.controls] == ["postmaster@mx.test"]
