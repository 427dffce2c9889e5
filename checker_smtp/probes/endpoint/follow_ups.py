"""The answers that call for one more question, asked on a connection of its own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.probes.options import Options

from .retry_conditions import relayed
from .session import SessionSpec

__all__ = ["FOLLOW_UPS", "FollowUp", "control_address"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """One more connection for a domain, after all others.

    `applies` is given the domain's options and its sessions so far, `transactions` the same and the seed of
    what is random, `change` the specification by which the last connection was made. A follow-up that asks
    the same of several domains is made once per address.
    """

    applies: Callable[[Options, tuple[Session, ...]], bool]
    transactions: Callable[[Options, tuple[Session, ...], int], tuple[Transaction, ...]]
    change: Callable[[SessionSpec], SessionSpec]


def control_address(options: Options, seed: int) -> str:
    """Return a mailbox that does not exist, at a second outside domain; its name follows from `seed`."""
    probe_domain = options.probe_address.rpartition("@")[2]
    token = hashlib.sha256(f"{seed}".encode()).hexdigest()[:16]
    return f"nobody-{token}@{options.outside_domain(probe_domain)}"


def _relay_control(options: Options, _: tuple[Session, ...], seed: int) -> tuple[Transaction, ...]:
    recipient = control_address(options, seed)
    return (Transaction(purpose="relay-control", sender=options.sender, recipient=recipient),)


FOLLOW_UPS = (
    # A server may accept the relay probe because it knows that mailbox: it cannot know this one.
    FollowUp(
        applies=lambda options, sessions: options.test_open_relay and relayed(sessions[-1]),
        transactions=_relay_control,
        change=lambda spec: replace(spec, purpose="relay-control"),
    ),
)
"""In the order in which they are asked."""
