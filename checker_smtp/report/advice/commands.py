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

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session, Transaction
from checker_smtp.probes.rules import (
    Code,
    Evidence,
    Finding,
    HoldSession,
    OpenPort,
    QueryDns,
    QueryReverse,
    ReadOctets,
    RepeatSession,
    RepeatTransactions,
    StartTlsHandshake,
    purposes_of,
    record_of,
)

__all__ = ["commands_for"]

# First a letter, digit or underscore, so that it is no option; no character that means anything to a shell,
# to dig (@server, +option) or to swaks. A mailbox has one @ and most specials of an RFC 5322 atom.
_host = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,253}\Z").match
_mailbox = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=#/*-]*@[A-Za-z0-9_][A-Za-z0-9_.-]*\Z").match

_rdtype = re.compile(r"[A-Z]{1,10}\Z").match

_MAX_TARGETS = 4
_MAX_QUESTIONS = 8
_MAX_NAMES = 2
_NC_TIMEOUT = 12
_SWAKS_STOPS = {
    "greeting": ("--quit-after", "BANNER"),
    "EHLO": ("--quit-after", "FIRST-EHLO"),
    "EHLO on TLS": ("--tls", "--quit-after", "EHLO"),
    "STARTTLS": ("--tls", "--quit-after", "TLS"),
}


def commands_for(finding: Finding, endpoint: Endpoint | None, observation: Observation) -> tuple[str, ...]:
    """Return commands that ask at `endpoint` what the evidence asked; none where there is no safe one."""
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
    cited = _cited_transactions(finding, endpoint)
    match record.reproduce:
        case QueryReverse():
            return _query_reverse(endpoint, observation)
        case OpenPort():
            return _open_port(endpoint)
        case HoldSession() as session:
            return _hold_session(
                session, endpoint, observation, after_tls=_cites_hello_on_tls(finding, endpoint)
            )
        case RepeatTransactions():
            purposes = (*record.transactions, *record.controls)
            asked = cited or list(filter(None, map(endpoint.asked, purposes)))
            return _repeat_transactions(asked, endpoint, observation)
        case StartTlsHandshake() as handshake:
            return _start_tls(handshake, endpoint, observation)
        case ReadOctets() as octets:
            # a reply to a transaction may have been said on TLS, which nc does not speak
            repeated = _repeat_transactions(cited, endpoint, observation)
            return [*_read_octets(octets, endpoint, observation), *repeated]
        case _:
            return _repeat_session(cited, endpoint, observation)


def _cited_transactions(finding: Finding, endpoint: Endpoint) -> list[Transaction]:
    """Return the transactions whose replies are evidence, each once; of equal replies that of the rule."""
    purposes = purposes_of(finding)
    cited: dict[int, Transaction] = {}
    for number, item in enumerate(finding.evidence):
        purpose = purposes[number] if number < len(purposes) else ""
        same = [
            t for s in _sessions_of(item, endpoint) for t in s.transactions if _is_cited(item, t.mail, t.rcpt)
        ]
        if same:
            chosen = next((t for t in same if t.purpose == purpose), same[0])
            cited.setdefault(id(chosen), chosen)
    return list(cited.values())


def _cites_hello_on_tls(finding: Finding, endpoint: Endpoint) -> bool:
    return any(
        _is_cited(item, session.ehlo_tls)
        for item in finding.evidence
        for session in _sessions_of(item, endpoint)
    )


def _sessions_of(item: Evidence, endpoint: Endpoint) -> tuple[Session, ...]:
    """Return the session that the evidence is from; documents of version 1 may not say which."""
    if item.where != endpoint.subject:
        return ()
    return endpoint.sessions if item.session is None else endpoint.sessions[item.session : item.session + 1]


def _is_cited(item: Evidence, *replies: ReplySeen | None) -> bool:
    return any(r is not None and (r.entry, r.raw) == (item.entry, item.quote) for r in replies)


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
    questions = _cited_questions(finding) or _usual_questions(query, finding, observation)
    if not questions:
        return []
    words = [word for question in questions for word in question]
    return [_dig(observation, *words), *([_line("dig", "+trace", *words)] if query.trace else [])]


def _cited_questions(finding: Finding) -> list[tuple[str, str]]:
    """Return the names and types of the DNS questions that are evidence, each once."""
    split = (item.where.partition(" ") for item in finding.evidence if item.source == "dns")
    questions = [(name, rdtype) for rdtype, _, name in split if _host(name) and _rdtype(rdtype)]
    return list(dict.fromkeys(questions))[:_MAX_QUESTIONS]


def _usual_questions(query: QueryDns, finding: Finding, observation: Observation) -> list[tuple[str, str]]:
    if query.names == "domain":
        names = [observation.domain]
    else:
        names = [finding.subject] if finding.subject else [r.target for r in observation.mx.records]
    return [(name, rdtype) for name in names[:_MAX_TARGETS] if _host(name) for rdtype in query.rdtypes]


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


def _hold_session(
    session: HoldSession, endpoint: Endpoint, observation: Observation, *, after_tls: bool = False
) -> list[str]:
    timeout = ("--timeout", f"{session.timeout}s") if session.timeout is not None else ()
    sender, recipient = observation.settings.sender, f"postmaster@{observation.domain}"
    until = "EHLO on TLS" if after_tls else session.until
    lines = _swaks(endpoint, observation, sender, recipient, *timeout, *_SWAKS_STOPS[until])
    if endpoint.connected and endpoint.main.greeting is None:
        # a port with implicit TLS is silent too
        lines.append(_line("openssl", "s_client", "-connect", endpoint.subject) + " </dev/null")
    return lines


def _repeat_transactions(
    transactions: Iterable[Transaction], endpoint: Endpoint, observation: Observation
) -> list[str]:
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


def _repeat_session(cited: list[Transaction], endpoint: Endpoint, observation: Observation) -> list[str]:
    """Return the transactions that are cited, or the session up to the step at which it ended."""
    if cited:
        return _repeat_transactions(cited, endpoint, observation)
    if not endpoint.connected:
        return _open_port(endpoint)
    greeting = endpoint.main.greeting
    if greeting is None or not greeting.positive:
        return _hold_session(HoldSession(until="greeting"), endpoint, observation)
    if endpoint.ready_session is None:
        return _hold_session(HoldSession(until="EHLO"), endpoint, observation)
    answered = [t.purpose for s in endpoint.sessions for t in s.transactions if t.verdict is not None]
    purpose = "postmaster" if "postmaster" in answered or not answered else answered[0]
    asked = endpoint.asked(purpose)
    return _repeat_transactions([asked] if asked is not None else [], endpoint, observation)
