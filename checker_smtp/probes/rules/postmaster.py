"""Mail to postmaster at the domain is accepted (RFC 5321 §4.5.1, RFC 2142 §5).

Accepted with one sender is accepted. A refusal counts against the domain only where it is about the mailbox,
the domain or the server's own state: not about this client or its sender.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.refusals import Reason, Step

from ._answers import (
    Answer,
    Kind,
    any_answered,
    client_refusal,
    is_accepted,
    is_served_elsewhere,
    own_answer,
    read_reply,
)
from ._finding import Code, Evidence, Finding, Outcome, Severity, Urgency
from ._obstacles import obstacles
from ._reading import quoted, reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US

REJECTED = Code(
    "smtp.postmaster.rejected",
    Severity.CRIT,
    title="Mail to postmaster is refused",
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
    urgency=Urgency.HIDES_FAULTS,
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
    "service: its "
    "list of domains), or let the MX records name the server that does.",
    Reason.MAILBOX_FULL: "Free space in the mailbox, and let somebody read it.",
    Reason.SERVER_STATE: "Find the cause in the server's log: it reports a fault of its own (disk space, a "
    "lookup "
    "table, a filter or policy service, its configuration).",
    Reason.POLICY: "The server accepts this client for another recipient, so a policy for this domain or "
    "mailbox refuses "
    "it: look for blocklists, allowlists and filters that apply to it.",
}
_OTHER_MX_FIX = (
    "A more preferred MX accepts the domain's mail: remove this one from the MX records, or let it accept "
    "the domain."
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
    for endpoint in observation.endpoints:
        answer = own_answer(endpoint)
        if client_refusal(endpoint) is not None:
            continue
        if answer.kind is Kind.REFUSED:
            yield _refused(observation, endpoint, answer)
        elif answer.kind is Kind.DEFERRED:
            yield _deferred(endpoint, answer)
        elif answer.kind is Kind.LOGIN:
            yield _login_required(endpoint, answer)


def _refused(observation: Observation, endpoint: Endpoint, answer: Answer) -> Finding:
    assert answer.refusal is not None  # noqa: S101 - for the type checker
    reason, fix = answer.refusal.reason, _FIXES.get(answer.refusal.reason, "")
    severity = (
        Severity.CRIT if reason in (Reason.MAILBOX, Reason.NOT_SERVED, Reason.UNCLEAR) else Severity.WARN
    )
    if severity is Severity.CRIT and is_served_elsewhere(observation, endpoint):
        severity, fix = Severity.WARN, _OTHER_MX_FIX
    is_transient = answer.reply is not None and answer.reply.transient
    return REJECTED.finding(
        endpoint.subject,
        _refusal_message(observation, endpoint, answer),
        *_evidence(endpoint, answer),
        outcome=Outcome.TRANSIENT if is_transient else Outcome.FAIL,
        severity=severity,
        refusal=answer.refusal,
        fix=fix,
    )


def _refusal_message(observation: Observation, endpoint: Endpoint, answer: Answer) -> str:
    recipient = f"postmaster@{observation.domain}"
    said = f"{shown(answer.reply)}{quoted(answer.refusal)}"
    reason = answer.refusal.reason if answer.refusal is not None else Reason.UNCLEAR
    if reason is Reason.MAILBOX_FULL:
        return f"The mailbox of {recipient} is full: {said}."
    if reason is Reason.NOT_SERVED:
        return f"Mail to {recipient} is refused with {said}: the server does not accept mail for this domain."
    if reason is Reason.SERVER_STATE:
        return f"Mail to {recipient} is refused with {said}: the server reports a fault of its own."
    if reason in (Reason.POLICY, Reason.UNCLEAR):
        control = endpoint.asked("served-control")
        other = control.recipient if control is not None else "another recipient"
        return (
            f"Mail to {recipient} is refused with {said}, although this client is welcome: {other} is "
            "accepted."
        )
    if _outside_gets_the_same(endpoint):
        return (
            f"Mail to {recipient} is refused with {said}. Recipients of other domains get the same reply, "
            "so the "
            "domain may not be set up on this server."
        )
    return f"Mail to {recipient} is refused with {said}."


def _outside_gets_the_same(endpoint: Endpoint) -> bool:
    relay = endpoint.asked("relay")
    verdict = relay.verdict if relay is not None else None
    if verdict is None or not verdict.permanent:
        return False
    return read_reply(verdict, Step.RCPT).reason is Reason.MAILBOX


def _deferred(endpoint: Endpoint, answer: Answer) -> Finding:
    refusal, transaction = answer.refusal, answer.transaction
    assert refusal is not None and transaction is not None  # noqa: S101, PT018 - for the type checker
    lasting = refusal.is_lasting or (refusal.is_transient and refusal.reason is Reason.MAILBOX)
    if lasting:
        end, fix = ": waiting will not change that", _lasting_fix(refusal.reason)
    elif refusal.is_greylisting:
        end, fix = (
            ", as greylisting does",
            "Repeat the check with `--retry-deferred 5`: the second attempt should pass.",
        )
    else:
        end, fix = (
            "",
            "Repeat the check with `--retry-deferred 5`; if that does not help, see the server's log.",
        )
    return DEFERRED.finding(
        endpoint.subject,
        f"Mail to {transaction.recipient} is deferred with {shown(answer.reply)}{quoted(refusal)}{end}.",
        *_evidence(endpoint, answer),
        outcome=Outcome.TRANSIENT,
        severity=Severity.WARN if lasting else Severity.INFO,
        refusal=refusal,
        fix=fix,
    )


def _lasting_fix(reason: Reason) -> str:
    return REJECTED.fix if reason is Reason.MAILBOX else _FIXES.get(reason, _FIXES[Reason.SERVER_STATE])


def _login_required(endpoint: Endpoint, answer: Answer) -> Finding:
    is_transient = answer.reply is not None and answer.reply.transient
    return AUTH_REQUIRED.finding(
        endpoint.subject,
        f"Mail to the domain is refused with {shown(answer.reply)}{quoted(answer.refusal)}: the server "
        "requires a login.",
        *_evidence(endpoint, answer),
        outcome=Outcome.TRANSIENT if is_transient else Outcome.FAIL,
        severity=Severity.WARN if is_transient else None,
        refusal=answer.refusal,
    )


def _evidence(endpoint: Endpoint, answer: Answer) -> tuple[Evidence, ...]:
    """Return the deciding reply, and the control's where it decided."""
    control = endpoint.asked("served-control")
    accepted = control.verdict if control is not None and is_accepted(control) else None
    return (*reply_evidence(endpoint, answer.reply), *reply_evidence(endpoint, accepted))
