"""From the result of one connection to the specification of the next, for all domains of one address.

`begin` and `advance` return the next state and the specification of the connection to make, or None when all
domains have their sessions. Both are pure: they read no clock and run nothing, so each is tested with data.

The stages:

1. `QUESTIONS`: groups of at most `max_domains` domains share a connection. A fault that a fallback answers
   repeats the connection by the changed specification. A domain that was not answered, because the connection
   ended during or before its flight, goes first on the next connection, unless it was first already: its
   sessions are then what they would have been alone.
2. `RELAY`: whether the address relays is settled once for all domains, if need be on a connection of its own.
3. `FOLLOW_UPS`: further questions, domain by domain.

All connections together stay within one budget of time per domain. Where it is used up, the remaining domains
get sessions that say so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.probes.options import Options
from smtp_sansio import FailureKind

from .fallbacks import FALLBACKS
from .follow_ups import FOLLOW_UPS, DomainProbe, FollowUp
from .probe_state import AddressFacts, ProbeState, Stage, Step
from .retry_conditions import closing_at_mail, completed, last_answers, relay_answered
from .session import SessionSpec, SharedSession
from .session_limits import MAX_DOMAINS_IF_DROPPED
from .transactions import has_shared_transaction, own_transactions, shared_transactions
from .unasked_sessions import as_failed, out_of_time, unasked, up_to_mail

__all__ = ["advance", "begin", "settled", "without_waiting"]


# The limits of a check which another connection meets at once.
_OVER = (FailureKind.CHECK_BUDGET, FailureKind.EVIDENCE)


def begin(
    facts: AddressFacts,
    domains: Sequence[Options],
    seed: int,
    controls: Mapping[tuple[Transaction, ...], Session],
    mx_hosts: Mapping[str, str] | None = None,
) -> Step:
    """Return the state before the first connection, and its specification.

    `domains` are options that differ in the domain only; `facts` and `controls` come from an earlier probe of
    the address, or are empty. `mx_hosts` are the names of the address, by domain.
    """
    state = ProbeState(
        facts=facts,
        domains=tuple(domains),
        seed=seed,
        seconds_left=sum(options.budget for options in domains),
        is_alone=len(domains) == 1 and facts.last is None,
        waiting=tuple(domains),
        controls=controls,
        mx_hosts=mx_hosts or {},
    )
    return _next_group(state)


def advance(state: ProbeState, shared: SharedSession) -> Step:
    """Return the state after the connection that `state` waited for, and the next one's specification."""
    end = shared.common.end
    is_over = end is not None and end.kind in _OVER
    state = replace(state, seconds_left=0.0 if is_over else round(state.seconds_left - shared.seconds, 3))
    if state.stage is Stage.QUESTIONS:
        return _on_questions(state, shared)
    if state.stage is Stage.RELAY:
        return _on_relay(_keep_relay(state, shared))
    return _on_follow_up(state, shared)


# questions


def _next_group(state: ProbeState) -> Step:
    """Open a connection for the next domains that wait, or settle relaying where none does."""
    while state.waiting:
        state = _take_group(state)
        facts = state.facts
        if facts.failed_session is not None:
            state = state.add({o.domain: as_failed(facts.failed_session, o) for o in state.group})
        elif state.seconds_left > 0 or facts.last is None:
            return state, _questions(state)
        else:
            state = state.add({o.domain: out_of_time(unasked(facts.last, o)) for o in state.group})
    return _settle_relay(state)


def _take_group(state: ProbeState) -> ProbeState:
    """Move the first domains that wait into the group; the attempts that failed before count for them too."""
    facts = state.facts
    group = state.waiting[: facts.max_domains]
    attempts = {o.domain: tuple(unasked(attempt, o) for attempt in facts.failed_attempts) for o in group}
    return replace(
        state,
        group=group,
        waiting=state.waiting[facts.max_domains :],
        sessions={**state.sessions, **attempts},
        next_fallback=0,
    )


def _questions(state: ProbeState) -> SessionSpec:
    """Return the specification for the group: a flight for each domain, and the shared one."""
    spec, group = state.facts.spec, state.group
    flights = tuple(map(own_transactions, group))
    shared = shared_transactions(group) if state.facts.relay is None else ()
    if state.is_alone and spec.pipelining:
        flights, shared = (flights[0] + shared,), ()
    return replace(spec, budget=state.seconds_left, domain_flights=flights, transactions=shared)


def _on_questions(state: ProbeState, shared: SharedSession) -> Step:
    state = replace(state, facts=replace(state.facts, last=shared.common))
    opening = _up_to_first_flight(state, shared)
    for number, fallback in enumerate(FALLBACKS[state.next_fallback :], state.next_fallback):
        spec = fallback.change(state.facts.spec)
        if spec != state.facts.spec and fallback.applies(opening):
            return _fall_back(state, shared, spec, number)
    if shared.reached:
        state = _sort_answers(_keep_relay(state, shared), shared)
        if closing_at_mail(shared.head):
            state = replace(state, facts=replace(state.facts, failed_session=up_to_mail(shared.head)))
        return _next_group(state)
    state = replace(state, facts=replace(state.facts, failed_session=shared.common))
    return _next_group(state.add({o.domain: unasked(shared.common, o) for o in state.group}))


def _up_to_first_flight(state: ProbeState, shared: SharedSession) -> Session:
    """Return the first domain's session without later flights: those may be cut for their number alone."""
    own = None if state.is_alone else len(own_transactions(state.group[0])) or None
    return replace(shared.head, transactions=shared.head.transactions[:own])


def _fall_back(state: ProbeState, shared: SharedSession, spec: SessionSpec, number: int) -> Step:
    """Repeat the group's connection by `spec`, as far as time is left."""
    facts = replace(state.facts, spec=spec, failed_attempts=(*state.facts.failed_attempts, shared.common))
    state = state.add({o.domain: session or unasked(shared.common, o) for o, session in _each(state, shared)})
    state = replace(state, facts=facts, next_fallback=number + 1)
    return (state, _questions(state)) if state.seconds_left > 0 else _next_group(state)


def _sort_answers(state: ProbeState, shared: SharedSession) -> ProbeState:
    """Give each answered domain its session; the others wait again, or are out of time."""
    done: dict[str, Session] = {}
    unanswered: list[Options] = []
    number_answered = 0
    for options, session in _each(state, shared):
        known = session or unasked(shared.common, options)
        answered = session is not None and completed(session, len(own_transactions(options)))
        number_answered += answered
        if answered or options is state.group[0]:
            done[options.domain] = known
        elif state.seconds_left <= 0:
            done[options.domain] = out_of_time(known)
        else:
            unanswered.append(options)
    if unanswered and number_answered and not shared.is_cut_here:
        # the server ended the connection after this many
        max_domains = min(number_answered, MAX_DOMAINS_IF_DROPPED)
        state = replace(state, facts=replace(state.facts, max_domains=max_domains))
    return replace(state.add(done), waiting=(*unanswered, *state.waiting))


def _each(state: ProbeState, shared: SharedSession) -> Iterator[tuple[Options, Session | None]]:
    """Yield the session of each domain of the group, None where the connection ended before its flight.

    A domain for which the shared flight is not meant gets its own transactions only.
    """
    for number, options in enumerate(state.group):
        session = shared.sessions[number] if number < len(shared.sessions) else None
        if session is not None and not has_shared_transaction(options):
            session = replace(session, transactions=session.transactions[: len(own_transactions(options))])
        yield options, session


# relaying


def _keep_relay(state: ProbeState, shared: SharedSession) -> ProbeState:
    if not relay_answered(shared.common):
        return state
    return replace(state, facts=replace(state.facts, relay=replace(shared.common, purpose="relay")))


def _settle_relay(state: ProbeState) -> Step:
    """Ask once more on a connection of its own where some domain has no answer about relaying."""
    facts = state.facts
    open_domains = _without_relay_answer(state)
    if open_domains and len(state.domains) > 1 and facts.relay is None and facts.failed_session is None:
        if state.seconds_left > 0:
            relay = shared_transactions(state.domains)
            spec = replace(facts.spec, budget=state.seconds_left, transactions=relay)
            return replace(state, stage=Stage.RELAY), spec
        state = state.replace_last({name: out_of_time(state.sessions[name][-1]) for name in open_domains})
    return _on_relay(state)


def _on_relay(state: ProbeState) -> Step:
    relay = state.facts.relay
    if relay is not None:
        state = state.add(dict.fromkeys(_without_relay_answer(state), relay))
    return _next_follow_up(replace(state, stage=Stage.FOLLOW_UPS))


def _without_relay_answer(state: ProbeState) -> list[str]:
    sharing = (o.domain for o in state.domains if has_shared_transaction(o))
    return [name for name in sharing if not any(map(relay_answered, state.sessions.get(name, ())))]


# follow-ups


def _follow_ups(state: ProbeState) -> list[tuple[Options, FollowUp]]:
    return list(product(state.domains, FOLLOW_UPS))


def _domain_probe(state: ProbeState, options: Options) -> DomainProbe:
    return DomainProbe(
        options=options,
        sessions=state.sessions.get(options.domain, ()),
        seed=state.seed,
        mx_host=state.mx_hosts.get(options.domain, ""),
        is_single=len(state.domains) == 1,
    )


def _next_follow_up(state: ProbeState) -> Step:
    """Open a connection for the next follow-up that applies and is not known yet."""
    for number, (options, row) in enumerate(_follow_ups(state)):
        probe = _domain_probe(state, options)
        if number < state.next_follow_up or not row.applies(probe):
            continue
        wanted = row.transactions(probe)
        if wanted in state.controls:
            state = state.add({options.domain: state.controls[wanted]})
        elif state.seconds_left > 0:
            spec = replace(row.change(state.facts.spec), budget=state.seconds_left, transactions=wanted)
            return replace(state, next_follow_up=number), spec
    return state, None


def _on_follow_up(state: ProbeState, shared: SharedSession) -> Step:
    options, row = _follow_ups(state)[state.next_follow_up]
    wanted = row.transactions(_domain_probe(state, options))
    state = replace(state.add({options.domain: shared.common}), next_follow_up=state.next_follow_up + 1)
    if not any(options.domain == t.recipient.rpartition("@")[2] for t in wanted):
        state = replace(state, controls={**state.controls, wanted: shared.common})
    return _next_follow_up(state)


# a run that ends before all domains were asked


def settled(state: ProbeState) -> ProbeState:
    """Return the state of those domains only that were answered and need no further connection."""
    relay = state.facts.relay
    known = state.add(dict.fromkeys(_without_relay_answer(state), relay)) if relay is not None else state
    waiting = _without_relay_answer(known)
    domains = tuple(
        options for options in state.domains if options.domain not in waiting and _is_done(known, options)
    )
    sessions = {options.domain: state.sessions[options.domain] for options in domains}
    state, _ = _settle_relay(replace(state, domains=domains, sessions=sessions, next_follow_up=0))
    return state


def without_waiting(state: ProbeState, spec: SessionSpec | None) -> Step:
    """Return the state without the domains whose first connection is still to be made, and the next one.

    Where no other domain is left, both are returned as they are.
    """
    waiting = {*state.waiting, *state.group} if state.stage is Stage.QUESTIONS and spec else set()
    domains = tuple(options for options in state.domains if options not in waiting)
    if not (waiting and domains):
        return state, spec
    sessions = {options.domain: state.sessions[options.domain] for options in domains}
    return _settle_relay(replace(state, domains=domains, sessions=sessions, waiting=(), group=()))


def _is_done(state: ProbeState, options: Options) -> bool:
    probe = _domain_probe(state, options)
    answers = last_answers(probe.sessions)
    is_asked = any(session.purpose != "relay" for session in probe.sessions)
    is_answered = all(own.purpose in answers for own in own_transactions(options))
    wanted = (row.transactions(probe) for row in FOLLOW_UPS if row.applies(probe))
    return is_asked and is_answered and all(transactions in state.controls for transactions in wanted)
