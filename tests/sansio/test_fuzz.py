"""Any bytes: events or RemoteProtocolError, never another exception, never more memory than the limits.

That sentence is the contract, and the `except` clauses here are its text.
"""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smtp_sansio import (
    Command,
    Connection,
    ConnectionClosed,
    Event,
    LocalProtocolError,
    Need,
    Policy,
    RemoteProtocolError,
    Reply,
    State,
    Unsolicited,
)
from tests.sansio.notation import Talk
from tests.sansio.routes import ONE_OF_EACH, ROUTES
from tests.sansio.strategies import COMMANDS, OCTETS, POLICIES, steady, thorough

OPEN = sorted(set(State) - {State.CLOSED, State.ERROR})


def raws(events: list[Event]) -> list[bytes]:
    return [event.raw for event in events if not isinstance(event, ConnectionClosed)]


@pytest.mark.slow
@thorough
@given(st.sampled_from(OPEN), st.lists(OCTETS, max_size=6), POLICIES)
def test_any_bytes_in_any_state(state: State, reads: list[bytes], policy: Policy) -> None:
    talk = Talk(Connection(policy))
    try:
        talk.continue_with(ROUTES[state])
        for octets in (*filter(None, reads), b""):
            talk.hear(octets)
            assert len(talk.connection._parser.pending) <= policy.max_reply + policy.max_line
    except LocalProtocolError:
        assert talk.error is not None, "nothing but an error reported before may keep us from receiving"
    else:
        assert talk.error is not None or isinstance(talk.events[-1], ConnectionClosed)
    for event in talk.events:
        if not isinstance(event, ConnectionClosed):
            assert len(event.deviations) <= policy.max_deviations
            assert event.text.count("\n") + 1 == len(event.lines) == event.raw.count(b"\n")
            assert event.enhanced_code is None or event.text.startswith(event.enhanced_code)


class AnyUse(RuleBasedStateMachine):
    """All that a caller and a server can do to a connection, in any order."""

    @initialize(policy=POLICIES, state=st.sampled_from(OPEN))
    def begin(self, policy: Policy, state: State) -> None:
        self.policy = policy
        talk = Talk(Connection(policy))
        with suppress(LocalProtocolError):  # where the policy is too tight to get there
            talk.continue_with(ROUTES[state])
        self.connection = talk.connection
        self.error = talk.error
        self.reported = bytearray(b"".join(raws(talk.events)))
        self.fed = bytearray(self.reported)
        self.answered = [event.command for event in talk.events if isinstance(event, Reply)]
        self.sent = [*self.answered, *talk.connection.outstanding]
        self.unsolicited = 0
        self.ended = False

    def _seen(self) -> tuple[object, ...]:
        c = self.connection
        return c.state, c.outstanding, c.capabilities, c.tls_active, c.trailing_data, c.has_unread

    @rule(octets=OCTETS)
    def receive(self, octets: bytes) -> None:
        before = self._seen()
        try:
            self.connection.receive_data(octets)
        except LocalProtocolError:
            assert self._seen() == before
            assert self.ended or self.connection.state in (State.CLOSED, State.ERROR)
        else:
            self.fed += octets
            self.ended |= not octets

    @rule(command=st.one_of(st.sampled_from(ONE_OF_EACH), COMMANDS))
    def say(self, command: Command) -> None:
        before = self._seen()
        try:
            octets = self.connection.send(command)
        except LocalProtocolError:
            assert self._seen() == before
        else:
            assert octets == command.line.encode() + b"\r\n"
            self.sent.append(command)
            assert self.connection.state == before[0]

    @rule()
    def listen(self) -> None:
        before = self._seen()
        try:
            event = self.connection.next_event()
        except LocalProtocolError:
            assert self.connection.state is State.CLOSED
            assert self._seen() == before
        except RemoteProtocolError as error:
            first, self.error = self.error or error, error
            assert self.error is first
            assert len(first.excerpt) <= self.policy.max_excerpt
            assert self.connection.state is State.ERROR
        else:
            assert self.error is None
            if isinstance(event, Need):
                assert event is (Need.TLS if self.connection.state is State.TLS else Need.DATA)
                assert not self.ended
            elif isinstance(event, ConnectionClosed):
                assert self.ended
                assert list(event.unanswered) == self.sent[len(self.answered) :]
                assert bytes(self.fed).startswith(self.reported + event.partial)
            else:
                self.reported += event.raw
                assert bytes(self.fed).startswith(self.reported), "raw is what was received, in order"
                assert len(event.deviations) <= self.policy.max_deviations
                if isinstance(event, Reply):
                    self.answered.append(event.command)
                    assert self.answered == self.sent[: len(self.answered)]
                elif isinstance(event, Unsolicited):
                    self.unsolicited += 1
                    assert self.unsolicited <= self.policy.max_unsolicited

    @rule()
    def establish(self) -> None:
        before = self._seen()
        try:
            self.connection.tls_established()
        except LocalProtocolError:
            assert before[0] is not State.TLS
            assert self._seen() == before
        except RemoteProtocolError as error:
            assert self.connection.trailing_data
            self.error = error
        else:
            assert (before[0], before[4]) == (State.TLS, b"")
            assert self._seen() == (State.FRESH, (), None, True, b"", False)

    @precondition(lambda self: self.connection.state is State.TLS)
    @rule()
    def give_up_tls(self) -> None:
        self.connection.tls_failed()
        assert self.connection.state is State.CLOSED

    @invariant()
    def memory_is_bounded(self) -> None:
        kept = len(self.connection._parser._buffer) + len(self.connection.trailing_data)
        assert kept <= self.policy.max_session
        assert len(self.connection._deviations._kept) <= self.policy.max_deviations
        if self.error is not None:
            assert self.connection.state is State.ERROR
            assert len(self.connection._parser._buffer) == 0


AnyUse.TestCase.settings = settings(steady, max_examples=100, stateful_step_count=30)
test_any_use = pytest.mark.slow(AnyUse.TestCase)
