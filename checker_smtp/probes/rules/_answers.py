"""The server's answer about the domain's own recipients, and whether it refused this client instead.

Servers refuse late, at RCPT, what they dislike early: the client, its name, the sender. So the same recipient
is tried with two senders, and two recipients with the same sender, and each refusal is read for its reason
(`probes.refusals`). A reason decides at once, but for `policy` and `unclear`: those count against the domain
only where the server accepted a recipient that it surely serves, which shows that this client is welcome.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session, Transaction
from checker_smtp.probes.refusals import Reason, Refusal, Step, read_refusal

from ._reach import blamed

__all__ = [
    "Answer",
    "Kind",
    "RefusedAnswer",
    "any_answered",
    "client_refusal",
    "defers_everything",
    "is_accepted",
    "is_against_client",
    "is_clear_session",
    "is_welcome",
    "names_client",
    "own_answer",
    "perhaps_served_elsewhere",
    "read_reply",
    "served_elsewhere",
]

_OWN = ("postmaster", "null-sender")
_ASKED = ("null-sender", "postmaster", "relay")
# The reasons that are the domain's or its server's own, the clearest first.
_DOMAIN_REASONS = (Reason.MAILBOX, Reason.NOT_SERVED, Reason.MAILBOX_FULL, Reason.SERVER_STATE)
_GATES = (Reason.LOGIN, Reason.TLS)


class Kind(StrEnum):
    """The kinds of answer about the domain's own recipients."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Refused for what it is: the mailbox, the domain, or the state of the server."""
    DEFERRED = "deferred"
    CLIENT = "client"
    """This client is refused, and the recipient was not judged."""
    UNDECIDED = "undecided"
    """Refused, and it is not known whether this client is meant or the recipient."""
    LOGIN = "login"
    TLS = "tls"
    UNANSWERED = "unanswered"


# The recipient's own fault counts whichever sender met it; then what blames this client.
_ORDER = (Kind.REFUSED, Kind.LOGIN, Kind.TLS, Kind.CLIENT, Kind.UNDECIDED, Kind.DEFERRED)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, with the reply, the transaction and the refusal that decide."""

    kind: Kind
    reply: ReplySeen | None = None
    refusal: Refusal | None = None
    transaction: Transaction | None = None

    @property
    def is_settled(self) -> bool:
        """True where the recipient was accepted or refused for what it is."""
        return self.kind in (Kind.ACCEPTED, Kind.REFUSED, Kind.LOGIN)


@dataclass(frozen=True, slots=True)
class RefusedAnswer(Answer):
    """An answer that a refusal gave, of the class 4 or 5."""

    reply: ReplySeen
    refusal: Refusal


def is_accepted(transaction: Transaction | None) -> bool:
    """Return whether the recipient was accepted."""
    verdict = transaction.verdict if transaction else None
    return verdict is not None and verdict.positive


def read_reply(reply: ReplySeen, step: Step, sender: str = "") -> Refusal:
    """Return what a refusal of the class 4 or 5 says; one of another class is unclear."""
    return read_refusal(reply.code, reply.enhanced_code, reply.text, step=step, sender=sender)


def client_refusal(endpoint: Endpoint) -> RefusedAnswer | None:
    """Return the refusal of this client, at the greeting, EHLO, MAIL or RCPT; None where it is welcome.

    A 421 without words against the client is none: it may be said to anybody at any time.
    """
    return _refused_before_mail(endpoint) or _refused_at_mail(endpoint) or _refused_at_rcpt(endpoint)


def is_welcome(endpoint: Endpoint) -> bool:
    """Return whether an extension that is not offered is missing: a refused client may not be shown any."""
    return client_refusal(endpoint) is None


def is_against_client(refusal: Refusal, step: Step) -> bool:
    """Return whether a refusal of the greeting or of EHLO is about this client.

    No recipient was named yet, so security and policy (X.7.x) can only be about the client.
    """
    if refusal.code < 500:
        return refusal.defers_client
    by_code = refusal.enhanced_code.startswith("5.7.")
    by_words = refusal.of_client if step is Step.GREETING else refusal.reason is Reason.POLICY
    return refusal.blames_client or by_code or by_words


def names_client(refusal: Refusal) -> bool:
    """Return whether words or an X.7.x code are about the client; else everybody may hear the same."""
    return refusal.blames_client or refusal.of_client or refusal.enhanced_code[1:].startswith(".7.")


def _refused_before_mail(endpoint: Endpoint) -> RefusedAnswer | None:
    if endpoint.ready_session is not None or not endpoint.sessions:
        return None
    session = endpoint.sessions[-1]
    greeting = endpoint.main.greeting
    if greeting is not None and not greeting.positive:
        reply, step = greeting, Step.GREETING
    else:
        hello = session.helo or session.ehlo or endpoint.main.ehlo
        if hello is None:
            return None
        reply, step = hello, Step.EHLO
    refusal = read_reply(reply, step)
    if reply.code < 400 or not is_against_client(refusal, step):
        return None
    return RefusedAnswer(Kind.CLIENT, reply, refusal)


def _refused_at_mail(endpoint: Endpoint) -> RefusedAnswer | None:
    """Return the refusal where every MAIL met one (530 excepted), or one that blames the client."""
    asked = [t for purpose in _ASKED if (t := endpoint.asked(purpose)) is not None and t.mail is not None]
    refused = [answer for t in asked if (answer := _refusal_in(t)) is not None and answer.reply is t.mail]
    if len(refused) < len(asked) or any(a.refusal.reason in _GATES for a in refused):
        return None
    # words against the null sender are not about this client: every sender of bounces hears them
    of_client = [answer for answer in refused if not _is_of_null_sender(answer)]
    blaming = [answer for answer in of_client if answer.refusal.blames_client]
    if blaming:
        return blaming[0]
    return of_client[0] if of_client and all(answer.reply.permanent for answer in refused) else None


def _refused_at_rcpt(endpoint: Endpoint) -> RefusedAnswer | None:
    """Return the refusal that blames the client, where the own recipients were not judged."""
    answer = own_answer(endpoint)
    if answer.kind is Kind.CLIENT and isinstance(answer, RefusedAnswer):
        return answer
    if answer.kind not in (Kind.UNANSWERED, Kind.UNDECIDED):
        return None
    relay = endpoint.asked("relay")
    probe = _refusal_in(relay) if relay is not None else None
    return probe if probe is not None and probe.refusal.blames_client else None


def _refusal_in(transaction: Transaction) -> RefusedAnswer | None:
    """Return the refusal that the transaction met, read as one of this client; None where it met none."""
    reply = transaction.verdict
    if reply is None or not (reply.transient or reply.permanent):
        return None
    step = Step.MAIL if reply is transaction.mail else Step.RCPT
    refusal = read_reply(reply, step, transaction.sender)
    return RefusedAnswer(Kind.CLIENT, reply, refusal, transaction)


def _is_of_null_sender(answer: RefusedAnswer) -> bool:
    """Return whether the null sender itself is refused: that says nothing about the client or recipient."""
    transaction, refusal = answer.transaction, answer.refusal
    if transaction is None or transaction.sender:
        return False
    at_mail = answer.reply is transaction.mail and answer.reply.permanent and not refusal.blames_client
    return refusal.reason is Reason.SENDER or (at_mail and refusal.reason not in _GATES)


def own_answer(endpoint: Endpoint) -> Answer:
    """Return the answer of this endpoint about the domain's own recipients."""
    asked = [t for purpose in _OWN if (t := endpoint.asked(purpose)) is not None]
    if accepted := next((t for t in asked if is_accepted(t)), None):
        return Answer(Kind.ACCEPTED, accepted.verdict, None, accepted)
    refused = [answer for t in asked if (answer := _refusal_in(t)) is not None]
    answers = [_judged(endpoint, answer) for answer in refused if not _is_of_null_sender(answer)]
    return min(answers, key=_weight, default=Answer(Kind.UNANSWERED))


def _weight(answer: RefusedAnswer) -> tuple[int, int]:
    reason = answer.refusal.reason
    known = _DOMAIN_REASONS.index(reason) if reason in _DOMAIN_REASONS else len(_DOMAIN_REASONS)
    return _ORDER.index(answer.kind), known


def _judged(endpoint: Endpoint, answer: RefusedAnswer) -> RefusedAnswer:
    """Return the answer with its kind, after the control: a client that is welcome is not the one refused."""
    kind = _kind_of(endpoint, answer)
    if kind is Kind.UNDECIDED and is_accepted(endpoint.asked("served-control")):
        kind = Kind.LOGIN if answer.refusal.of_client_rule else Kind.REFUSED
    return replace(answer, kind=kind)


def _kind_of(endpoint: Endpoint, answer: RefusedAnswer) -> Kind:
    """Return what one refusal of an own recipient shows."""
    refusal, reply, transaction = answer.refusal, answer.reply, answer.transaction
    if refusal.blames_client:
        return Kind.CLIENT
    if refusal.of_client_rule:
        return Kind.UNDECIDED
    if refusal.reason in _GATES and (kind := _gate(endpoint, transaction, refusal)) is not None:
        return kind
    if refusal.reason is Reason.MAILBOX_FULL:
        return Kind.REFUSED
    if reply.transient or refusal.reason is Reason.GREYLIST:
        return Kind.DEFERRED
    if transaction is not None and reply is transaction.mail:
        return Kind.CLIENT
    if refusal.reason in _DOMAIN_REASONS:
        return Kind.REFUSED
    return Kind.UNDECIDED


def _gate(endpoint: Endpoint, transaction: Transaction | None, refusal: Refusal) -> Kind | None:
    """Return what a demand for TLS or a login means in the session that met it; None where it is neither."""
    session = next(s for s in endpoint.sessions if any(transaction is one for one in s.transactions))
    if is_clear_session(session) and session.offers("STARTTLS"):
        return Kind.TLS
    if refusal.reason is Reason.LOGIN:
        return Kind.LOGIN
    return Kind.TLS if is_clear_session(session) else None


def defers_everything(endpoint: Endpoint) -> bool:
    """Return whether STARTTLS and MAIL are both deferred: then neither is at fault itself."""
    starttls, answer = endpoint.main.starttls, own_answer(endpoint)
    if starttls is None or not starttls.transient or answer.kind is not Kind.DEFERRED:
        return False
    return answer.transaction is not None and answer.reply is answer.transaction.mail


def is_clear_session(session: Session) -> bool:
    """Return whether the transactions of the session travelled without TLS."""
    return session.tls is None


def any_answered(purpose: str, observation: Observation) -> bool:
    """Return whether any endpoint answered this question, and not only refused this client."""
    return any(_is_answered(purpose, endpoint) for endpoint in observation.endpoints)


def _is_answered(purpose: str, endpoint: Endpoint) -> bool:
    transaction = endpoint.asked(purpose)
    if transaction is None or transaction.verdict is None:
        return False
    return own_answer(endpoint).kind is not Kind.UNDECIDED and client_refusal(endpoint) is None


def served_elsewhere(observation: Observation) -> set[str]:
    """Return the subjects of the endpoints all of whose MX targets come after one that accepts the mail."""
    return _behind(observation, lambda endpoint: own_answer(endpoint).kind is Kind.ACCEPTED)


def perhaps_served_elsewhere(observation: Observation) -> set[str]:
    """Return the same for a more preferred one that cannot be judged: it refused this client, or is unknown.

    A deferral is no such answer: a sender that meets it tries the next target.
    """
    _, untested = blamed(observation)
    unreached = {endpoint.subject for endpoint in untested}

    def is_open(endpoint: Endpoint) -> bool:
        is_known = own_answer(endpoint).kind not in (Kind.CLIENT, Kind.UNDECIDED, Kind.TLS)
        return not is_known or client_refusal(endpoint) is not None or endpoint.subject in unreached

    return _behind(observation, is_open)


def _behind(observation: Observation, is_wanted: Callable[[Endpoint], bool]) -> set[str]:
    """Return the subjects of the endpoints all of whose MX targets come after one that is wanted."""
    of_target: dict[str, int] = {}
    for record in observation.mx.records:
        of_target[record.target] = min(record.preference, of_target.get(record.target, record.preference))
    preferences = {
        endpoint.subject: min((of_target[name] for name in endpoint.targets if name in of_target), default=0)
        for endpoint in observation.endpoints
    }
    best = min((preferences[e.subject] for e in observation.endpoints if is_wanted(e)), default=None)
    if best is None:
        return set()
    return {subject for subject, preference in preferences.items() if best < preference}
