"""Command lines with which a reader sees a finding again without this program.

`swaks`, `dig`, `openssl` and `nc` are what a postmaster has. Each command names the server, port, HELO name,
sender and recipient of the check, and stops where the check stopped: nothing is ever sent. The record of a
code says as data how it is reproduced.

The words of a zone or a server could hold shell metacharacters or look like an option. So every argument is
quoted, and one that is not plainly a name, an address or a mailbox is not put into a command: then there is
no command.
"""

import re
import shlex
from collections.abc import Iterable
from ipaddress import ip_address

from checker_smtp.probes.observation import Endpoint, Observation, Transaction
from checker_smtp.probes.rules import (
    Code,
    Finding,
    HoldSession,
    OpenPort,
    QueryDns,
    QueryReverse,
    ReadOctets,
    RepeatSession,
    RepeatTransactions,
    StartTlsHandshake,
    record_of,
)

__all__ = ["commands_for"]

# First a letter, digit or underscore, so that it is no option; no character that means anything to a shell,
# to dig (@server, +option) or to swaks. A mailbox has one @ and most specials of an RFC 5322 atom.
_host = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,253}\Z").match
_mailbox = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=#/*-]*@[A-Za-z0-9_][A-Za-z0-9_.-]*\Z").match

_MAX_TARGETS = 4
_MAX_NAMES = 2
_NC_TIMEOUT = 12
_SWAKS_STOPS = {
    "greeting": ("--quit-after", "BANNER"),
    "EHLO": ("--quit-after", "FIRST-EHLO"),
    "STARTTLS": ("--tls", "--quit-after", "TLS"),
}


def commands_for(finding: Finding, endpoint: Endpoint | None, observation: Observation) -> tuple[str, ...]:
    """Return one or more commands that show the finding at `endpoint`; none where there is no safe one."""
    record = record_of(finding.code)
    if record is None:
        return ()
    if isinstance(record.reproduce, QueryDns):
        return tuple(_query(record.reproduce, finding, observation))
    if endpoint is not None:
        return tuple(_at_endpoint(record, finding, endpoint, observation))
    if isinstance(record.reproduce, RepeatSession):
        return tuple(_query(QueryDns(names="domain", rdtypes=("MX",)), finding, observation))
    return ()


def _at_endpoint(record: Code, finding: Finding, endpoint: Endpoint, observation: Observation) -> list[str]:
    match record.reproduce:
        case QueryReverse():
            return _query_reverse(endpoint, observation)
        case OpenPort():
            return _open_port(endpoint)
        case HoldSession() as session:
            return _hold_session(session, endpoint, observation)
        case RepeatTransactions():
            return _repeat_transactions((*record.transactions, *record.controls), endpoint, observation)
        case StartTlsHandshake() as handshake:
            return _start_tls(handshake, endpoint, observation)
        case ReadOctets() as octets:
            return _read_octets(octets, endpoint, observation)
        case _:
            return _repeat_session(finding, endpoint, observation)


def _line(*words: str | int) -> str:
    return shlex.join(map(str, words))


def _dig(observation: Observation, *questions: str) -> str:
    """Return `dig` with these words, at the resolver of the check where one was named."""
    return _line("dig", *_resolver(observation), *questions)


def _resolver(observation: Observation) -> list[str]:
    server, port = observation.resolver, ""
    if server.startswith("["):
        server, _, port = server[1:].partition("]")
        port = port.removeprefix(":")
    elif server.count(":") == 1:
        server, _, port = server.partition(":")
    try:
        address = str(ip_address(server))
    except ValueError:
        return []
    return [f"@{address}", *(["-p", port] if port.isdigit() else [])]


def _query(query: QueryDns, finding: Finding, observation: Observation) -> list[str]:
    if query.names == "domain":
        names = [observation.domain]
    else:
        names = [finding.subject] if finding.subject else [r.target for r in observation.mx.records]
    names = [name for name in names[:_MAX_TARGETS] if _host(name)]
    if not names:
        return []
    questions = [word for name in names for rdtype in query.rdtypes for word in (name, rdtype)]
    trace = [_line("dig", "+trace", *questions)] if query.trace else []
    return [_dig(observation, *questions), *trace]


def _query_reverse(endpoint: Endpoint, observation: Observation) -> list[str]:
    rdtype = "AAAA" if endpoint.family == 6 else "A"
    names = [name for name in endpoint.reverse.names if _host(name)] if endpoint.reverse else []
    return [
        _dig(observation, "-x", endpoint.address),
        *(_dig(observation, name, rdtype) for name in names[:_MAX_NAMES]),
    ]


def _open_port(endpoint: Endpoint) -> list[str]:
    return [_line("nc", "-vz", "-w", _NC_TIMEOUT, endpoint.address, endpoint.port)]


def _swaks(
    endpoint: Endpoint, observation: Observation, sender: str, recipient: str, *more: str
) -> list[str]:
    """Return a swaks command; the sender may be `<>`."""
    helo = observation.settings.helo_name
    if not (_host(helo) and (sender == "<>" or _mailbox(sender)) and _mailbox(recipient)):
        return []
    words = ["swaks", "--server", endpoint.address, "--port", str(endpoint.port), "--helo", helo]
    return [_line(*words, "--from", sender, "--to", recipient, *more)]


def _hold_session(session: HoldSession, endpoint: Endpoint, observation: Observation) -> list[str]:
    timeout = ("--timeout", f"{session.timeout}s") if session.timeout is not None else ()
    sender, recipient = observation.settings.sender, f"postmaster@{observation.domain}"
    lines = _swaks(endpoint, observation, sender, recipient, *timeout, *_SWAKS_STOPS[session.until])
    if endpoint.connected and endpoint.main.greeting is None:
        # a port with implicit TLS is silent too
        lines.append(_line("openssl", "s_client", "-connect", endpoint.subject) + " </dev/null")
    return lines


def _repeat_transactions(purposes: Iterable[str], endpoint: Endpoint, observation: Observation) -> list[str]:
    transactions = filter(None, map(endpoint.asked, purposes))
    return [line for one in transactions for line in _transaction(one, endpoint, observation)]


def _transaction(transaction: Transaction, endpoint: Endpoint, observation: Observation) -> list[str]:
    session = next((s for s in endpoint.sessions if transaction in s.transactions), endpoint.main)
    tls = ["--tls"] if session.tls is not None else []
    sender, recipient = transaction.sender or "<>", transaction.recipient
    return _swaks(endpoint, observation, sender, recipient, *tls, "--quit-after", "RCPT")


def _start_tls(handshake: StartTlsHandshake, endpoint: Endpoint, observation: Observation) -> list[str]:
    helo = observation.settings.helo_name
    if not _host(helo):
        return []
    names = [target for target in endpoint.targets if _host(target)][:1]
    sni = ["-servername", names[0]] if names else []
    flags = [handshake.flag] if handshake.flag else []
    words = ["openssl", "s_client", "-starttls", "smtp", "-name", helo, "-connect", endpoint.subject]
    return [_line(*words, *sni, *flags) + " </dev/null"]


def _read_octets(octets: ReadOctets, endpoint: Endpoint, observation: Observation) -> list[str]:
    """Return a command that waits between the lines, because servers punish a client that speaks early."""
    helo = observation.settings.helo_name
    if not _host(helo):
        return []
    ehlo = _line("printf", r"EHLO %s\r\n", helo)
    connection = _line("nc", "-w", _NC_TIMEOUT, endpoint.address, endpoint.port)
    return [f"(sleep 2; {ehlo}; sleep 2; printf '{octets.command}\\r\\n'; sleep 2) | {connection} | od -c"]


def _repeat_session(finding: Finding, endpoint: Endpoint, observation: Observation) -> list[str]:
    """Return the transaction that is cited, or the session up to the step at which it ended."""
    cited = {(item.entry, item.quote) for item in finding.evidence}
    for transaction in (t for session in endpoint.sessions for t in session.transactions):
        reply = transaction.verdict
        if reply is not None and (reply.entry, reply.raw) in cited:
            return _transaction(transaction, endpoint, observation)
    if not endpoint.connected:
        return _open_port(endpoint)
    greeting = endpoint.main.greeting
    if greeting is None or not greeting.positive:
        return _hold_session(HoldSession(until="greeting"), endpoint, observation)
    if endpoint.ready_session is None:
        return _hold_session(HoldSession(until="EHLO"), endpoint, observation)
    answered = [t.purpose for s in endpoint.sessions for t in s.transactions if t.verdict is not None]
    purpose = "postmaster" if "postmaster" in answered or not answered else answered[0]
    return _repeat_transactions((purpose,), endpoint, observation)
