"""Verdicts come from pairs of transactions, never from one reply.

Servers refuse late, at RCPT, what they dislike early: the client, its name, the sender. So the same
recipient is tried with two senders, and two recipients with the same sender. Where all of them are refused in
the same words the refusal is about this client, and none of the questions was answered; unless the words say
that there is no such mailbox, or that the server does not serve the domain.

An obstacle to all the questions at once is reported once, by the first rule that asks any.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction

from ._blame import about_mailbox, blames_us, demands_tls, denies_relay
from ._finding import Finding, Outcome
from ._reading import end_evidence, listed, reply_evidence, same_refusal, shown
from ._shared import NOT_TESTED, REFUSED_US

__all__ = ["any_answered", "common_refusal", "is_accepted", "obstacles"]

_QUESTIONS = {"null-sender": "the null sender", "postmaster": "postmaster", "relay": "relaying"}


def is_accepted(transaction: Transaction | None) -> bool:
    """Return whether the recipient was accepted."""
    verdict = transaction.verdict if transaction else None
    return verdict is not None and verdict.positive


def common_refusal(endpoint: Endpoint) -> ReplySeen | None:
    """Return the refusal that all transactions have in common, whatever their sender and recipient."""
    transactions = [t for purpose in _QUESTIONS if (t := endpoint.asked(purpose)) is not None]
    verdicts = [t.verdict for t in transactions if t.verdict is not None]
    # a 4yz is a refusal of this client only where it says so: greylisting treats all alike
    is_refused = all(v.permanent for v in verdicts) or all(v.transient and blames_us(v) for v in verdicts)
    if len(transactions) < 2 or len(verdicts) < len(transactions) or not is_refused:
        return None
    first, *others = verdicts
    if not all(same_refusal(first, other) for other in others):
        return None
    one_recipient = len({t.recipient for t in transactions}) == 1
    at_rcpt = all(t.mail is not None and t.mail.positive for t in transactions)
    if at_rcpt and (about_mailbox(first) or denies_relay(first)):
        return None  # it is about the recipient
    if at_rcpt and one_recipient and not blames_us(first):
        return None  # it may be about the recipient
    return first


def any_answered(purpose: str, observation: Observation) -> bool:
    """Return whether any endpoint answered this question, and not only refused this client."""
    return any(
        (t := e.asked(purpose)) is not None and t.verdict is not None and common_refusal(e) is None
        for e in observation.endpoints
    )


def obstacles(purpose: str, observation: Observation) -> Iterator[Finding]:
    """Yield a finding for each endpoint that could not answer, where `purpose` is its first question."""
    for endpoint in observation.endpoints:
        asked = [p for p in _QUESTIONS if endpoint.asked(p) is not None]
        if asked and asked[0] == purpose and endpoint.ready_session:
            yield from _obstacle(endpoint, asked)


def _obstacle(endpoint: Endpoint, asked: list[str]) -> Iterator[Finding]:
    if (refusal := common_refusal(endpoint)) is not None:
        yield _refused(endpoint, refusal)
        return
    unanswered = [p for p in asked if (t := endpoint.asked(p)) is not None and t.verdict is None]
    if not unanswered:
        return
    session = next(
        s for s in reversed(endpoint.sessions) if any(t.purpose in unanswered for t in s.transactions)
    )
    questions = listed([_QUESTIONS[p] for p in unanswered])
    closing = next((reply for reply in session.replies if reply.code == 421), None)
    refusal = closing or next((reply for reply in reversed(session.replies) if not reply.positive), None)
    if session.end is not None and closing is None:
        why = f"the session ended ({session.end.kind}) at {session.end.step}"
        evidence = end_evidence(endpoint, session, session.end)
    else:
        why = f"the server said {shown(refusal)}" if refusal else "they were not asked"
        evidence = reply_evidence(endpoint, refusal)
    yield NOT_TESTED.finding(
        endpoint.subject,
        f"Not tested: {questions}; {why}.",
        *evidence,
        outcome=Outcome.TRANSIENT if closing else Outcome.NOT_TESTED,
    )


def _refused(endpoint: Endpoint, refusal: ReplySeen) -> Finding:
    evidence = reply_evidence(endpoint, refusal)
    if demands_tls(refusal):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"Every transaction is refused with {shown(refusal)}: the server requires TLS or a login first.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    words = blames_us(refusal)
    hint = f' (it says "{words}")' if words else ""
    return REFUSED_US.finding(
        endpoint.subject,
        f"Every transaction is refused alike with {shown(refusal)}, whatever its sender and recipient: "
        f"this client is refused{hint}.",
        *evidence,
        outcome=Outcome.REFUSED_US,
    )
