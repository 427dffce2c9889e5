"""The answer in words: can mail arrive, how bad is what was found, how sure is it.

Whether mail can arrive is another question than whether something is wrong: an open relay takes mail very
well. It is answered from what was seen, an accepted recipient being the best proof; where nothing was seen
it is not answered.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, Outcome, Severity, any_answered

from .metrics import is_probed
from .timeline import format_seconds

__all__ = ["STATUS_WORDS", "Verdict", "build_verdict", "list_disabled_tests"]

STATUS_WORDS = {
    "ok": "OK",
    "info": "OK, with notes",
    "warning": "Warning",
    "critical": "Critical",
    "unknown": "Unknown",
}
# What RFC 5321 §4.5.3.2.1 grants a greeting, in seconds.
_PATIENCE = 300
_NOBODYS = ("example.com", "example.net", "example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`arrival` and `faults` are sentences; `doubts` say which answers rest on a weak default."""

    status: str
    word: str
    arrival: str
    faults: str
    doubts: tuple[str, ...]


def build_verdict(result: Result, counts: dict[str, int]) -> Verdict:
    """`counts` are those of the items told, under `crit`, `warn`, `info` and `unsettled`."""
    return Verdict(
        status=result.status,
        word=STATUS_WORDS.get(result.status, "Unknown"),
        arrival=_arrival(result),
        faults=_faults(counts),
        doubts=tuple(_doubts(result)),
    )


def _arrival(result: Result) -> str:
    seen = result.observation
    if seen.mx.null_mx:
        return "The domain declares that it receives no mail."
    if any(_took_mail(endpoint) for endpoint in seen.endpoints):
        return "Mail can arrive."
    spoke = [e for e in seen.endpoints if e.ready_session is not None]
    refused = {f.subject for f in result.findings if f.outcome is Outcome.REFUSED_US}
    welcome = [e for e in spoke if e.subject not in refused]
    if welcome:
        return _half_way(welcome)
    if refused:
        return "Whether mail can arrive is not known: the server refuses this checker."
    if seen.endpoints and not any(map(is_probed, seen.endpoints)):
        return "Whether mail can arrive was not asked: no server was probed."
    return _silence(result.findings)


def _took_mail(endpoint: Endpoint) -> bool:
    asked = (endpoint.asked(purpose) for purpose in ("postmaster", "null-sender"))
    return any(t is not None and t.verdict is not None and t.verdict.positive for t in asked)


def _half_way(welcome: list[Endpoint]) -> str:
    """Servers answer, and no recipient was accepted."""
    asked = [t for e in welcome for p in ("postmaster", "null-sender") if (t := e.asked(p)) is not None]
    verdicts = [t.verdict for t in asked if t.verdict is not None]
    if not asked:
        return "A mail server answers; no recipient was asked for."
    if any(v.transient for v in verdicts):
        return "A mail server answers and puts mail off for now."
    if any(v.permanent for v in verdicts):
        return "A mail server answers, but refused the mail it was offered."
    return "A mail server answers; whether it takes mail was not settled."


def _silence(findings: tuple[Finding, ...]) -> str:
    if any(f.severity is Severity.CRIT for f in findings):
        return "Mail cannot arrive."
    if any(f.outcome is Outcome.TRANSIENT for f in findings):
        return "No mail could be handed over at the moment of the check; that may pass."
    return "Whether mail can arrive is not known: nothing could be tested from here."


def _faults(counts: dict[str, int]) -> str:
    crit, warn = counts["crit"], counts["warn"]
    parts = [
        f"{crit} critical fault{'s' * (crit != 1)}" if crit else "",
        f"{warn} warning{'s' * (warn != 1)}" if warn else "",
    ]
    if told := " and ".join(filter(None, parts)):
        return f"{told} to fix."
    return "Nothing to fix." if not counts["unsettled"] else "Nothing to fix was found."


def _doubts(result: Result) -> list[str]:
    seen = result.observation
    settings, found = seen.settings, []
    probe_domain = settings.probe_address.rpartition("@")[2]
    relays = [t.verdict for e in seen.endpoints if (t := e.asked("relay")) is not None]
    answered = any_answered("relay", seen)
    if probe_domain in _NOBODYS and answered and any(v is not None and v.permanent for v in relays):
        found.append(
            f"“No relaying” was found with {settings.probe_address}, whose domain publishes a null "
            "MX: a relay "
            "that looks recipients up may refuse it and still be open. One of your own "
            "(`--probe-address`) makes it certain."
        )
    silent = [e.subject for e in seen.endpoints if _ran_out(e)]
    if silent and settings.timeout < _PATIENCE:
        found.append(
            f"{_names(silent)} stayed silent for {format_seconds(settings.timeout)} or longer. RFC 5321 "
            "§4.5.3.2 grants a server five minutes: a check with `--timeout 300` makes it certain."
        )
    if any(f.outcome is Outcome.REFUSED_US for f in result.findings):
        found.append(
            f"A refusal of this checker may be about its name: {settings.helo_name} should resolve to the "
            "address the check comes from (`--helo-name`)."
        )
    return found


def _ran_out(endpoint: Endpoint) -> bool:
    return any(s.end is not None and s.end.kind in ("timeout", "budget") for s in endpoint.sessions)


def _names(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return ", ".join(subjects[:3]) + more


def list_disabled_tests(seen: Observation) -> tuple[str, ...]:
    """What was not asked because an option said so."""
    settings = seen.settings
    return tuple(
        name
        for name, asked in (
            ("null sender", settings.test_null_sender),
            ("postmaster", settings.test_postmaster),
            ("open relay", settings.test_open_relay),
            ("IPv4", settings.ipv4),
            ("IPv6", settings.ipv6),
        )
        if not asked
    )
