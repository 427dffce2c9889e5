"""However the octets are split, the same things happen: on the parser and over whole conversations."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_sansio import Command, Connection, Policy, ProtocolError, State
from tests.sansio.notation import Talk
from tests.sansio.parsing import parse, single
from tests.sansio.strategies import OCTETS, OPENINGS, POLICIES, TURNS, Turn, splits, thorough

Split: TypeAlias = Callable[[bytes], list[bytes]]


@pytest.mark.slow
@thorough
@given(st.data(), OCTETS, POLICIES)
def test_the_parser(data: st.DataObject, octets: bytes, policy: Policy) -> None:
    whole = parse([octets], policy)
    assert parse(single(octets), policy) == whole
    assert parse(data.draw(splits(octets)), policy) == whole


def act(policy: Policy, turns: list[Turn], split: Split) -> list[Any]:
    """All that a conversation brings: events, refusals and errors, and what can be seen of the connection."""
    talk = Talk(Connection(policy))
    connection = talk.connection
    seen: list[Any] = []

    def attempt(move: Callable[..., object], *command: Command) -> None:
        try:
            seen.append(move(*command))
        except ProtocolError as error:
            seen.append((type(error), error.code, str(error)))

    for octets, commands, handshake in turns:
        for piece in split(octets):
            if connection.state not in (State.ERROR, State.CLOSED):
                talk.hear(piece)
        for command in commands:
            attempt(connection.send, command)
        if handshake:
            attempt(connection.tls_established if handshake == "established" else connection.tls_failed)
        seen += [connection.state, connection.outstanding, connection.capabilities, connection.has_unread]
        seen += [connection.tls_active, connection.trailing_data, len(talk.events)]
    if connection.state not in (State.ERROR, State.CLOSED):
        talk.hear(b"")
    if talk.error:
        seen.append((talk.error.code, str(talk.error), talk.error.excerpt))
    return [*seen, *talk.events]


@pytest.mark.slow
@thorough
@given(st.data(), OPENINGS, TURNS, POLICIES)
def test_whole_conversations(
    data: st.DataObject, opening: list[Turn], turns: list[Turn], policy: Policy
) -> None:
    whole = act(policy, opening + turns, lambda octets: [octets] if octets else [])
    assert act(policy, opening + turns, single) == whole
    assert act(policy, opening + turns, lambda octets: data.draw(splits(octets))) == whole
