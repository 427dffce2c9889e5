"""The state of the domain's mail in words, as a sentence or in short, and the reason of a refusal."""

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Delivery, Finding, MailState, Outcome
from checker_smtp.report.visible import visible

from .metrics import is_probed

__all__ = ["describe_arrival", "describe_mail", "describe_reason"]

_POSTMASTER = "Mail to postmaster is refused: {}. No other mailbox was tested."
_REFUSED = {
    "mailbox": _POSTMASTER.format("the server does not know the mailbox"),
    "mailbox-full": _POSTMASTER.format("the mailbox is full"),
    "not-served": "Mail cannot arrive: the server does not accept mail for this domain.",
    "login": "Mail cannot arrive: the server requires a login.",
    "server-state": "Mail is refused: the server reports a fault of its own.",
    "policy": "Mail to the domain is refused by a policy of the server.",
    "unresolved": "Mail cannot arrive: the domain's mail servers have no address that can be reached.",
}
_DEFERRED = {
    "greylist": "Mail is deferred: the server asks unknown senders to retry later (greylisting).",
    "mailbox": "Mail to postmaster is deferred: the server does not find the mailbox.",
    "mailbox-full": "Mail to postmaster is deferred: the mailbox is full.",
    "not-served": "Mail is deferred: the server does not accept mail for this domain.",
    "login": "Mail is deferred: the server requires a login.",
    "server-state": "Mail is deferred: the server reports a fault of its own.",
    "rate": "Mail is deferred: the server limits connections or mail.",
    "unresolved": "Mail is deferred: the lookup of the domain's mail servers fails.",
    "unreachable": "Mail is deferred: no mail server of the domain replies.",
}
_NONE = {
    "null-mx": "The domain declares that it receives no mail.",
    "no-mx": "Mail cannot arrive: the domain has no mail server.",
}
_CLIENT = "the server refuses this checker"
_EITHER = "the server refuses this checker, or it does not accept mail for the domain"
_UNKNOWN = {
    "policy": _EITHER,
    "unclear": _EITHER,
    "login": "the server requires a login, from everybody or from this checker alone",
    "not-asked": "no recipient was tested",
    "not-tested": "nothing could be tested from here",
    "tls": "the server requires TLS, and no encrypted session was possible",
    "desync": "the server's replies are out of step",
}


def describe_arrival(result: Result) -> str:
    """Return the sentence that says if mail can arrive."""
    mail = result.mail
    if mail.state is MailState.ACCEPTED:
        return "Mail can arrive."
    if mail.state is MailState.REFUSED:
        return _REFUSED.get(mail.reason, "Mail to the domain is refused.")
    if mail.state is MailState.DEFERRED:
        return _DEFERRED.get(mail.reason, "Mail is deferred: no server accepted it at the time of the check.")
    if mail.state is MailState.NONE:
        return _NONE.get(mail.reason, "The domain receives no mail.")
    if mail.reason == "not-asked":
        return _describe_not_asked(result)
    reason = _UNKNOWN.get(mail.reason, _CLIENT)
    if mail.reason == "not-tested" and any(e.connected for e in result.observation.endpoints):
        reason = "no question about a recipient was answered"
    elif mail.reason == "not-tested" and _is_family_off(result):
        reason = "an option leaves out the addresses of the mail servers"
    return f"It is not known if mail can arrive: {reason}."


def _is_family_off(result: Result) -> bool:
    """Return whether the addresses of the MX targets are all of a family that an option disabled."""
    observation = result.observation
    settings, targets = observation.settings, observation.mx.records
    enabled = [a for t in targets for a in (t.ipv4 * settings.ipv4 + t.ipv6 * settings.ipv6)]
    return bool(targets) and not enabled and any(t.ipv4 or t.ipv6 for t in targets)


def _describe_not_asked(result: Result) -> str:
    """Return the sentence for a check that was not to ask: its other answers may still be good."""
    if any(endpoint.ready_session is not None for endpoint in result.observation.endpoints):
        return "A mail server replies; no recipient was tested."
    if any(map(is_probed, result.observation.endpoints)):
        return "It is not known if mail can arrive: no recipient was tested."
    return "It was not tested if mail can arrive: no server was probed."


def describe_mail(mail: Delivery) -> str:
    """Return the state and its reason, as in `refused (mailbox)`."""
    return f"{mail.state} ({visible(mail.reason)})" if mail.reason else f"{mail.state}"


def describe_reason(finding: Finding) -> str:
    """Return the reason of a refusal with the words that show it; empty where there is none to give."""
    if finding.reason == "unclear" and finding.outcome is Outcome.FAIL:
        return ""  # the words settle whose fault it is, not the reason
    if not finding.words:
        return visible(finding.reason)
    is_code = finding.words.replace(".", "").isdecimal()
    shown = f"code {finding.words}" if is_code else f"words “{' '.join(finding.words.split())}”"
    by = "not clear from the" if finding.reason == "unclear" else f"{finding.reason}, by the"
    return visible(f"{by} {shown}")
