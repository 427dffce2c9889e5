"""Bounces are accepted: `MAIL FROM:<>` passes up to a recipient (RFC 5321 §4.5.5, §6.1).

250 to MAIL proves nothing, because most servers refuse at RCPT. The control is the same recipient under a
normal sender: only where that one passes is a refusal about the null sender.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction
from checker_smtp.probes.refusals import Reason, Refusal, Step

from ._answers import Kind, any_answered, client_refusal, own_answer, read_reply
from ._finding import Code, Evidence, Finding, Outcome, Severity, Urgency
from ._obstacles import obstacles
from ._reading import quoted, reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US, client_fix, retry_fix

REJECTED = Code(
    "smtp.null_sender.rejected",
    Severity.CRIT,
    title="Mail from the null sender (bounces, delivery reports) is refused",
    why="Where a bounce is refused, nobody learns that a message could not be delivered, and senders that "
    "check the address by calling back refuse mail from the domain.",
    fix="Accept the empty reverse-path (Postfix: look for `<>` in `smtpd_sender_restrictions` and in policy "
    "services; Exim: for `senders = :` in `acl_smtp_mail` and `acl_smtp_rcpt`).",
    reference="RFC 5321 §4.5.5, §6.1",
    reproduce=RepeatTransactions(),
    urgency=Urgency.LOSES_MAIL,
    badge="Bounces refused",
    transactions=("null-sender",),
    controls=("postmaster",),
)
DEFERRED = Code(
    "smtp.null_sender.deferred",
    Severity.WARN,
    title="Bounces are not accepted at the moment",
    why="Greylisting and limits do this; a bounce is retried like any other mail.",
    fix="Repeat the check after some minutes.",
    reference="RFC 5321 §4.5.4.1",
    reproduce=RepeatTransactions(),
    urgency=Urgency.LOSES_MAIL,
    badge="Bounces deferred",
    advice="greylisting",
    transactions=("null-sender",),
    controls=("postmaster",),
)


@rule(
    "smtp.null_sender",
    Severity.CRIT,
    "Checks that mail with the null sender (bounces) is accepted.",
    order=110,
    codes=(REJECTED, DEFERRED, REFUSED_US, NOT_TESTED),
    needs=Input.TLS,
    option="test_null_sender",
    tested=partial(any_answered, "null-sender"),
)
def null_sender(observation: Observation) -> Iterator[Finding]:
    yield from obstacles("null-sender", observation)
    for endpoint in observation.endpoints:
        asked = endpoint.asked("null-sender")
        reply = asked.verdict if asked else None
        if asked is None or reply is None or reply.positive or _is_reported(endpoint):
            continue
        step = Step.MAIL if reply is asked.mail else Step.RCPT
        refused = _Refused(
            endpoint, reply, step, read_reply(reply, step, asked.sender), endpoint.asked("postmaster")
        )
        yield _refusal(refused) if reply.permanent else _deferred(refused)


def _is_reported(endpoint: Endpoint) -> bool:
    """Return whether the refusal is one that another rule reports: of this client, or of every recipient."""
    kind = own_answer(endpoint).kind
    return kind in (Kind.UNDECIDED, Kind.LOGIN, Kind.TLS) or client_refusal(endpoint) is not None


@dataclass(frozen=True, slots=True)
class _Refused:
    """The refusal of the null sender, and the transaction of the normal one."""

    endpoint: Endpoint
    reply: ReplySeen
    step: Step
    refusal: Refusal
    control: Transaction | None

    @property
    def control_reply(self) -> ReplySeen | None:
        """The reply that the normal sender got at the same step."""
        if self.control is None:
            return None
        return self.control.mail if self.step is Step.MAIL else self.control.rcpt

    @property
    def said(self) -> str:
        return f"{shown(self.reply)}{quoted(self.refusal)}"

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return (
            *reply_evidence(self.endpoint, self.reply),
            *reply_evidence(self.endpoint, self.control_reply),
        )


def _refusal(refused: _Refused) -> Finding:
    where, control = refused.step.upper(), refused.control_reply
    if control is None:
        return _not_tested(
            refused,
            f"The null sender is refused at {where} with {refused.said}, but no other sender was answered "
            "there.",
        )
    if control.positive and refused.refusal.blames_client and refused.refusal.reason is not Reason.SENDER:
        return REFUSED_US.finding(
            refused.endpoint.subject,
            f"The null sender is refused at {where} with {refused.said} because of this client; a normal "
            "sender is accepted there.",
            *refused.evidence,
            outcome=Outcome.REFUSED_US,
            refusal=refused.refusal,
            fix=client_fix(refused.refusal),
        )
    if control.positive:
        return _rejected(refused)
    if not control.permanent:
        return _deferred(refused)
    return _not_tested(
        refused,
        f"Postmaster is refused under any sender ({shown(refused.reply)}), so the null sender could not be "
        "tested.",
        "Let the server accept mail for postmaster, then repeat the check.",
    )


def _rejected(refused: _Refused) -> Finding:
    message = (
        f"The null sender is refused at {refused.step.upper()} with {refused.said}; a normal sender is "
        "accepted there."
    )
    if not refused.refusal.bounce_policy:
        return REJECTED.finding(refused.endpoint.subject, message, *refused.evidence, refusal=refused.refusal)
    return REJECTED.finding(
        refused.endpoint.subject,
        f"{message} It is a policy for bounces: those with a valid tag may pass.",
        *refused.evidence,
        severity=Severity.WARN,
        refusal=refused.refusal,
        fix="If every message of the domain leaves with a tag (BATV), real bounces pass. Otherwise accept "
        "the null sender, because senders that verify addresses by calling back are refused.",
    )


def _not_tested(refused: _Refused, message: str, fix: str = "") -> Finding:
    return NOT_TESTED.finding(
        refused.endpoint.subject,
        message,
        *refused.evidence,
        outcome=Outcome.NOT_TESTED,
        refusal=refused.refusal,
        fix=fix,
    )


def _deferred(refused: _Refused) -> Finding:
    control = refused.control_reply
    is_alone = control is not None and control.positive
    message = f"Mail from the null sender is deferred with {refused.said}."
    if not (refused.reply.transient or refused.reply.permanent):
        message = (
            f"Mail from the null sender is answered with {shown(refused.reply)}, which neither accepts nor "
            "refuses it."
        )
    if refused.reply.permanent:
        message = (
            f"The null sender is refused at {refused.step.upper()} with {refused.said}, and a normal one "
            f"deferred with {shown(control)}: undecided."
        )
    lasting = is_alone and (refused.refusal.is_lasting or refused.refusal.reason is Reason.SENDER)
    return DEFERRED.finding(
        refused.endpoint.subject,
        message,
        *refused.evidence,
        outcome=Outcome.FAIL if lasting else Outcome.TRANSIENT,
        severity=Severity.WARN if lasting else Severity.INFO,
        refusal=refused.refusal,
        fix="" if refused.refusal.is_lasting else retry_fix(refused.refusal),
    )
