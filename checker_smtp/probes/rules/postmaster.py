"""Somebody answers for the domain: mail to postmaster is accepted (RFC 5321 §4.5.1, RFC 2142 §5).

Accepted under one sender is accepted. A refusal counts against the domain only where it is about the
mailbox or the domain: not about us, not about our sender.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction

from ._blame import about_sender, blames_us, demands_tls, denies_relay, is_policy, mailbox_full
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._pairs import any_answered, common_refusal, obstacles, passed
from ._reading import reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US

REJECTED = Code(
    "smtp.postmaster.rejected",
    Severity.CRIT,
    title="Mail to postmaster is refused",
    why="It is the one address that every mail domain must have; whoever sees a problem with the domain's "
    "mail cannot report it, and some servers and lists insist on it.",
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
    title="Mail to postmaster is put off",
    why="Greylisting and limits do this; a sender tries again.",
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
        settled = passed(asked) or passed(endpoint.asked("null-sender"))
        if asked is None or verdict is None or settled or common_refusal(endpoint):
            continue
        if verdict.permanent:
            yield _refusal(endpoint, asked, verdict)
        elif mailbox_full(verdict):
            yield _full(endpoint, asked, verdict, Outcome.TRANSIENT)
        else:
            yield DEFERRED.finding(
                endpoint.subject,
                f"Mail to {asked.recipient} is put off with {shown(verdict)}.",
                *reply_evidence(endpoint, verdict),
                outcome=Outcome.TRANSIENT,
            )


def _refusal(endpoint: Endpoint, asked: Transaction, verdict: ReplySeen) -> Finding:
    evidence = reply_evidence(endpoint, verdict)
    words = blames_us(verdict)
    if demands_tls(verdict):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"Postmaster could not be asked for: {shown(verdict)} wants TLS or a login first.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    if verdict is asked.mail or about_sender(verdict):
        return REFUSED_US.finding(
            endpoint.subject,
            f"The sender {asked.sender} is refused with {shown(verdict)}, so postmaster could not be "
            "asked for.",
            *evidence,
            outcome=Outcome.REFUSED_US,
        )
    if relay := denies_relay(verdict):
        return REJECTED.finding(
            endpoint.subject,
            f"Mail to {asked.recipient} is refused with {shown(verdict)} as somebody else's (it says "
            f'"{relay}"): the server does not take mail for this domain.',
            *evidence,
            fix="Add the domain to those that the server takes mail for (Postfix: `mydestination`, "
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
        fix="Make room in the mailbox, and let somebody read it.",
    )
