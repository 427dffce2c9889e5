"""The records of codes that several rules use."""

import re

from checker_smtp.probes.refusals import Reason, Refusal

from ._finding import Code, Outcome, Severity
from ._reproduction import QueryDns, RepeatSession

__all__ = [
    "ALIAS_BESIDE",
    "LONGER_CHECK",
    "NOT_TESTED",
    "OTHER_VIEW",
    "REFUSED_US",
    "SERVER_STATE_FIX",
    "UNDECIDED_FIX",
    "client_fix",
    "deferral_outcome",
    "retry_fix",
]

REFUSED_US = Code(
    "smtp.refused_us",
    Severity.INFO,
    title="The server refuses this checker; other senders may be welcome",
    why="A refusal of this client's address, name or rate does not concern other senders.",
    fix="Repeat the check from an address with a matching PTR record and a good reputation, with a "
    "`--helo-name` that resolves to it; or look into the server's log for the reason.",
    reference="RFC 3463 §3.8",
    reproduce=RepeatSession(),
    badge="Refuses this checker",
)
NOT_TESTED = Code(
    "smtp.not_tested",
    Severity.INFO,
    title="This could not be tested",
    why="Nothing is known either way, so it does not count as a fault.",
    fix="Repeat the check, from another network if need be.",
    reference="RFC 5321 §4.5.4.1",
    reproduce=RepeatSession(),
    badge="Not fully tested",
)
ALIAS_BESIDE = Code(
    "smtp.mx.alias_beside",
    Severity.INFO,
    title="A name has an alias and other records beside it",
    why="A CNAME allows no other record at its name, so that some resolvers use the alias and others the "
    "records: senders disagree about where mail goes.",
    fix="Remove the CNAME, or the records beside it.",
    reference="RFC 1034 §3.6.2, RFC 2181 §10.1",
    reproduce=QueryDns(names="domain", rdtypes=("MX", "CNAME")),
)

LONGER_CHECK = "Repeat the check with a longer `--check-budget`."
"""The remedy where the time for the whole check ran out."""
SERVER_STATE_FIX = (
    "Find the cause in the server's log: it reports a fault of its own (disk space, a lookup table, a filter "
    "or policy service, its configuration)."
)
UNDECIDED_FIX = (
    "Find the refusal in the server's log. If it names the client, repeat the check from another address and "
    "with a `--helo-name` that resolves to it. If it names the recipient, add the domain to those that the "
    "server accepts mail for, and create postmaster."
)
OTHER_VIEW = (
    "Repeat the check from another network first: a server may also close the connections of clients that it "
    "blocks. "
)
"""What comes before the remedy where a server closed the connection and gave no reason."""
# The remedy for each reason against this client; it is the checker's own, or nobody's.
_CLIENT_FIXES = {
    Reason.BLOCKLIST: "This machine's address is on a blocklist: look it up at the list that the reply "
    "names, have it removed there, or repeat the check from another address.",
    Reason.REPUTATION: "This machine's address has a bad or no reputation with that provider: repeat the "
    "check from an address that sends mail regularly.",
    Reason.HELO: "The server does not accept the EHLO name of this checker: give one that resolves to this "
    "machine's address, with `--helo-name`.",
    Reason.PTR: "This machine's address has no PTR name that leads back to it: set one, or repeat the "
    "check from an address that has one.",
    Reason.SENDER: "The server does not accept the checker's own sender, postmaster at the EHLO name: give a "
    "`--helo-name` whose domain exists and accepts mail for postmaster.",
    Reason.RATE: "The server limits how often this machine may connect or ask: repeat the check in an hour.",
}
_UNNAMED_LIST_FIX = (
    "This machine's address is blocked there, and the reply names no list: look the address up at the large "
    "blocklists, ask the postmaster of the server, or repeat the check from another address."
)
# "blocked using zen.spamhaus.org", "see https://list.example/": a name or page behind the words of blame
_NAMED_LIST = re.compile(
    r"(?:\b(?:using|by|in|on|see)\b|https?:).{0,80}?\b[a-z0-9-]{1,63}\.[a-z]{2,}", re.IGNORECASE
)
_MAX_WORDS = 200


def client_fix(refusal: Refusal) -> str:
    """Return the remedy for a refusal of this client; empty where the record's own is the best."""
    if refusal.reason is Reason.BLOCKLIST and not _NAMED_LIST.search(refusal.words[:_MAX_WORDS]):
        return _UNNAMED_LIST_FIX
    return _CLIENT_FIXES.get(refusal.reason, "")


def deferral_outcome(refusal: Refusal) -> Outcome:
    """Return the outcome of a 4yz: settled where it says what waiting does not change."""
    return Outcome.FAIL if refusal.is_lasting else Outcome.TRANSIENT


def retry_fix(refusal: Refusal) -> str:
    """Return the remedy for a deferral that waiting may change."""
    if refusal.is_greylisting:
        return "Repeat the check with `--retry-deferred 5`: the second attempt should pass."
    return "Repeat the check with `--retry-deferred 5`; if that does not help, see the server's log."
