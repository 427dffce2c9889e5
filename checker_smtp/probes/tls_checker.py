"""The interface to the TLS checker: the endpoints handed to it, and its results for them.

Each MX target is published under a reference made of its name and port, so that an endpoint keeps its
reference from run to run. The results are a map from references to probes, some of other endpoints, in one of
two shapes: older versions of that checker list issues, newer ones give bare facts, from which the same issues
are made here. Input comes from another program: every field may be missing, of another type, or oversized;
fields that cannot be read are skipped.

Dates are compared with the time of that probe, never with a clock: the same data always has the same result.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from .observation import Observation, TlsIssue, TlsProbe

__all__ = ["MAX_ISSUES", "TlsTarget", "tls_targets", "with_tls_checker"]

# a host name, or one with the underscore that some are published with
_is_name = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*").fullmatch
_not_in_code = re.compile(r"[^a-z0-9_]+")
_not_a_digit = re.compile(r"[^0-9]+")
# the subject of an error text
_without_starttls = re.compile(r"starttls.*\bnot\b|\b(?:no|not|without)\b.*starttls").search
_handshaking = re.compile(r"handshake|certificate|x509|alert").search
_connecting = re.compile(r"\bdial\b|refused|unreachable|no route|no such host|time(?:d |-)?out").search
MAX_ISSUES = 400
"""Issues of all endpoints together; eight for each MX target that is looked up."""
_MAX_CODE = 40
_MAX_TEXT = 1000
_MAX_ISSUES_OF_ONE = 20
# the host sends one observation for each published endpoint
_MAX_RESULTS = 100
# automatic renewal runs earlier than this, so within this time it has failed
_SOON = timedelta(days=14)

_SEVERITIES = {
    **dict.fromkeys(("crit", "critical", "error", "fatal", "high"), "crit"),
    **dict.fromkeys(("info", "information", "notice", "low"), "info"),
}
_RENEW = "Renew it, make the server reload it, and automate both."
# Severity, message and fix of the known issues, used where only facts are given.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "tcp_unreachable": (
        "warn",
        "The TLS checker could not connect",
        "Open the port to all clients; look for a firewall on the way.",
    ),
    "starttls_not_offered": (
        "warn",
        "The server did not offer STARTTLS to the TLS checker",
        "Offer STARTTLS to every client.",
    ),
    "handshake_failed": (
        "crit",
        "The TLS handshake failed",
        "Look for the reason in the server's log: certificate, key and TLS versions must match.",
    ),
    "chain_invalid": (
        "crit",
        "The certificate chain does not end at a trusted authority",
        "Use a certificate of a public authority, and send its whole chain (`fullchain.pem`).",
    ),
    "hostname_mismatch": (
        "crit",
        "The certificate is for another name",
        "Use a certificate that contains the name of the MX target.",
    ),
    "expired": ("crit", "The certificate has expired", _RENEW),
    "expiring_soon": ("warn", "The certificate expires soon", _RENEW),
    "weak_tls_version": (
        "warn",
        "The TLS version is withdrawn",
        "Allow TLS 1.2 and 1.3, and update the TLS library.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsTarget:
    """An endpoint for the TLS checker; `ref` is its reference."""

    ref: str
    host: str
    port: int


def tls_targets(observation: Observation) -> tuple[TlsTarget, ...]:
    """Return the domain's MX targets, each once.

    Targets that the TLS checker must not contact are skipped: those that are not a name, and those with
    private addresses only.
    """
    port = observation.settings.port
    names = {
        record.target: None
        for record in observation.mx.records
        if not record.literal
        and _is_name(record.target)
        and (not record.not_public or len(record.not_public) < len(record.ipv4 + record.ipv6))
    }
    return tuple(TlsTarget(ref=f"smtp:{name}:{port}", host=name, port=port) for name in names)


def with_tls_checker(observation: Observation, results: object) -> Observation:
    """Return the observation with the TLS checker's results for its MX targets.

    `results` is the host's list of that checker's observations, read from JSON. Of two for the same endpoint
    the later one counts.
    """
    targets = tls_targets(observation)
    latest: dict[str, tuple[datetime, TlsProbe]] = {}
    for result in islice(results, _MAX_RESULTS) if isinstance(results, list) else ():
        data = _mapping(_mapping(result).get("data"))
        probed_at = (
            _time(data.get("collected_at"))
            or _time(_mapping(result).get("collectedAt"))
            or _time(observation.run_at)
            or datetime.min.replace(tzinfo=UTC)
        )
        for target, facts in _matching_probes(targets, _mapping(data.get("probes"))):
            if target.ref not in latest or latest[target.ref][0] <= probed_at:
                probe = TlsProbe(
                    endpoint=f"{target.host}:{target.port}", issues=tuple(_issues(facts, probed_at))
                )
                latest[target.ref] = (probed_at, probe)
    if not latest:
        return observation
    probes = (latest[target.ref][1] for target in targets if target.ref in latest)
    return replace(observation, tls_probes=tuple(_within_limit(probes)))


def _within_limit(probes: Iterable[TlsProbe]) -> Iterator[TlsProbe]:
    """Yield the probes, without the issues beyond `MAX_ISSUES`."""
    left = MAX_ISSUES
    for probe in probes:
        yield replace(probe, issues=probe.issues[:left])
        left -= len(probe.issues[:left])


def _matching_probes(
    targets: tuple[TlsTarget, ...], probes: Mapping[str, object]
) -> Iterator[tuple[TlsTarget, Mapping[str, object]]]:
    """Yield the probes of our targets: those under our reference, or of the same host and port."""
    by_ref = {target.ref: target for target in targets}
    by_host = {f"{target.host}:{target.port}": target for target in targets}
    for ref, value in probes.items():
        facts = _mapping(value)
        host = _text(facts.get("host")).lower().removesuffix(".")
        keys = (f"{host}:{facts.get('port')}", _text(facts.get("endpoint")).lower())
        target = by_ref.get(ref) or next((by_host[key] for key in keys if key in by_host), None)
        if target is not None:
            yield target, facts


def _issues(facts: Mapping[str, object], probed_at: datetime) -> Iterator[TlsIssue]:
    """Yield the listed issues, or else those that follow from the facts."""
    listed = facts.get("issues")
    if isinstance(listed, list):
        yield from (
            _issue(_mapping(issue)) for issue in listed[:_MAX_ISSUES_OF_ONE] if isinstance(issue, dict)
        )
        return
    errors = (_text(value) for name, value in facts.items() if "error" in name.lower())
    if error := next(filter(None, errors), ""):
        # without a handshake the other facts mean nothing
        yield _known(_failure_code(error), error[:200])
        return
    expires = _time(facts.get("not_after"))
    expired = expires is not None and expires <= probed_at
    if facts.get("chain_valid") is False and not expired:
        yield _known("chain_invalid")
    if facts.get("hostname_match") is False:
        yield _known("hostname_mismatch")
    if expires is not None and expires - probed_at < _SOON:
        yield _known("expired" if expired else "expiring_soon", f"{expires:%Y-%m-%d}")
    version = _text(facts.get("tls_version"))
    if "ssl" in version.lower() or _not_a_digit.sub("", version) in ("1", "10", "11"):
        yield _known("weak_tls_version", version[:20])


def _issue(given: Mapping[str, object]) -> TlsIssue:
    code = _not_in_code.sub("_", _text(given.get("code"))[:200].lower()).strip("_")[:_MAX_CODE] or "issue"
    known = _KNOWN.get(code, ("warn", "The TLS checker found an issue without a description", ""))
    severity = _text(given.get("severity")).strip().lower()
    return TlsIssue(
        code=code,
        severity=_SEVERITIES.get(severity, "warn" if severity else known[0]),
        message=_text(given.get("message"))[:_MAX_TEXT] or f"{known[1]}.",
        fix=_text(given.get("fix"))[:_MAX_TEXT] or known[2],
    )


def _known(code: str, detail: str = "") -> TlsIssue:
    severity, message, fix = _KNOWN[code]
    return TlsIssue(
        code=code, severity=severity, message=f"{message} ({detail})." if detail else f"{message}.", fix=fix
    )


def _failure_code(error: str) -> str:
    """Return the code of the issue that an error text describes."""
    text = " ".join(error[:_MAX_TEXT].lower().split())
    if _without_starttls(text):
        return "starttls_not_offered"
    return "tcp_unreachable" if _connecting(text) and not _handshaking(text) else "handshake_failed"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    """Return a time in RFC 3339; None for anything else, and for the year 1, which is Go's zero time."""
    try:
        time = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    if time.year == 1:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
