"""A command for each finding, to see it again without this program.

`swaks`, `dig`, `openssl` and `nc` are what a postmaster has. Each command names the server, port, HELO name,
sender and recipient of the check, and stops where the check stopped: nothing is ever sent. What a zone or a
server said could hold shell metacharacters or look like an option. So every argument is quoted, and one that
is not plainly a name, an address or a mailbox is not put into a command at all: then there is none.
"""

import re
import shlex
from collections.abc import Callable
from ipaddress import ip_address

from checker_smtp.probes.observation import Endpoint, Observation, Session, Transaction
from checker_smtp.probes.rules import Finding

__all__ = ["commands_for", "endpoint_of"]

# First a letter, digit or underscore, so that it is no option; no character that means anything to a shell,
# to dig (@server, +option) or to swaks. A mailbox has one @ and most specials of an RFC 5322 atom.
_host = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,253}\Z").match
_mailbox = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=#/*-]*@[A-Za-z0-9_][A-Za-z0-9_.-]*\Z").match

_Make = Callable[[Finding, Observation], list[str]]


def commands_for(finding: Finding, observation: Observation) -> tuple[str, ...]:
    """One or two commands that show what the finding says; none where there is no safe one."""
    for beginning, make in _MAKERS:
        if finding.code.startswith(beginning):
            return tuple(make(finding, observation))
    return ()


def endpoint_of(finding: Finding, observation: Observation) -> Endpoint | None:
    """The endpoint a finding is about; for one about the domain the first that its evidence is from."""
    wheres = (finding.subject, *(item.where for item in finding.evidence if item.source == "session"))
    for where in wheres:
        for endpoint in observation.endpoints:
            names = (endpoint.subject, *(f"{target}:{endpoint.port}" for target in endpoint.targets))
            if where in names:
                return endpoint
    return None


def _line(*words: str | int) -> str:
    return shlex.join(map(str, words))


def _dig(observation: Observation, *questions: str) -> list[str]:
    """`dig` for these words, at the resolver of the check where one was named."""
    return [_line("dig", *_at(observation), *questions)]


def _at(observation: Observation) -> list[str]:
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


def _domain_mx(_: Finding, observation: Observation) -> list[str]:
    if not _host(observation.domain):
        return []
    return _dig(observation, observation.domain, "MX")


def _delegation(_: Finding, observation: Observation) -> list[str]:
    if not _host(observation.domain):
        return []
    return [*_domain_mx(_, observation), _line("dig", "+trace", observation.domain, "MX")]


def _target(*rdtypes: str) -> _Make:
    def make(finding: Finding, observation: Observation) -> list[str]:
        names = [finding.subject] if finding.subject else [r.target for r in observation.mx.records]
        questions = [
            word for name in names[:4] if _host(name) for rdtype in rdtypes for word in (name, rdtype)
        ]
        return _dig(observation, *questions) if questions else []

    return make


def _reverse(finding: Finding, observation: Observation) -> list[str]:
    endpoint = endpoint_of(finding, observation)
    if endpoint is None:
        return []
    commands = _dig(observation, "-x", endpoint.address)
    rdtype = "AAAA" if endpoint.family == 6 else "A"
    names = [name for name in endpoint.reverse.names if _host(name)] if endpoint.reverse else []
    return [*commands, *(command for name in names[:2] for command in _dig(observation, name, rdtype))]


def _connect(finding: Finding, observation: Observation) -> list[str]:
    endpoint = endpoint_of(finding, observation)
    return [_line("nc", "-vz", "-w", 12, endpoint.address, endpoint.port)] if endpoint else []


def _swaks(
    endpoint: Endpoint, observation: Observation, sender: str, recipient: str, *more: str
) -> list[str]:
    """A swaks command; the sender may be `<>`."""
    helo = observation.settings.helo_name
    if not (_host(helo) and (sender == "<>" or _mailbox(sender)) and _mailbox(recipient)):
        return []
    words = ["swaks", "--server", endpoint.address, "--port", str(endpoint.port), "--helo", helo]
    return [_line(*words, "--from", sender, "--to", recipient, *more)]


def _until(stop: str, *more: str) -> _Make:
    """The session of the check up to this point."""

    def make(finding: Finding, observation: Observation) -> list[str]:
        endpoint = endpoint_of(finding, observation)
        if endpoint is None:
            return []
        settings = observation.settings
        recipient = f"postmaster@{observation.domain}"
        return _swaks(endpoint, observation, settings.sender, recipient, *more, "--quit-after", stop)

    return make


def _asking(*purposes: str) -> _Make:
    """The transactions with these purposes."""

    def make(finding: Finding, observation: Observation) -> list[str]:
        endpoint = endpoint_of(finding, observation)
        asked = [endpoint.asked(purpose) for purpose in purposes] if endpoint else []
        return [
            command
            for transaction in asked
            if endpoint is not None and transaction is not None
            for command in _transaction(endpoint, observation, transaction)
        ]

    return make


def _transaction(endpoint: Endpoint, observation: Observation, asked: Transaction) -> list[str]:
    session = next((s for s in endpoint.sessions if asked in s.transactions), endpoint.main)
    tls = ["--tls"] if session.tls is not None else []
    return _swaks(endpoint, observation, asked.sender or "<>", asked.recipient, *tls, "--quit-after", "RCPT")


def _handshake(*more: str) -> _Make:
    def make(finding: Finding, observation: Observation) -> list[str]:
        endpoint = endpoint_of(finding, observation)
        if endpoint is None or not _host(observation.settings.helo_name):
            return []
        names = [target for target in endpoint.targets if _host(target)][:1]
        sni = ["-servername", names[0]] if names else []
        words = ["openssl", "s_client", "-starttls", "smtp", "-name", observation.settings.helo_name]
        return [_line(*words, "-connect", endpoint.subject, *sni, *more) + " </dev/null"]

    return make


def _octets(finding: Finding, observation: Observation) -> list[str]:
    """The replies as octets; it waits between the lines, because speaking ahead is punished."""
    endpoint = endpoint_of(finding, observation)
    if endpoint is None or not _host(observation.settings.helo_name):
        return []
    after = "STARTTLS" if finding.code == "smtp.starttls.injection" else "QUIT"
    said = _line("printf", r"EHLO %s\r\n", observation.settings.helo_name)
    connection = _line("nc", "-w", 12, endpoint.address, endpoint.port)
    return [f"(sleep 2; {said}; sleep 2; printf '{after}\\r\\n'; sleep 2) | {connection} | od -c"]


def _as_far_as_it_got(finding: Finding, observation: Observation) -> list[str]:
    """For what was refused or cut short: the same again, up to the step it ended at."""
    endpoint = endpoint_of(finding, observation)
    if endpoint is None:
        return _domain_mx(finding, observation)
    if not endpoint.connected:
        return _connect(finding, observation)
    session: Session = endpoint.main
    if session.greeting is None or not session.greeting.positive:
        return _until("BANNER")(finding, observation)
    if endpoint.ready_session is None:
        return _until("FIRST-EHLO")(finding, observation)
    asked = [t.purpose for s in endpoint.sessions for t in s.transactions if t.verdict is not None]
    purpose = "postmaster" if "postmaster" in asked or not asked else asked[0]
    return _asking(purpose)(finding, observation)


# The first that a code begins with.
_MAKERS: tuple[tuple[str, _Make], ...] = (
    ("smtp.null_mx", _domain_mx),
    ("smtp.mx.none", _domain_mx),
    ("smtp.mx.lookup_failed", _delegation),
    ("smtp.mx.implicit", _domain_mx),
    ("smtp.mx.ip_literal", _domain_mx),
    ("smtp.mx.", _target("A", "AAAA")),
    ("smtp.ipv6.none", _target("AAAA")),
    ("smtp.ipv4.none", _target("A")),
    ("smtp.tcp.", _connect),
    ("smtp.all_unreachable", _connect),
    ("smtp.banner.", _until("BANNER", "--timeout", "300s")),
    ("smtp.ehlo.", _until("FIRST-EHLO")),
    ("smtp.all_no_starttls", _until("FIRST-EHLO")),
    ("smtp.starttls.missing", _until("FIRST-EHLO")),
    ("smtp.starttls.injection", _octets),
    ("smtp.starttls.deferred", _until("TLS", "--tls")),
    ("smtp.starttls.", _handshake()),
    ("smtp.auth.", _until("FIRST-EHLO")),
    ("smtp.ptr.", _reverse),
    ("smtp.fcrdns.", _reverse),
    ("smtp.null_sender.", _asking("null-sender", "postmaster")),
    ("smtp.postmaster.", _asking("postmaster")),
    ("smtp.open_relay", _asking("relay", "relay-control")),
    ("smtp.ext.", _until("FIRST-EHLO")),
    ("smtp.protocol.", _octets),
    ("smtp.tls.weak_tls_version", _handshake("-tls1_2")),
    ("smtp.tls.", _handshake("-showcerts")),
    ("smtp.refused_us", _as_far_as_it_got),
    ("smtp.not_tested", _as_far_as_it_got),
)
