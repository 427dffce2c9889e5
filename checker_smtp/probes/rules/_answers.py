"""The server's answer about the domain's own recipients, and whether it refused this client instead.

Servers refuse late, at RCPT, what they dislike early: the client, its name, the sender. So the same recipient
is tried with two senders, and two recipients with the same sender, and each refusal is read for its reason
(`probes.refusals`). A reason decides at once, but for `policy` and `unclear`: those count against the domain
only where the server accepted a recipient that it surely serves, which shows that this client is welcome.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session, Transaction
from checker_smtp.probes.refusals import Reason, Refusal, Step, read_refusal

__all__ = [
    "Answer",
    "Kind",
    "any_answered",
    "client_refusal",
    "is_accepted",
    "is_clear_session",
    "is_served_elsewhere",
    "is_welcome",
    "own_answer",
    "read_reply",
]

_OWN = ("postmaster", "null-sender")
_ASKED = ("null-sender", "postmaster", "relay")
# The reasons that are the domain's or its server's own, the most telling first.
_DOMAIN_REASONS = (Reason.MAILBOX, Reason.NOT_SERVED, Reason.MAILBOX_FULL, Reason.SERVER_STATE)
_GATES = (Reason.LOGIN, Reason.TLS)
# A scan reads the same refusals over and over.
_REPLIES_KNOWN = 1024


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


def is_accepted(transaction: Transaction | None) -> bool:
    """Return whether the recipient was accepted."""
    verdict = transaction.verdict if transaction else None
    return verdict is not None and verdict.positive


def read_reply(reply: ReplySeen, step: Step, sender: str = "") -> Refusal:
    """Return what a refusal of the class 4 or 5 says; one of another class is unclear."""
    return _read(reply.code, reply.enhanced_code, reply.text, step, sender)


@lru_cache(_REPLIES_KNOWN)
def _read(code: int, enhanced_code: str, text: str, step: Step, sender: str) -> Refusal:
    return read_refusal(code, enhanced_code, text, step=step, sender=sender)


def _read_verdict(transaction: Transaction, reply: ReplySeen) -> Refusal:
    step = Step.MAIL if reply is transaction.mail else Step.RCPT
    return read_reply(reply, step, transaction.sender)


def client_refusal(endpoint: Endpoint) -> Answer | None:
    """Return the refusal of this client, at the greeting, EHLO, MAIL or RCPT; None where it is welcome.

    A 421 without words against the client is none: it may be said to anybody at any time.
    """
    return _refused_before_mail(endpoint) or _refused_at_mail(endpoint) or _refused_at_rcpt(endpoint)


def is_welcome(endpoint: Endpoint) -> bool:
    """Return whether an extension that is not offered is missing: a refused client may not be shown any."""
    return client_refusal(endpoint) is None


def _refused_before_mail(endpoint: Endpoint) -> Answer | None:
    greeting = endpoint.main.greeting
    if greeting is not None and not greeting.positive:
        return _against_client(greeting, Step.GREETING)
    if greeting is None or endpoint.ready_session is not None:
        return None
    session = endpoint.sessions[-1]
    reply = session.helo or session.ehlo or endpoint.main.ehlo
    return _against_client(reply, Step.EHLO) if reply is not None else None


def _against_client(reply: ReplySeen, step: Step) -> Answer | None:
    """Return the refusal where its words blame the client, or its code says security or policy (X.7.x)."""
    if reply.code < 400:
        return None
    refusal = read_reply(reply, step)
    about_client = refusal.blames_client or (step is Step.GREETING and refusal.of_client)
    if about_client or refusal.enhanced_code[1:].startswith(".7."):
        return Answer(Kind.CLIENT, reply, refusal)
    return None


def _refused_at_mail(endpoint: Endpoint) -> Answer | None:
    """Return the refusal where every MAIL met one (530 excepted), or one that blames the client."""
    asked = [t for purpose in _ASKED if (t := endpoint.asked(purpose)) is not None and t.mail is not None]
    refused = [(t, t.mail) for t in asked if t.mail is not None and t.mail.code >= 400]
    if not asked or len(refused) < len(asked):
        return None
    transaction, reply = refused[0]
    readings = [_read_verdict(t, mail) for t, mail in refused]
    if any(r.reason in _GATES for r in readings):
        return None
    blaming = next((r for r in readings if r.blames_client), None)
    if blaming is None and not all(mail.permanent for _, mail in refused):
        return None
    return Answer(Kind.CLIENT, reply, blaming or readings[0], transaction)


def _refused_at_rcpt(endpoint: Endpoint) -> Answer | None:
    """Return the refusal of an own recipient that blames the client, where no own recipient was accepted."""
    answer = own_answer(endpoint)
    return answer if answer.kind is Kind.CLIENT else None


def own_answer(endpoint: Endpoint) -> Answer:
    """Return the answer of this endpoint about the domain's own recipients."""
    asked = [t for purpose in _OWN if (t := endpoint.asked(purpose)) is not None]
    if accepted := next((t for t in asked if is_accepted(t)), None):
        return Answer(Kind.ACCEPTED, accepted.verdict, None, accepted)
    answers = [
        Answer(Kind.UNANSWERED, reply, _read_verdict(t, reply), t)
        for t in asked
        if (reply := t.verdict) is not None and reply.code >= 400
    ]
    if not answers:
        return Answer(Kind.UNANSWERED)
    kinds = [(_kind_of(endpoint, answer), answer) for answer in answers]
    # the recipient's own fault counts whichever sender met it; then what blames this client
    for kind in (Kind.REFUSED, Kind.LOGIN, Kind.TLS, Kind.CLIENT, Kind.UNDECIDED, Kind.DEFERRED):
        of_kind = [answer for known, answer in kinds if known is kind]
        if of_kind:
            chosen = min(of_kind, key=_weight)
            return Answer(_settle(endpoint, kind), chosen.reply, chosen.refusal, chosen.transaction)
    raise AssertionError("every answer has a kind")


def _weight(answer: Answer) -> int:
    reason = answer.refusal.reason if answer.refusal is not None else Reason.UNCLEAR
    return _DOMAIN_REASONS.index(reason) if reason in _DOMAIN_REASONS else len(_DOMAIN_REASONS)


def _kind_of(endpoint: Endpoint, answer: Answer) -> Kind:
    """Return what one refusal of an own recipient shows."""
    refusal, reply, transaction = answer.refusal, answer.reply, answer.transaction
    assert refusal is not None and reply is not None and transaction is not None  # noqa: S101, PT018 - for the type checker
    if refusal.blames_client:
        return Kind.CLIENT
    if refusal.reason in _GATES and (kind := _gate(endpoint, transaction, refusal)) is not None:
        return kind
    if refusal.reason is Reason.MAILBOX_FULL:
        return Kind.REFUSED
    if reply.transient:
        return Kind.DEFERRED
    if reply is transaction.mail:
        return Kind.CLIENT
    if refusal.reason in _DOMAIN_REASONS:
        return Kind.REFUSED
    if refusal.reason is Reason.GREYLIST:
        return Kind.DEFERRED
    if refusal.reason in (Reason.POLICY, Reason.UNCLEAR, *_GATES):
        return Kind.UNDECIDED
    return Kind.CLIENT


def _gate(endpoint: Endpoint, transaction: Transaction, refusal: Refusal) -> Kind | None:
    """Return what a demand for TLS or a login means in the session that met it; None where it is neither."""
    session = _session_of(endpoint, transaction)
    if is_clear_session(session) and session.offers("STARTTLS"):
        return Kind.TLS
    if refusal.reason is Reason.LOGIN:
        return Kind.LOGIN
    return Kind.TLS if is_clear_session(session) else None


def is_clear_session(session: Session) -> bool:
    """Return whether the transactions of the session travelled without TLS."""
    return session.tls is None


def _session_of(endpoint: Endpoint, transaction: Transaction) -> Session:
    return next(s for s in endpoint.sessions if any(transaction is one for one in s.transactions))


def _settle(endpoint: Endpoint, kind: Kind) -> Kind:
    """Return the kind after the control: a client that is welcome elsewhere there is not the one refused."""
    if kind is Kind.UNDECIDED and is_accepted(endpoint.asked("served-control")):
        return Kind.REFUSED
    return kind


def any_answered(purpose: str, observation: Observation) -> bool:
    """Return whether any endpoint answered this question, and not only refused this client."""
    return any(_is_answered(purpose, endpoint) for endpoint in observation.endpoints)


def _is_answered(purpose: str, endpoint: Endpoint) -> bool:
    transaction = endpoint.asked(purpose)
    if transaction is None or transaction.verdict is None:
        return False
    return own_answer(endpoint).kind is not Kind.UNDECIDED and client_refusal(endpoint) is None


def is_served_elsewhere(observation: Observation, endpoint: Endpoint) -> bool:
    """Return whether a more preferred MX than all that lead to this endpoint accepts the domain's mail."""
    own = _preference(observation, endpoint)
    return any(
        _preference(observation, other) < own and own_answer(other).kind is Kind.ACCEPTED
        for other in observation.endpoints
    )


def _preference(observation: Observation, endpoint: Endpoint) -> int:
    return min(_preferences(observation, endpoint), default=0)


def _preferences(observation: Observation, endpoint: Endpoint) -> Iterator[int]:
    for record in observation.mx.records:
        if record.target in endpoint.targets:
            yield record.preference
