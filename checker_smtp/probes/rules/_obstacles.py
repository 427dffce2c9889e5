"""The obstacles that kept an endpoint from answering all the questions at once, reported once.

The first rule that asks any question reports them: a refusal of this client, a refusal that may be of this
client or of the domain, and a session that ended too early.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.refusals import Reason

from ._answers import Kind, RefusedAnswer, client_refusal, names_client, own_answer
from ._finding import Finding, Outcome
from ._reading import end_evidence, listed, quoted, reply_evidence, shown
from ._shared import NOT_TESTED, REFUSED_US, UNDECIDED_FIX, client_fix

__all__ = ["obstacles"]

_EITHER = "Either the server refuses this client, or it does not serve the domain or has no postmaster."
_EITHER_LOGIN = "Either the server requires a login from everybody, or from clients such as this one alone."
_LOGIN_FIX = (
    "Repeat the check from another network. If a login is required there too, let the server accept mail for "
    "its own domains without one, or let the MX records name the server that receives mail. In Postfix the "
    "rule is in `smtpd_client_restrictions`."
)
_QUESTIONS = {"null-sender": "the null sender", "postmaster": "postmaster", "relay": "relaying"}


def obstacles(purpose: str, observation: Observation) -> Iterator[Finding]:
    """Yield the obstacles at each endpoint, where the rule for `purpose` has to report them."""
    for endpoint in observation.endpoints:
        asked = [p for p in _QUESTIONS if endpoint.asked(p) is not None]
        if asked and asked[0] == purpose and endpoint.ready_session:
            yield from _obstacle(endpoint, asked)


def _obstacle(endpoint: Endpoint, asked: list[str]) -> Iterator[Finding]:
    if (refused := client_refusal(endpoint)) is not None:
        yield _client_refused(endpoint, refused)
        return
    match own_answer(endpoint):
        case RefusedAnswer(kind=Kind.UNDECIDED) as answer:
            yield _undecided(endpoint, answer)
        case answer if answer.kind is not Kind.TLS:
            # a refusal is the answer about postmaster, whichever sender met it, and is reported as that
            judged = ("postmaster",) if isinstance(answer, RefusedAnswer) else ()
            yield from _unanswered(endpoint, [p for p in asked if p not in judged])


def _client_refused(endpoint: Endpoint, answer: RefusedAnswer) -> Finding:
    refusal, transaction = answer.refusal, answer.transaction
    step = "MAIL" if transaction is not None and answer.reply is transaction.mail else "RCPT"
    sender = f"the sender <{transaction.sender}>" if transaction is not None else "the sender"
    about = sender if refusal.reason is Reason.SENDER else "this client"
    said = f"{shown(answer.reply)}{quoted(refusal)}"
    if names_client(refusal):
        message = f"The server refuses {about} at {step} with {said}: nothing is known of the domain's mail."
    else:
        either = "Either the server refuses this client, or it refuses everybody."
        message = f"Every {step} is refused, with {said}. {either}"
    return REFUSED_US.finding(
        endpoint.subject,
        message,
        *reply_evidence(endpoint, answer.reply),
        outcome=Outcome.REFUSED_US,
        refusal=refusal,
        fix=client_fix(refusal),
    )


def _undecided(endpoint: Endpoint, answer: RefusedAnswer) -> Finding:
    control = endpoint.asked("served-control")
    verdict = control.verdict if control is not None else None
    other = "no recipient is known that the server should accept"
    if control is not None and verdict is None:
        other = f"{control.recipient}, which the server should accept, was not answered"
    elif control is not None:
        other = (
            f"{control.recipient}, which the server should accept, is not accepted either ({shown(verdict)})"
        )
    evidence = (*reply_evidence(endpoint, answer.reply), *reply_evidence(endpoint, verdict))
    return REFUSED_US.finding(
        endpoint.subject,
        f"Mail to the domain is refused with {shown(answer.reply)}{quoted(answer.refusal)}, and {other}. "
        + (_EITHER_LOGIN if answer.refusal.of_client_rule else _EITHER),
        *evidence,
        outcome=Outcome.REFUSED_US,
        refusal=answer.refusal,
        fix=_LOGIN_FIX if answer.refusal.of_client_rule else UNDECIDED_FIX,
    )


def _unanswered(endpoint: Endpoint, asked: list[str]) -> Iterator[Finding]:
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
        why = f"{session.end.words} at {session.end.step}"
        evidence = end_evidence(endpoint, session, session.end)
    else:
        why = f"the server replied {shown(refusal)}" if refusal else "they were not asked"
        evidence = reply_evidence(endpoint, refusal)
    yield NOT_TESTED.finding(
        endpoint.subject,
        f"Not tested: {questions}; {why}.",
        *evidence,
        outcome=Outcome.TRANSIENT if closing else Outcome.NOT_TESTED,
    )
