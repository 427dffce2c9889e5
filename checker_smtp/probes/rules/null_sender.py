"""Bounces are accepted: `MAIL FROM:<>` passes up to a recipient (RFC 5321 §4.5.5, §6.1).

250 to MAIL proves nothing, because most servers refuse at RCPT. The control is the same recipient under a
normal sender: only where that one passes is a refusal about the null sender.
"""

from collections.abc import Iterator
from functools import partial

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction

from ._blame import blames_address, demands_tls
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._pairs import any_answered, common_refusal, obstacles
from ._reading import reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US

REJECTED = Code(
    "smtp.null_sender.rejected",
    Severity.CRIT,
    title="Bounces and delivery reports are refused",
    why="Nobody at this domain learns that a message could not be delivered, and senders that check the "
    "address by calling back refuse mail from the domain.",
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
    Severity.INFO,
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
        verdict = asked.verdict if asked else None
        if asked is None or verdict is None or verdict.positive or common_refusal(endpoint):
            continue
        if verdict.permanent:
            yield _refusal(endpoint, asked, verdict)
        else:
            yield _deferred(
                endpoint, verdict, f"Mail from the null sender is deferred with {shown(verdict)}."
            )


def _refusal(endpoint: Endpoint, asked: Transaction, verdict: ReplySeen) -> Finding:
    control = endpoint.asked("postmaster")
    at_mail = verdict is asked.mail
    same_step = (control.mail if at_mail else control.rcpt) if control else None
    where = "MAIL" if at_mail else "RCPT"
    evidence = (*reply_evidence(endpoint, verdict), *reply_evidence(endpoint, same_step))
    if demands_tls(verdict):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"The null sender could not be tested: {shown(verdict)} requires TLS or a login first.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    if same_step is None:
        return NOT_TESTED.finding(
            endpoint.subject,
            f"The null sender is refused at {where} with {shown(verdict)}, but no other sender was "
            "answered there.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    if same_step.positive and (words := blames_address(verdict)):
        return REFUSED_US.finding(
            endpoint.subject,
            f"The null sender is refused at {where} with {shown(verdict)} because of this client's address "
            f'(it says "{words}"); a normal sender is accepted there.',
            *evidence,
            outcome=Outcome.REFUSED_US,
        )
    if same_step.positive:
        return REJECTED.finding(
            endpoint.subject,
            f"The null sender is refused at {where} with {shown(verdict)}, a normal sender accepted there.",
            *evidence,
        )
    if same_step.transient:
        return _deferred(
            endpoint,
            verdict,
            f"The null sender is refused at {where} with {shown(verdict)}, and a normal one deferred with "
            f"{shown(same_step)}: undecided.",
        )
    refused = "Any sender is refused at MAIL" if at_mail else "Postmaster is refused under any sender"
    return NOT_TESTED.finding(
        endpoint.subject,
        f"{refused} ({shown(verdict)}), so the null sender could not be tested.",
        *evidence,
        outcome=Outcome.NOT_TESTED,
        fix="" if at_mail else "Let the server accept mail for postmaster, then repeat the check.",
    )


def _deferred(endpoint: Endpoint, verdict: ReplySeen, message: str) -> Finding:
    return DEFERRED.finding(
        endpoint.subject, message, *reply_evidence(endpoint, verdict), outcome=Outcome.TRANSIENT
    )
