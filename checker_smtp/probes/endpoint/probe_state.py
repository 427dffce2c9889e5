"""The state of the probe of an address between two connections: the data that `reducer` works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TypeAlias

from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.probes.options import Options

from .session import SessionSpec

__all__ = ["AddressFacts", "ProbeState", "Stage", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFacts:
    """The facts about the address itself, which later domains need not find out again.

    `spec` makes the next connection, its transactions left open; `failed_attempts` are the connections after
    which a fallback was taken, `last` is the latest one with questions, `failed_session` the one that reached
    no question that names a domain, `relay` the one that showed whether the address relays.
    """

    spec: SessionSpec
    max_domains: int = 1
    failed_attempts: tuple[Session, ...] = ()
    last: Session | None = None
    failed_session: Session | None = None
    relay: Session | None = None


class Stage(Enum):
    """The kind of connection that is open."""

    QUESTIONS = auto()
    RELAY = auto()
    FOLLOW_UPS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """The probe of some domains at one address, between two connections.

    `waiting` are the domains without an answer yet, `group` those of the open connection; `sessions` has each
    domain's result so far. `controls` are the follow-ups made at this address, by their transactions.
    `is_alone` is true for a domain that shares nothing with others: all its transactions form one flight.
    `mx_hosts` are the names under which the domains know the address, by domain.
    """

    facts: AddressFacts
    domains: tuple[Options, ...]
    seed: int
    seconds_left: float
    is_alone: bool
    waiting: tuple[Options, ...]
    group: tuple[Options, ...] = ()
    sessions: Mapping[str, tuple[Session, ...]] = field(default_factory=dict)
    controls: Mapping[tuple[Transaction, ...], Session] = field(default_factory=dict)
    stage: Stage = Stage.QUESTIONS
    next_fallback: int = 0
    next_follow_up: int = 0
    mx_hosts: Mapping[str, str] = field(default_factory=dict)

    def add(self, sessions: Mapping[str, Session]) -> "ProbeState":
        """Return the state with one more session for each of these domains."""
        added = {domain: (*self.sessions.get(domain, ()), session) for domain, session in sessions.items()}
        return replace(self, sessions={**self.sessions, **added})

    def replace_last(self, sessions: Mapping[str, Session]) -> "ProbeState":
        """Return the state with another last session for each of these domains."""
        changed = {domain: (*self.sessions[domain][:-1], session) for domain, session in sessions.items()}
        return replace(self, sessions={**self.sessions, **changed})


Step: TypeAlias = tuple[ProbeState, SessionSpec | None]
