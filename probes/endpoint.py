"""One address, asked everything: as many connections as its faults make necessary, mostly one.

The main session does all of it. A further one is made only where the main one could not go on, so that one
fault never hides the others:

* EHLO refused and the connection gone with it: `helo-only`.
* The handshake refused our SNI: `without-sni`. Failed otherwise, or STARTTLS or EHLO did: `without-tls`.
* A group of commands answered out of step, or not at all: `one-by-one`.
* The relay probe accepted: `relay-control`, the same question for a mailbox nobody can have.

All of them together stay within one budget of time.
"""

import hashlib
from dataclasses import replace

from .observation import Session, Transaction
from .options import Options
from .ports import Runner
from .session import Plan, hold_session

__all__ = ["control_address", "probe_endpoint", "transactions_for"]

_CUT = ("closed", "reset", "timeout")


def control_address(options: Options, seed: int) -> str:
    """A mailbox that does not exist at a second outside domain; random, but told by the seed."""
    probe_domain = options.probe_address.rpartition("@")[2]
    token = hashlib.sha256(f"{seed}".encode()).hexdigest()[:16]
    return f"nobody-{token}@{options.outside_domain(probe_domain)}"


def transactions_for(options: Options) -> tuple[Transaction, ...]:
    """The transactions to hold, in order; the second is also the control of the first."""
    postmaster = f"postmaster@{options.domain}"
    wanted = []
    if options.test_null_sender:
        wanted.append(Transaction(purpose="null-sender", sender="", recipient=postmaster))
    if options.test_null_sender or options.test_postmaster:
        wanted.append(Transaction(purpose="postmaster", sender=options.sender, recipient=postmaster))
    if options.test_open_relay:
        wanted.append(Transaction(purpose="relay", sender=options.sender, recipient=options.probe_address))
    return tuple(wanted)


async def probe_endpoint(
    options: Options, runner: Runner, address: str, server_name: str, seed: int
) -> tuple[Session, ...]:
    """Every session held with `address`, the main one first; `server_name` is the SNI."""
    sessions: list[Session] = []

    async def hold(plan: Plan) -> Session:
        left = round(options.budget - sum(_seconds(session) for session in sessions), 3)
        if left > 0:
            sessions.append(await runner.run(hold_session(replace(plan, budget=left))))
        return sessions[-1]

    plan = Plan(
        purpose="main",
        address=address,
        port=options.port,
        server_name=server_name,
        helo_name=options.helo_name,
        timeout=options.timeout,
        budget=options.budget,
        transactions=transactions_for(options),
    )
    session = await hold(plan)
    if _dropped_at_ehlo(session):
        plan = replace(plan, purpose="helo-only", ehlo=False)
        session = await hold(plan)
    if _sni_refused(session):
        plan = replace(plan, purpose="without-sni", server_name="")
        session = await hold(plan)
    if _broken_by_tls(session):
        plan = replace(plan, purpose="without-tls", starttls=False)
        session = await hold(plan)
    if _out_of_step(session):
        plan = replace(plan, purpose="one-by-one", pipelining=False)
        session = await hold(plan)
    if _relayed(session):
        control = Transaction(
            purpose="relay-control", sender=options.sender, recipient=control_address(options, seed)
        )
        await hold(replace(plan, purpose="relay-control", transactions=(control,)))
    return tuple(sessions)


def _seconds(session: Session) -> float:
    return float(session.transcript[-1]["at"])


def _dropped_at_ehlo(session: Session) -> bool:
    """EHLO was refused for good, and HELO could not be answered because the connection was gone."""
    refused = session.ehlo is not None and session.ehlo.permanent
    return refused and session.helo is None and session.end is not None and session.end.kind in _CUT


def _sni_refused(session: Session) -> bool:
    end = session.end
    return end is not None and end.step == "TLS" and "unrecognized name" in end.detail


def _broken_by_tls(session: Session) -> bool:
    """STARTTLS broke the session, or the handshake failed, or EHLO did behind it: ask on in the clear."""
    if any(reply.code == 421 for reply in session.replies):
        return False
    if session.starttls is None:
        return session.end is not None and session.end.step == "STARTTLS"
    return session.starttls.positive and (session.ehlo_tls is None or not session.ehlo_tls.positive)


def _out_of_step(session: Session) -> bool:
    """A flight was sent and not every transaction was answered, without a 421 to explain it."""
    keywords = session.capabilities_tls if session.tls else session.capabilities
    if session.end is None or not any(known.keyword == "PIPELINING" for known in keywords):
        return False
    if any(reply.code == 421 for reply in session.replies):
        return False
    begun = any(t.mail is not None for t in session.transactions) or session.end.step == "MAIL"
    return begun and any(t.verdict is None for t in session.transactions)


def _relayed(session: Session) -> bool:
    return any(
        t.purpose == "relay" and t.verdict is not None and t.verdict.positive for t in session.transactions
    )
