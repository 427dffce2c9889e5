"""Mail to postmaster at the domain is accepted (RFC 5321 §4.5.1, RFC 2142 §5).

Accepted with one sender is accepted. A refusal counts against the domain only where it is about the mailbox,
the domain or the server's own state: not about this client or its sender.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.refusals import Reason, Step

from ._answers import (
    Kind,
    RefusedAnswer,
    any_answered,
    client_refusal,
    defers_everything,
    is_accepted,
    own_answer,
    perhaps_served_elsewhere,
    read_reply,
    served_elsewhere,
)
from ._finding import Code, Evidence, Finding, Outcome, Severity, Urgency
from ._obstacles import obstacles
from ._reading import quoted, reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US, SERVER_STATE_FIX, deferral_outcome, retry_fix

REJECTED = Code(
    "smtp.postmaster.rejected",
    Severity.CRIT,
    title="Mail to postmaster is not accepted",
    why="Every mail domain must have this address. Without it problems with the domain's mail cannot be "
    "reported, and some servers and lists insist on it.",
    fix="Create the address or an alias that somebody reads (Postfix: `postmaster:` in `/etc/aliases` or "
    "`virtual_alias_maps`; Exim: an alias in the `system_aliases` router).",
    reference="RFC 5321 §4.5.1, RFC 2142 §5",
    reproduce=RepeatTransactions(),
    urgency=Urgency.HIDES_FAULTS,
    badge="Postmaster refused",
    transactions=("postmaster",),
)
DEFERRED = Code(
    "smtp.postmaster.deferred",
    Severity.WARN,
    title="Mail to postmaster is deferred",
    why="A sender retries for some days and then returns the mail, unless the server accepts it meanwhile.",
    fix="Repeat the check after some minutes.",
    reference="RFC 5321 §4.5.4.1",
    reproduce=RepeatTransactions(),
    urgency=Urgency.STOPS_MAIL,
    badge="Postmaster deferred",
    advice="greylisting",
    transactions=("postmaster",),
)
AUTH_REQUIRED = Code(
    "smtp.auth.required",
    Severity.CRIT,
    title="The server requires a login for mail to the domain",
    why="Nobody without an account on this server can deliver: all mail from outside is returned.",
    fix="Let the server accept mail for its own domains without a login, and require one for relaying only "
    "(Postfix: "
    "`smtpd_relay_restrictions`, not `smtpd_recipient_restrictions = permit_sasl_authenticated, reject`). If "
    "this is a submission server, let the MX records name the server that receives mail.",
    reference="RFC 4954 §6, RFC 5321 §3.6",
    reproduce=RepeatTransactions(),
    urgency=Urgency.STOPS_MAIL,
    badge="Login required",
    transactions=("postmaster", "null-sender"),
)

_FIXES = {
    Reason.NOT_SERVED: "Add the domain to those that the server accepts mail for (Postfix: `mydestination`, "
    "`virtual_mailbox_domains` or `relay_domains`; Exim: `local_domains` or `relay_to_domains`; a hosted "
    "service: its list of domains), or let the MX records name the server that does.",
    Reason.MAILBOX_FULL: "Free space in the mailbox, and let somebody read it.",
    Reason.SERVER_STATE: SERVER_STATE_FIX,
    Reason.POLICY: "The server accepts this client for another recipient, so a policy for this domain or "
    "mailbox refuses it: look for blocklists, allowlists and filters that apply to it.",
}
# How a 4yz goes on that asks for more than a retry.
_UNCHANGED = ": waiting will not change that"
_LASTING = {
    Reason.NOT_SERVED: f": the server does not accept mail for this domain, and{_UNCHANGED[1:]}",
    Reason.SERVER_STATE: ": the server reports a fault of its own",
}
_OTHER_MX_FIX = (
    "A more preferred MX accepts the domain's mail: remove this one from the MX records, or let it accept "
    "the domain."
)
_PERHAPS_OTHER_MX_FIX = (
    "A more preferred MX could not be judged from here, so it is not known if senders ever reach this one. "
    "Let it accept the domain's mail, or remove it from the MX records."
)


@rule(
    "smtp.postmaster",
    Severity.CRIT,
    "Checks that mail to postmaster at the domain is accepted.",
    order=120,
    codes=(REJECTED, DEFERRED, AUTH_REQUIRED, REFUSED_US, NOT_TESTED),
    needs=Input.TLS,
    option="test_postmaster",
    tested=lambda o: o.settings.test_postmaster and any_answered("postmaster", o),
)
def postmaster(observation: Observation) -> Iterator[Finding]:
    if not observation.settings.test_postmaster:
        return
    yield from obstacles("postmaster", observation)
    fixes = dict.fromkeys(perhaps_served_elsewhere(observation), _PERHAPS_OTHER_MX_FIX)
    fixes |= dict.fromkeys(served_elsewhere(observation), _OTHER_MX_FIX)
    for endpoint in observation.endpoints:
        if client_refusal(endpoint) is not None:
            continue
        match own_answer(endpoint):
            case RefusedAnswer(kind=Kind.REFUSED) as answer:
                yield _refused(observation, endpoint, answer, fixes.get(endpoint.subject, ""))
            case RefusedAnswer(kind=Kind.DEFERRED) as answer:
                yield _deferred(observation, endpoint, answer)
            case RefusedAnswer(kind=Kind.LOGIN) as answer:
                yield _login_required(endpoint, answer, fixes.get(endpoint.subject, ""))
            case answer if answer.kind is Kind.UNANSWERED:
                yield from _neither(endpoint)


def _refused(
    observation: Observation, endpoint: Endpoint, answer: RefusedAnswer, other_mx_fix: str
) -> Finding:
    """Return the finding on a refusal; `other_mx_fix` is empty unless another MX is the one that matters."""
    reason, fix = answer.refusal.reason, _FIXES.get(answer.refusal.reason, "")
    severity = Severity.CRIT if answer.refusal.may_be_critical else Severity.WARN
    if severity is Severity.CRIT and other_mx_fix:
        severity, fix = Severity.WARN, other_mx_fix
    return REJECTED.finding(
        endpoint.subject,
        f"{_refusal_message(observation, endpoint, answer)}{_control_note(endpoint, reason)}.",
        *_evidence(endpoint, answer),
        outcome=Outcome.TRANSIENT if answer.reply.transient else Outcome.FAIL,
        severity=severity,
        refusal=answer.refusal,
        fix=fix,
    )


def _refusal_message(observation: Observation, endpoint: Endpoint, answer: RefusedAnswer) -> str:
    recipient = f"postmaster@{observation.domain}"
    said = f"{shown(answer.reply)}{quoted(answer.refusal)}"
    reason = answer.refusal.reason
    if reason is Reason.MAILBOX_FULL:
        return f"The mailbox of {recipient} is full: {said}"
    message = f"Mail to {recipient} is refused with {said}"
    if reason is Reason.NOT_SERVED:
        return f"{message}: the server does not accept mail for this domain"
    if reason is Reason.SERVER_STATE:
        return f"{message}: the server reports a fault of its own"
    if reason is Reason.MAILBOX and _outside_gets_the_same(endpoint):
        return (
            f"{message}. Recipients of other domains get the same reply, so the domain may not be set up on "
            "this server"
        )
    return message


def _control_note(endpoint: Endpoint, reason: Reason) -> str:
    """Return the words about the control, where it decided that the refusal is the domain's."""
    control = endpoint.asked("served-control")
    if control is None or reason not in (Reason.POLICY, Reason.UNCLEAR):
        return ""
    return f", although this client is welcome: {control.recipient} is accepted"


def _outside_gets_the_same(endpoint: Endpoint) -> bool:
    relay = endpoint.asked("relay")
    if relay is None or relay.rcpt is None or not relay.rcpt.permanent:
        return False
    return read_reply(relay.rcpt, Step.RCPT, relay.sender).reason is Reason.MAILBOX


def _deferred(observation: Observation, endpoint: Endpoint, answer: RefusedAnswer) -> Finding:
    refusal = answer.refusal
    everything = defers_everything(endpoint)
    is_unknown = refusal.reason is Reason.MAILBOX and not refusal.for_a_time
    lasting = refusal.is_lasting or is_unknown
    if everything:
        end, fix = ", and so is STARTTLS: the server defers everything", SERVER_STATE_FIX
    elif lasting:
        end, fix = _LASTING.get(refusal.reason, _UNCHANGED), _lasting_fix(refusal.reason)
    else:
        end, fix = ", as greylisting does" if refusal.is_greylisting else "", retry_fix(refusal)
    # at MAIL no recipient has been named, and the sender may have been the null one
    is_at_mail = answer.transaction is not None and answer.reply is answer.transaction.mail
    recipient = f"postmaster@{observation.domain}"
    what = "Mail to the domain is deferred at MAIL" if is_at_mail else f"Mail to {recipient} is deferred"
    return DEFERRED.finding(
        endpoint.subject,
        f"{what} with {shown(answer.reply)}{quoted(refusal)}{end}.",
        *_evidence(endpoint, answer),
        outcome=Outcome.FAIL if lasting else Outcome.TRANSIENT,
        severity=Severity.WARN if lasting or everything else Severity.INFO,
        refusal=refusal,
        fix=fix,
    )


def _lasting_fix(reason: Reason) -> str:
    return REJECTED.fix if reason is Reason.MAILBOX else _FIXES.get(reason, SERVER_STATE_FIX)


def _login_required(endpoint: Endpoint, answer: RefusedAnswer, other_mx_fix: str) -> Finding:
    is_transient = answer.reply.transient
    return AUTH_REQUIRED.finding(
        endpoint.subject,
        f"Mail to the domain is refused with {shown(answer.reply)}{quoted(answer.refusal)}: the server "
        "requires a login.",
        *_evidence(endpoint, answer),
        outcome=deferral_outcome(answer.refusal) if is_transient else Outcome.FAIL,
        severity=Severity.WARN if is_transient or other_mx_fix else None,
        refusal=answer.refusal,
        fix=other_mx_fix,
    )


def _neither(endpoint: Endpoint) -> Iterator[Finding]:
    """Yield the finding on a reply that is neither 2yz, 4yz nor 5yz (RFC 5321 §4.2.1)."""
    asked = endpoint.asked("postmaster")
    if asked is not None and asked.verdict is not None:
        yield NOT_TESTED.finding(
            endpoint.subject,
            f"Mail to {asked.recipient} is answered with {shown(asked.verdict)}, which neither accepts nor "
            "refuses it.",
            *reply_evidence(endpoint, asked.verdict),
            outcome=Outcome.NOT_TESTED,
        )


def _evidence(endpoint: Endpoint, answer: RefusedAnswer) -> tuple[Evidence, ...]:
    """Return the deciding reply, and the control's where it decided."""
    control = endpoint.asked("served-control")
    accepted = control.verdict if control is not None and is_accepted(control) else None
    return (*reply_evidence(endpoint, answer.reply), *reply_evidence(endpoint, accepted))
