"""Results built by hand: a healthy one, and variants of it."""

import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import anyio

from checker_smtp import replay
from checker_smtp.probes.observation import (
    Coverage,
    Ending,
    Endpoint,
    FamilyCoverage,
    Irregularity,
    Keyword,
    Mx,
    MxTarget,
    Observation,
    ReplySeen,
    ReverseDns,
    Session,
    Settings,
    Tls,
    TlsIssue,
    TlsProbe,
    Transaction,
)
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Evidence, Finding, Outcome, Severity, finding_id, judge_delivery
from smtp_sansio import Certificate

_T = TypeVar("_T")
DATA = Path(__file__).parent / "data"
FIXTURES = sorted(path.parent for path in Path(__file__).parents[2].glob("fixtures/*/case.toml"))
DOMAIN, MX = "example.org", "mx.example.org"
SETTINGS = Settings(
    timeout=12.0,
    helo_name="probe.example.net",
    sender="postmaster@probe.example.net",
    probe_address="postmaster@example.com",
    test_null_sender=True,
    test_postmaster=True,
    test_open_relay=True,
    port=25,
    ipv4=True,
    ipv6=True,
)
KEYWORDS = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8")
PAIRS = (
    ("null-sender", "", "postmaster@example.org"),
    ("postmaster", SETTINGS.sender, "postmaster@example.org"),
    ("relay", SETTINGS.sender, SETTINGS.probe_address),
)


@cache
def replayed(folder: Path) -> Result:
    """Return the result of a recorded check."""
    return anyio.run(replay, folder)


def reply(code: int, text: str, at: float, entry: int) -> ReplySeen:
    return ReplySeen(code=code, text=text, raw=f"{code} {text}\r\n", at=at, entry=entry)


def keywords(*lines: str) -> tuple[Keyword, ...]:
    return tuple(Keyword(keyword=line.split()[0], parameters=tuple(line.split()[1:])) for line in lines)


CERTIFICATE = Certificate(
    sha256="5f" * 32,
    common_name="Büro",
    dns_names=(MX, *(f"mx{n}.example.org" for n in range(2, 21))),
    omitted_names=4,
    issuer="CN=R11,O=Let's Encrypt,C=US",
    not_before="2026-01-01T00:00:00Z",
    not_after="2026-04-01T00:00:00Z",
    self_issued=False,
)


def handshake(version: str) -> Tls:
    return Tls(
        version=version, cipher="TLS_AES_256_GCM_SHA384", server_name=MX, at=0.1, certificate=CERTIFICATE
    )


def session(*, tls: str = "TLSv1.3", offered: tuple[str, ...] = KEYWORDS, relays: bool = False) -> Session:
    """Return a session: connect 0.01 s, banner 0.02, EHLO 0.03, TLS 0.04, EHLO 0.05, transactions 0.06."""
    ok = reply(250, "2.0.0 Ok", 0.21, 8)
    refused = reply(554, "5.7.1 Relay access denied", 0.21, 8)
    hello = reply(250, MX, 0.06, 3)
    return Session(
        purpose="main",
        connected_at=0.01,
        greeting=reply(220, f"{MX} ESMTP Postfix", 0.03, 1),
        ehlo=hello,
        capabilities=keywords(*offered, *(("STARTTLS",) if tls else ())),
        starttls=reply(220, "Ready", 0.07, 5) if tls else None,
        tls=handshake(tls) if tls else None,
        ehlo_tls=replace(hello, at=0.15, entry=7) if tls else None,
        capabilities_tls=keywords(*offered) if tls else (),
        transactions=tuple(
            Transaction(
                purpose=purpose,
                sender=sender,
                recipient=recipient,
                mail=ok,
                rcpt=refused if purpose == "relay" and not relays else ok,
                rset=ok,
            )
            for purpose, sender, recipient in PAIRS
        ),
        quit=reply(221, "2.0.0 Bye", 0.21, 8),
        transcript=({"do": "connect", "host": "192.0.2.1", "port": 25, "at": 0.01},),
    )


def unreached(kind: str = "refused", at: float = 0.01) -> Session:
    return Session(purpose="main", end=Ending(step="connect", kind=kind, detail="", at=at, entry=0))


def endpoint(address: str = "192.0.2.1", *sessions: Session) -> Endpoint:
    reverse = ReverseDns(status=DnsStatus.ANSWER, names=(MX,), total=1, confirmed_by=(MX,))
    return Endpoint(
        address=address, port=25, targets=(MX,), reverse=reverse, sessions=sessions or (session(),)
    )


def observation(*endpoints: Endpoint, **other: Any) -> Observation:
    held = endpoints or (endpoint(), endpoint("2001:db8::1"))
    ipv4, ipv6 = (tuple(e.address for e in held if e.family == family) for family in (4, 6))
    record = MxTarget(
        preference=10,
        target=MX,
        ttl=300,
        ipv4=ipv4,
        ipv6=ipv6,
        ipv4_status=DnsStatus.ANSWER if ipv4 else DnsStatus.NODATA,
        ipv6_status=DnsStatus.ANSWER if ipv6 else DnsStatus.NODATA,
    )

    def coverage(family: int) -> FamilyCoverage:
        of_family = [e for e in held if e.family == family]
        return FamilyCoverage(published=len(of_family), connected=sum(e.connected for e in of_family))

    seen = Observation(
        domain=DOMAIN,
        run_at="2026-03-01T12:00:00Z",
        settings=SETTINGS,
        mx=Mx(status=DnsStatus.ANSWER, records=(record,)),
        endpoints=held,
        coverage=Coverage(ipv4=coverage(4), ipv6=coverage(6)),
        dns=(DnsAnswer(name=DOMAIN, rdtype="MX", status=DnsStatus.ANSWER, seconds=0.01),),
        resolver="192.0.2.53",
        seconds=0.345,
    )
    return replace(seen, **other)


def finding(
    code: str = "smtp.open_relay",
    severity: Severity = Severity.CRIT,
    subject: str = "192.0.2.1:25",
    *,
    outcome: Outcome = Outcome.FAIL,
    rule: str = "smtp.open_relay",
    message: str = "The server relays.",
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        outcome=outcome,
        rule=rule,
        subject=subject,
        message=message,
        fix="Relay for nobody.",
        reference="RFC 5321 §3.6",
        evidence=(Evidence(source="session", where=subject, quote="250 2.1.5 Ok\r\n", session=0, entry=8),),
        id=finding_id(DOMAIN, code, subject),
    )


def result(seen: Observation, findings: tuple[Finding, ...] = (), status: str = "ok") -> Result:
    """Return a result with these findings, and the state of mail that the observation has."""
    return Result(observation=seen, findings=findings, status=status, mail=judge_delivery(seen, findings))


def _healthy() -> Result:
    return result(observation())


def _relay() -> Result:
    slow = finding("smtp.banner.slow", Severity.INFO, rule="smtp.banner_sanity", message="It took 11 s.")
    missing = finding(
        "smtp.starttls.missing", Severity.WARN, rule="smtp.starttls_offered", message="No STARTTLS."
    )
    dead = endpoint("2001:db8::1", unreached())
    seen = observation(endpoint("192.0.2.1", session(tls="", relays=True)), dead)
    return result(seen, (finding(), missing, slow), "critical")


def _unknown() -> Result:
    silent = finding(
        "smtp.not_tested",
        Severity.INFO,
        "",
        outcome=Outcome.NOT_TESTED,
        rule="smtp.endpoint_reachable",
        message="Port 25 may be blocked on this side.",
    )
    seen = observation(endpoint("192.0.2.1", unreached("timeout", 12.0)))
    return result(seen, (silent,), "unknown")


POSTURES: dict[str, Callable[[], Result]] = {"healthy": _healthy, "relay": _relay, "unknown": _unknown}

NASTY = (
    "\r\n|;=,'\"`$(id)\\ \t\0\x07\x1b]0;owned\x07\x1b[31m\x9b31m</script><script>alert(1)</script>&amp;]]>"
    "{{7*7}}{% raw %}\xa0\xff\n# HELP up\nup 1\n"
)
WIDER = "\u202e\u200f\u200b\ufeff\u2028\u2029\ufffe\uffff\U0010fffe\udc80"


def everywhere_hostile() -> Result:
    """Return a result in which each text from outside is an attack."""
    seen = observation(
        endpoint(
            "192.0.2.1", replace(session(), end=unreached().end, unsolicited=(reply(250, "x", 0.3, 9),))
        ),
        tls_probes=(
            TlsProbe(endpoint=f"{MX}:25", issues=(TlsIssue(code="x", severity="warn", message="y"),)),
        ),
        skipped=("192.0.2.9:25",),
        probe_hosts=("192.0.2.9",),
    )
    findings = (
        finding(),
        finding("smtp.starttls.missing", Severity.WARN, rule="smtp.starttls_offered"),
        replace(finding("smtp.null_mx", Severity.INFO, rule="smtp.null_mx"), evidence=(_dns(),)),
    )
    return _attacked(result(seen, findings, "critical"))


def _dns() -> Evidence:
    return Evidence(source="dns", where=f"MX {DOMAIN}", quote=f"{DOMAIN}. 60 IN MX 10 {MX}.")


_OCTETS = ("raw", "excerpt", "quote")
_OURS = ("status", "source", "severity", "purpose", "rule")


def _attacked(value: _T, name: str = "") -> _T:
    changed: Any = value
    if isinstance(value, str) and not isinstance(value, Enum) and name not in _OURS:
        changed = value + NASTY + ("" if name in _OCTETS else WIDER)
    elif isinstance(value, tuple):
        changed = tuple(_attacked(one, name) for one in value)
    elif isinstance(value, dict):
        changed = {key: one if key == "do" else _attacked(one, "raw") for key, one in value.items()}
    elif isinstance(value, ReplySeen):
        deviation = Irregularity(kind="bare-lf", line=1, offset=0, excerpt=NASTY)
        changed = replace(
            value,
            text=value.text + NASTY,
            raw=value.raw + NASTY,
            deviations=(deviation,),
            enhanced_code=NASTY,
        )
    elif is_dataclass(value) and not isinstance(value, type):
        values = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = replace(value, **{key: _attacked(one, key) for key, one in values.items()})
    attacked: _T = changed
    return attacked


def hidden(text: str) -> list[str]:
    """Return the characters of an output that could control a terminal or hide text."""
    return [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in WIDER)]


def golden(name: str, text: str) -> None:
    """Compare with the file of that name, or write it if GOLDEN=write is in the environment."""
    path = DATA / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs; if it should, run with GOLDEN=write"
