"""Commands, events, effects and outcomes are values: equal, hashable, copied, sent to other processes."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from smtp_sansio import (
    Connect,
    ConnectionClosed,
    Effect,
    Event,
    Failed,
    FailureKind,
    Mail,
    Outcome,
    Received,
    Reply,
    Rset,
    Send,
)

VALUES: list[Event | Effect | Outcome | Mail] = [
    Reply(250, b"250 ok\r\n", (), Rset()),
    ConnectionClosed((Rset(),), b"25"),
    Connect("192.0.2.7", 25, 12),
    Send(b"RSET\r\n", 12),
    Received(0.5, b"250 ok\r\n"),
    Failed(12.0, FailureKind.TIMEOUT),
    Mail("postmaster@probe.test"),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_copy_equals_the_value(value: Event | Effect | Outcome | Mail) -> None:
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == replace(value) == value  # noqa: S301 - our own
    assert hash(replace(value)) == hash(value)


def test_a_field_cannot_be_set() -> None:
    with pytest.raises(FrozenInstanceError):
        Mail("postmaster@probe.test").sender = ""  # type: ignore[misc]
