"""Mail to postmaster at the domain is accepted (RFC 5321 §4.5.1, RFC 2142 §5).

Accepted with one sender is accepted. A refusal counts against the domain only where it is about the mailbox
or the domain: not about this client or its sender.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction

from ._blame import about_sender, blames_us, demands_tls, denies_relay, is_policy, mailbox_full
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._pairs import any_answered, common_refusal, is_accepted, obstacles
from ._reading import reply_evidence, shown
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
    Severity.INFO,
    title="Mail to postmaster is deferred",
    why="Greylisting and limits do this; a sender retries.",
    fix="Repeat the check after some minutes; with greylisting the second attempt passes.",
    reference="RFC 5321 §4.5.4.1",
    reproduce=RepeatTransactions(),
    urgency=Urgency.HIDES_FAULTS,
    badge="Postmaster deferred",
    advice="greylisting",
    transactions=("postmaster",),
)


@rule(
    "smtp.postmaster",
    Severity.CRIT,
    "Checks that mail to postmaster at the domain is accepted.",
    order=120,
    codes=(REJECTED, DEFERRED, REFUSED_US, NOT_TESTED),
    needs=Input.TLS,
    option="test_postmaster",
    tested=lambda o: o.settings.test_postmaster and any_answered("postmaster", o),
)
def postmaster(observation: Observation) -> Iterator[Finding]:
    if not observation.settings.test_postmaster:
        return
    yield from obstacles("postmaster", observation)
    for endpoint in observation.endpoints:
        asked = endpoint.asked("postmaster")
        verdict = asked.verdict if asked else None
        settled = is_accepted(asked) or is_accepted(endpoint.asked("null-sender"))
        if asked is None or verdict is None or settled or common_refusal(endpoint):
            continue
        if verdict.permanent:
            yield _refusal(endpoint, asked, verdict)
        elif mailbox_full(verdict):
            yield _full(endpoint, asked, verdict, Outcome.TRANSIENT)
        else:
            yield DEFERRED.finding(
                endpoint.subject,
                f"Mail to {asked.recipient} is deferred with {shown(verdict)}.",
                *reply_evidence(endpoint, verdict),
                outcome=Outcome.TRANSIENT,
            )


def _refusal(endpoint: Endpoint, asked: Transaction, verdict: ReplySeen) -> Finding:
    evidence = reply_evidence(endpoint, verdict)
    words = blames_us(verdict)
    if demands_tls(verdict):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"Postmaster could not be tested: {shown(verdict)} requires TLS or a login first.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    if verdict is asked.mail or about_sender(verdict):
        return REFUSED_US.finding(
            endpoint.subject,
            f"The sender {asked.sender} is refused with {shown(verdict)}, so postmaster could not be tested.",
            *evidence,
            outcome=Outcome.REFUSED_US,
        )
    if relay := denies_relay(verdict):
        return REJECTED.finding(
            endpoint.subject,
            f"Mail to {asked.recipient} is refused with {shown(verdict)} as relaying (it says "
            f'"{relay}"): the server does not accept mail for this domain.',
            *evidence,
            fix="Add the domain to those that the server accepts mail for (Postfix: `mydestination`, "
            "`virtual_mailbox_domains` or `relay_domains`; Exim: `local_domains` or `relay_to_domains`), or "
            "let the MX records name the server that does.",
        )
    if words or is_policy(verdict):
        hint = f' (it says "{words}")' if words else ""
        return REFUSED_US.finding(
            endpoint.subject,
            f"Mail to {asked.recipient} is refused by policy with {shown(verdict)}{hint}; other "
            "clients may pass.",
            *evidence,
            outcome=Outcome.REFUSED_US,
        )
    if mailbox_full(verdict):
        return _full(endpoint, asked, verdict, Outcome.FAIL)
    return REJECTED.finding(
        endpoint.subject, f"Mail to {asked.recipient} is refused with {shown(verdict)}.", *evidence
    )


def _full(endpoint: Endpoint, asked: Transaction, verdict: ReplySeen, outcome: Outcome) -> Finding:
    return REJECTED.finding(
        endpoint.subject,
        f"The mailbox of {asked.recipient} is full ({shown(verdict)}).",
        *reply_evidence(endpoint, verdict),
        outcome=outcome,
        severity=Severity.WARN,
        fix="Free space in the mailbox, and let somebody read it.",
    )
