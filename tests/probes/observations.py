"""Observations for the rules, built from the replies of the server.

`session` builds one connection: each argument is a reply as it arrived, its lines separated by `|`, or None
where there was none. Steps behind one that failed are left out, so a test states only the replies that
differ from a healthy server's. `endpoint` and `observation` combine sessions. The transcript is built along
with them, so that evidence can be found in it.

A transaction is the reply to RCPT, or to MAIL where it says so: `MAIL 550 no`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.observation import (
    Coverage,
    Ending,
    Endpoint,
    Entry,
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
    Transaction,
)
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import Finding, apply_rules
from smtp_sansio import Greeting
from tests.probes.world import options

V4, V6 = "192.0.2.7", "2001:db8::7"
HERE, THERE = f"{V4}:25", f"[{V6}]:25"
NAMED = ReverseDns(
    status=DnsStatus.ANSWER, names=("mx.example.org",), total=1, confirmed_by=("mx.example.org",)
)
DENIED = "554 5.7.1 <postmaster@example.com>: Relay access denied"
EHLO = "250-mx.example.org|250-STARTTLS|250-PIPELINING|250 8BITMIME"
EHLO_TLS = "250-mx.example.org|250-PIPELINING|250 8BITMIME"
PLAIN_EHLO = EHLO_TLS


def reply(
    text: str, *, entry: int = 0, at: float = 0.0, deviations: Iterable[Irregularity] = ()
) -> ReplySeen:
    """Return a reply; `text` has its lines separated by `|`."""
    raw = text.replace("|", "\r\n") + "\r\n"
    heard = Greeting(int(text[:3]), raw.encode("latin-1"), ())
    return ReplySeen(
        code=heard.code,
        text=heard.text,
        raw=raw,
        at=at,
        entry=entry,
        enhanced_code=heard.enhanced_code or "",
        deviations=tuple(deviations),
    )


@dataclass
class Tape:
    """The transcript of a session in progress."""

    at: float = 0.0
    entries: list[Entry] = field(default_factory=list)

    def hear(self, text: str | None) -> ReplySeen | None:
        """Add a reply; a text such as `@12 220 mx` moves the clock first."""
        if text is None:
            return None
        if text.startswith("@"):
            clock, _, text = text[1:].partition(" ")
            self.at = float(clock)
        seen = reply(text, entry=len(self.entries), at=self.at)
        self.entries.append({"do": "receive", "got": seen.raw, "at": self.at})
        return seen

    def end(self, text: str) -> Ending:
        """Add an end: `step/kind` with a detail behind it, or `step/kind@seconds`."""
        what, _, detail = text.partition(": ")
        step, _, kind = what.partition("/")
        kind, _, clock = kind.partition("@")
        self.at = float(clock or self.at)
        self.entries.append({"do": "receive", "failed": kind, "at": self.at})
        return Ending(step=step, kind=kind, detail=detail, at=self.at, entry=len(self.entries) - 1)


def _accepted(seen: ReplySeen | None) -> bool:
    return seen is not None and seen.positive


def _transaction(tape: Tape, wanted: Transaction, text: str | None) -> Transaction:
    at_mail = text is not None and text.startswith("MAIL ")
    mail = tape.hear(text[5:] if text and at_mail else None if text is None else "250 2.1.0 ok")
    rcpt = None if at_mail else tape.hear(text)
    rset = tape.hear("250 2.0.0 ok") if text else None
    return Transaction(
        purpose=wanted.purpose,
        sender=wanted.sender,
        recipient=wanted.recipient,
        mail=mail,
        rcpt=rcpt,
        rset=rset,
    )


CONTROL = Transaction(
    purpose="relay-control", sender="postmaster@probe.test", recipient="nobody-1@example.net"
)

SERVED = Transaction(
    purpose="served-control", sender="postmaster@probe.test", recipient="postmaster@hoster.example"
)


def session(
    purpose: str = "main",
    *,
    connected: bool = True,
    greeting: str | None = "220 mx.example.org ESMTP",
    ehlo: str | None = EHLO,
    helo: str | None = None,
    starttls: str | None = "220 2.0.0 go",
    tls: str | None = "TLSv1.3",
    ehlo_tls: str | None = EHLO_TLS,
    null: str | None = "250 2.1.5 ok",
    postmaster: str | None = "250 2.1.5 ok",
    relay: str | None = DENIED,
    control: str | None = None,
    served: str | None = None,
    end: str | None = None,
    asked: tuple[Transaction, ...] | None = None,
) -> Session:
    """Return one connection."""
    tape = Tape(entries=[{"do": "connect", "host": V4, "port": 25, "at": 0.0}] if connected else [])
    usual = (CONTROL,) if control else (SERVED,) if served else transactions_for(options())
    wanted = asked if asked is not None else usual
    first = tape.hear(greeting if connected else None)
    hello = tape.hear(ehlo if _accepted(first) else None)
    hello_old = tape.hear(helo if _accepted(first) else None)
    offered = hello is not None and hello.positive and "STARTTLS" in hello.text
    begun = tape.hear(starttls if offered and purpose != "without-tls" else None)
    secured = _accepted(begun) and tls is not None
    again = tape.hear(ehlo_tls if secured else None)
    broken = begun is None and end is not None and end.startswith(("STARTTLS/", "EHLO/"))
    clear = not _accepted(begun) and not broken
    ready = _accepted(again) or (clear and (_accepted(hello) or _accepted(hello_old)))
    answers = {"null-sender": null, "postmaster": postmaster, "relay": relay, "relay-control": control}
    answers["served-control"] = served
    transactions = tuple(_transaction(tape, t, answers[t.purpose] if ready else None) for t in wanted)
    return Session(
        purpose=purpose,
        connected_at=0.0 if connected else None,
        greeting=first,
        ehlo=hello,
        helo=hello_old,
        capabilities=_keywords(hello),
        starttls=begun,
        tls=Tls(version=tls, cipher="X", server_name="mx.example.org", at=tape.at)
        if secured and tls
        else None,
        ehlo_tls=again,
        capabilities_tls=_keywords(again),
        transactions=transactions,
        quit=tape.hear("221 2.0.0 bye") if end is None else None,
        end=None if end is None else tape.end(end),
        transcript=tuple(tape.entries),
    )


def _keywords(hello: ReplySeen | None) -> tuple[Keyword, ...]:
    lines = hello.text.split("\n")[1:] if hello is not None and hello.positive else []
    words = [line.upper().split() for line in lines]
    return tuple(Keyword(keyword=keyword, parameters=tuple(rest)) for keyword, *rest in words)


def endpoint(
    *sessions: Session,
    address: str = V4,
    targets: tuple[str, ...] = ("mx.example.org",),
    reverse: ReverseDns | None = NAMED,
    **words: object,
) -> Endpoint:
    """Return one address, with these sessions or with one made of `words`."""
    held = sessions or (session(**words),)  # type: ignore[arg-type]
    return Endpoint(address=address, port=25, targets=targets, reverse=reverse, sessions=held)


def unreached(kind: str, address: str = V4) -> Endpoint:
    """Return an endpoint that could not be connected to."""
    return endpoint(connected=False, end=f"connect/{kind}@12", address=address)


def target(name: str = "mx.example.org", *, ipv4: str = V4, ipv6: str = V6, **given: object) -> MxTarget:
    """Return an MX target with these addresses, separated by blanks."""
    usual: dict[str, object] = {
        "preference": 10,
        "ipv4": tuple(ipv4.split()),
        "ipv6": tuple(ipv6.split()),
        "ipv4_status": DnsStatus.ANSWER if ipv4 else DnsStatus.NODATA,
        "ipv6_status": DnsStatus.ANSWER if ipv6 else DnsStatus.NODATA,
    }
    return MxTarget(target=name, **(usual | given))  # type: ignore[arg-type]


WELL_MX = Mx(status=DnsStatus.ANSWER, records=(target(),))


def settings(**given: object) -> Settings:
    """Return the usual settings, but for these."""
    usual: dict[str, object] = {
        "timeout": 12.0,
        "helo_name": "probe.test",
        "sender": "postmaster@probe.test",
        "probe_address": "postmaster@example.com",
        "test_null_sender": True,
        "test_postmaster": True,
        "test_open_relay": True,
        "port": 25,
        "ipv4": True,
        "ipv6": True,
    }
    return Settings(**(usual | given))  # type: ignore[arg-type]


def observation(*endpoints: Endpoint, mx: Mx = WELL_MX, **given: object) -> Observation:
    """Return an observation of `example.org`: these endpoints behind a healthy MX set."""
    usual: dict[str, object] = {
        "settings": settings(),
        "coverage": Coverage(ipv4=FamilyCoverage(), ipv6=FamilyCoverage()),
        "dns": (),
    }
    return Observation(
        domain="example.org",
        run_at="2026-11-22T09:00:00Z",
        mx=mx,
        endpoints=endpoints,
        **(usual | given),  # type: ignore[arg-type]
    )


def finding_lines(seen: Observation) -> list[str]:
    """Return each finding as `code severity outcome subject`, the worst first, without `smtp.`."""
    return [short(finding) for finding in apply_rules(seen)]


def short(finding: Finding) -> str:
    """Return `code severity outcome subject`, without `smtp.`."""
    words = (finding.code.removeprefix("smtp."), finding.severity, finding.outcome, finding.subject)
    return " ".join(filter(None, words))


def only(seen: Observation) -> Finding:
    """Return the finding; there must be exactly one."""
    (finding,) = apply_rules(seen)
    return finding
