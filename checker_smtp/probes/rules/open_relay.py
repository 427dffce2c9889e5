"""The server accepts mail for other domains from its own users only (RFC 5321 §3.6, §7.9).

A 2yz to the outside recipient is not proof alone: the server may serve that very domain, or be a sink that
accepts everything. So a second recipient is tried, a random one at a second outside domain; where both are
accepted, the server is an open relay as far as RCPT can show. Nothing is ever sent.
"""

from collections.abc import Iterator
from functools import partial

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction
from checker_smtp.probes.refusals import Reason, Step

from ._answers import Kind, any_answered, client_refusal, is_accepted, own_answer, read_reply
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._obstacles import obstacles
from ._reading import quoted, reply_evidence, shown
from ._reproduction import RepeatTransactions
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US

OPEN_RELAY = Code(
    "smtp.open_relay",
    Severity.CRIT,
    title="The server accepts mail from outside for other domains",
    why="Spammers find open relays within hours; the address is then blocklisted, and the domain's own mail "
    "with it.",
    fix="Relay for your own networks and for users who logged in only (Postfix: `mynetworks` and "
    "`reject_unauth_destination` in `smtpd_relay_restrictions`; Exim: `relay_from_hosts` and "
    "`acl_smtp_rcpt`).",
    reference="RFC 5321 §3.6, §7.9; RFC 2505 §2.1",
    reproduce=RepeatTransactions(),
    urgency=Urgency.HELPS_SPAMMERS,
    badge="OPEN RELAY",
    transactions=("relay", "relay-control"),
)
SUSPECTED = Code(
    "smtp.open_relay.suspected",
    Severity.WARN,
    title="The server accepted one outside recipient; a second was not accepted",
    why="It may relay under conditions that were not all met here, or know the first address.",
    fix="Find out from the server's log why the address was accepted, and repeat the check with a "
    "`--probe-address` of your own.",
    reference="RFC 5321 §3.6, §7.9",
    reproduce=RepeatTransactions(),
    urgency=Urgency.HELPS_SPAMMERS,
    badge="Relays one address",
    transactions=("relay", "relay-control"),
)


@rule(
    "smtp.open_relay",
    Severity.CRIT,
    "Checks that mail for other domains is refused.",
    order=130,
    codes=(OPEN_RELAY, SUSPECTED, REFUSED_US, NOT_TESTED),
    needs=Input.TLS,
    option="test_open_relay",
    tested=partial(any_answered, "relay"),
)
def open_relay(observation: Observation) -> Iterator[Finding]:
    yield from obstacles("relay", observation)
    for endpoint in observation.endpoints:
        asked = endpoint.asked("relay")
        verdict = asked.verdict if asked else None
        if asked is None or verdict is None:
            continue
        if verdict.positive:
            yield _accepted(observation, endpoint, asked, verdict)
        elif client_refusal(endpoint) is None and own_answer(endpoint).kind is not Kind.TLS:
            yield from _refused(endpoint, asked, verdict)


def _refused(endpoint: Endpoint, asked: Transaction, verdict: ReplySeen) -> Iterator[Finding]:
    """Yield a finding where the refusal is not one of relaying, so that nothing is shown."""
    step = Step.MAIL if verdict is asked.mail else Step.RCPT
    refusal = read_reply(verdict, step, asked.sender)
    if refusal.reason in (Reason.NOT_SERVED, Reason.LOGIN):
        return
    if step is Step.RCPT and verdict.permanent and not refusal.blames_client:
        return
    yield NOT_TESTED.finding(
        endpoint.subject,
        f"It is not known if the server relays: {shown(verdict)}{quoted(refusal)} at {step.upper()} does "
        "not answer that.",
        *reply_evidence(endpoint, verdict),
        outcome=Outcome.TRANSIENT if verdict.transient else Outcome.NOT_TESTED,
        refusal=refusal,
    )


def _accepted(
    observation: Observation, endpoint: Endpoint, asked: Transaction, verdict: ReplySeen
) -> Finding:
    evidence = reply_evidence(endpoint, verdict)
    hosts = observation.probe_hosts
    if endpoint.address in hosts or any(target in hosts for target in endpoint.targets):
        return NOT_TESTED.finding(
            endpoint.subject,
            f"The server accepts {asked.recipient} because it serves that domain, so it was not tested.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
            fix="Repeat the check with a `--probe-address` at a domain that another server serves.",
        )
    if endpoint.address in observation.settings.source_addresses:
        return NOT_TESTED.finding(
            endpoint.subject,
            f"The server accepts {asked.recipient} from its own machine, where this check runs; most servers "
            "relay for themselves. Whether it relays for others was not tested.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
            fix="Repeat the check from another network; another `--probe-address` does not settle it.",
        )
    control = endpoint.asked("relay-control")
    if control is not None and is_accepted(control):
        return OPEN_RELAY.finding(
            endpoint.subject,
            f"The server accepts {asked.recipient} and {control.recipient} from this client without a login, "
            "as an open relay does (shown at RCPT; nothing was sent). If it may relay for this machine, "
            "repeat the check from another network.",
            *evidence,
            *reply_evidence(endpoint, control.verdict),
        )
    answer = control.verdict if control else None
    result = f"answered with {shown(answer)}" if answer else "not answered"
    return SUSPECTED.finding(
        endpoint.subject,
        f"The server accepts {asked.recipient} from outside; a random recipient at another domain "
        f"was {result}.",
        *evidence,
        *reply_evidence(endpoint, answer),
    )
