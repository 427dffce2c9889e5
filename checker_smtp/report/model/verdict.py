"""The verdict in sentences: can mail arrive, how severe are the findings, how certain are they.

Delivery and faults are two questions: an open relay accepts mail perfectly well. The sentence on delivery is
that of the state of the domain's mail.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import MailState, Outcome, any_answered

from .mail_state import describe_arrival
from .timeline import format_seconds

__all__ = ["STATUS_WORDS", "Verdict", "build_verdict", "list_disabled_tests"]

STATUS_WORDS = {
    "ok": "OK",
    "info": "OK, with notes",
    "warning": "Warning",
    "critical": "Critical",
    "unknown": "Unknown",
}
# The seconds that a client has to wait for a greeting (RFC 5321 §4.5.3.2.1).
_RFC_TIMEOUT = 300
# Domains with a null MX: a relay that looks recipients up rejects them.
_NULL_MX_DOMAINS = ("example.com", "example.net", "example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The head line of a report.

    `arrival` and `faults` are sentences. `doubts` name the answers that rest on a weak default.
    """

    status: str
    word: str
    arrival: str
    faults: str
    doubts: tuple[str, ...]


# Reasons of a refusal that the EHLO name may be behind; version 1 documents have none.
_ABOUT_NAME = ("", "helo", "ptr", "policy", "unclear")


def build_verdict(result: Result, counts: dict[str, int]) -> Verdict:
    """Build the verdict on `result`; `counts` are its items under `crit`, `warn`, `info` and `unsettled`."""
    return Verdict(
        status=result.status,
        word=STATUS_WORDS.get(result.status, "Unknown"),
        arrival=describe_arrival(result),
        faults=_faults(result, counts),
        doubts=tuple(_doubts(result)),
    )


def _faults(result: Result, counts: dict[str, int]) -> str:
    crit, warn = counts["crit"], counts["warn"]
    parts = [
        f"{crit} critical fault{'s' * (crit != 1)}" if crit else "",
        f"{warn} warning{'s' * (warn != 1)}" if warn else "",
    ]
    if faults := " and ".join(filter(None, parts)):
        return f"{faults} to fix."
    is_known = result.mail.state in (MailState.ACCEPTED, MailState.NONE) and result.status != "unknown"
    if not is_known:
        return "No fault was found, and none is ruled out."
    return "Nothing to fix was found." if counts["unsettled"] else "Nothing to fix."


def _doubts(result: Result) -> list[str]:
    observation = result.observation
    settings, doubts = observation.settings, []
    probe_domain = settings.probe_address.rpartition("@")[2]
    relays = [t.verdict for e in observation.endpoints if (t := e.asked("relay")) is not None]
    answered = any_answered("relay", observation)
    if probe_domain in _NULL_MX_DOMAINS and answered and any(v is not None and v.permanent for v in relays):
        doubts.append(
            f"“No relaying” was tested with {settings.probe_address}, and that domain has a null MX: a relay "
            "that looks recipients up may reject it and still be open. Repeat the check with an address of "
            "your own (`--probe-address`) to be certain."
        )
    silent = [e.subject for e in observation.endpoints if _timed_out(e)]
    if silent and settings.timeout < _RFC_TIMEOUT:
        doubts.append(
            f"{_names(silent)} sent nothing for {format_seconds(settings.timeout)} or longer. RFC 5321 "
            "§4.5.3.2 allows a server five minutes: repeat the check with `--timeout 300` to be certain."
        )
    if any(f.outcome is Outcome.REFUSED_US and f.reason in _ABOUT_NAME for f in result.findings):
        doubts.append(
            f"A server may refuse this checker because of its EHLO name: {settings.helo_name} should resolve "
            "to the address that the check comes from (`--helo-name`)."
        )
    return doubts


def _timed_out(endpoint: Endpoint) -> bool:
    return any(s.end is not None and s.end.kind in ("timeout", "budget") for s in endpoint.sessions)


def _names(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return ", ".join(subjects[:3]) + more


def list_disabled_tests(observation: Observation) -> tuple[str, ...]:
    """Return the tests and address families that an option disabled."""
    settings = observation.settings
    return tuple(
        name
        for name, is_enabled in (
            ("null sender", settings.test_null_sender),
            ("postmaster", settings.test_postmaster),
            ("open relay", settings.test_open_relay),
            ("IPv4", settings.ipv4),
            ("IPv6", settings.ipv6),
        )
        if not is_enabled
    )
