"""The answers that call for further questions, asked on a connection of their own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.probes.options import Options
from checker_smtp.probes.refusals import Refusal, Step, read_refusal
from checker_smtp.probes.registered_domain import registered_domain

from .retry_conditions import cut_short, last_answers
from .session import SessionSpec
from .transactions import own_transactions, transactions_for

__all__ = ["FOLLOW_UPS", "DomainProbe", "FollowUp", "control_address", "served_address"]

_CONTROLS = ("relay", "relay-control", "served-control")


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainProbe:
    """One domain's probe so far: options, sessions, and the name of its MX host at this address.

    `seed` is that of what is random. `is_single` is False where the address is probed for several domains at
    a time, so that transactions which name none of them are asked for all of them together.
    """

    options: Options
    sessions: tuple[Session, ...]
    seed: int
    mx_host: str = ""
    is_single: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """One more connection for a domain, after all others.

    `applies` and `transactions` are given the domain's probe so far, `change` the specification by which the
    last connection was made. A follow-up that asks the same of several domains is made once per address.
    """

    applies: Callable[[DomainProbe], bool]
    transactions: Callable[[DomainProbe], tuple[Transaction, ...]]
    change: Callable[[SessionSpec], SessionSpec]


# the questions that were not answered


def _is_cut_short(probe: DomainProbe) -> bool:
    """Return True where the last connection with the domain's questions was cut short, and some are left."""
    asking = [session for session in probe.sessions if session.purpose not in _CONTROLS]
    return bool(asking) and cut_short(asking[-1]) and bool(_unanswered(probe))


def _unanswered(probe: DomainProbe) -> tuple[Transaction, ...]:
    wanted = transactions_for(probe.options) if probe.is_single else own_transactions(probe.options)
    known = last_answers(probe.sessions)
    return tuple(transaction for transaction in wanted if transaction.purpose not in known)


_CONTINUED = FollowUp(
    applies=_is_cut_short,
    transactions=_unanswered,
    # one command at a time: what the server says before it closes is then received for certain
    change=lambda spec: replace(spec, purpose="continued", pipelining=False),
)


# relaying


def control_address(options: Options, seed: int) -> str:
    """Return a mailbox that does not exist, at a second outside domain; its name follows from `seed`."""
    token = hashlib.sha256(f"{seed}".encode()).hexdigest()[:16]
    return f"nobody-{token}@{_control_domain(options)}"


def _control_domain(options: Options) -> str:
    return options.outside_domain(_domain_of(options.probe_address))


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def _is_relayed(probe: DomainProbe) -> bool:
    relay = last_answers(probe.sessions).get("relay")
    return relay is not None and relay.verdict is not None and relay.verdict.positive


def _relay_control(probe: DomainProbe) -> tuple[Transaction, ...]:
    recipient = control_address(probe.options, probe.seed)
    return (Transaction(purpose="relay-control", sender=probe.options.sender, recipient=recipient),)


# a recipient that the server surely serves


def served_address(options: Options, mx_host: str) -> str:
    """Return postmaster at the registered domain of the MX host; empty where that decides nothing.

    That is so where the domain is the tested one or one of the relay probes', or where there is none.
    """
    domain = registered_domain(mx_host)
    if domain in ("", options.domain, _domain_of(options.probe_address), _control_domain(options)):
        return ""
    return f"postmaster@{domain}"


def _is_undecided(probe: DomainProbe) -> bool:
    """Return True where the domain's own recipients were refused at RCPT for no reason that decides."""
    answers = last_answers(probe.sessions)
    null, usual = answers.get("null-sender"), answers.get("postmaster")
    if usual is None or usual.mail is None or not usual.mail.positive:
        return False
    if usual.rcpt is None or not usual.rcpt.permanent or _read(usual).decides_at_once:
        return False
    if null is not None and null.verdict is not None:
        decides = null.verdict.permanent and _read(null).decides_at_once
        if null.verdict.positive or decides:
            return False
    return bool(served_address(probe.options, probe.mx_host))


def _read(transaction: Transaction) -> Refusal:
    reply = transaction.verdict
    assert reply is not None  # noqa: S101 - the transaction was answered
    step = Step.MAIL if reply is transaction.mail else Step.RCPT
    return read_refusal(reply.code, reply.enhanced_code, reply.text, step=step, sender=transaction.sender)


def _served_control(probe: DomainProbe) -> tuple[Transaction, ...]:
    recipient = served_address(probe.options, probe.mx_host)
    return (Transaction(purpose="served-control", sender=probe.options.sender, recipient=recipient),)


FOLLOW_UPS = (
    # Twice: with the connection before them, that is one for each of a domain's questions.
    _CONTINUED,
    _CONTINUED,
    # A server may accept the relay probe because it knows that mailbox: it cannot know this one.
    FollowUp(
        applies=lambda probe: probe.options.test_open_relay and _is_relayed(probe),
        transactions=_relay_control,
        change=lambda spec: replace(spec, purpose="relay-control"),
    ),
    # A refusal may be of this client or of the domain: where this recipient is accepted, it is the domain's.
    FollowUp(
        applies=_is_undecided,
        transactions=_served_control,
        change=lambda spec: replace(spec, purpose="served-control", pipelining=False),
    ),
)
"""In the order in which they are asked."""
