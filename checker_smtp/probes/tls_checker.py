"""The TLS checker's side: which endpoints it is asked to look at, and what it says of them.

Each MX target is published under a reference made of its name and port, so the same endpoint has the same one
on every run. What comes back is a map from references to probes, among them those of endpoints that are not
ours, in one of two shapes: older versions of that checker list issues, newer ones give bare facts, from which
the same issues are made here. It comes from another program: every field may be missing, of another type, or
larger than any honest one, and what cannot be read is passed over.

Dates are compared with the time of that probe, never with a clock, so the same data is always told the same.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from .observation import Observation, TlsIssue, TlsProbe

__all__ = ["TlsTarget", "tls_targets", "with_tls_checker"]

# a host name, and the underscore that some are published with
_is_name = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*").fullmatch
_not_in_code = re.compile(r"[^a-z0-9_]+")
_not_a_digit = re.compile(r"[^0-9]+")
# what the text of an error is about
_without_starttls = re.compile(r"starttls.*\bnot\b|\b(?:no|not|without)\b.*starttls").search
_handshaking = re.compile(r"handshake|certificate|x509|alert").search
_connecting = re.compile(r"\bdial\b|refused|unreachable|no route|no such host|time(?:d |-)?out").search
_MAX_CODE = 40
_MAX_TEXT = 1000
_MAX_ISSUES = 20
# the host sends one observation for each of our entries
_MAX_RELATED = 100
# what renews certificates by itself does so earlier: by then it has failed
_SOON = timedelta(days=14)

_SEVERITIES = {
    **dict.fromkeys(("crit", "critical", "error", "fatal", "high"), "crit"),
    **dict.fromkeys(("info", "information", "notice", "low"), "info"),
}
_RENEW = "Renew it, have the server read it again, and see that both happen by themselves."
# Severity, message and fix of the known issues, for where only facts are given.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "tcp_unreachable": (
        "warn",
        "The TLS checker could not connect",
        "Let everybody reach the port; look for a filter on the way.",
    ),
    "starttls_not_offered": (
        "warn",
        "The server did not offer STARTTLS to the TLS checker",
        "Offer STARTTLS to every client.",
    ),
    "handshake_failed": (
        "crit",
        "The TLS handshake failed",
        "Look for the reason in the server's log: certificate, key and TLS versions have to fit.",
    ),
    "chain_invalid": (
        "crit",
        "The certificate does not lead to a trusted authority",
        "Use a certificate by a public authority, and serve its whole chain (`fullchain.pem`).",
    ),
    "hostname_mismatch": (
        "crit",
        "The certificate is for another name",
        "Use a certificate that holds the name of the MX target.",
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
    """An endpoint for the TLS checker; `ref` is what it is known by."""

    ref: str
    host: str
    port: int


def tls_targets(observation: Observation) -> tuple[TlsTarget, ...]:
    """The domain's MX targets, each once, by their names.

    Left out is what the TLS checker must not be sent to: what is no name, and what leads to private
    addresses only.
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


def with_tls_checker(observation: Observation, related: object) -> Observation:
    """The observation with what the TLS checker found at its MX targets.

    `related` is the host's list of that checker's observations, read from JSON. Where two tell of the same
    endpoint, the later one counts.
    """
    targets = tls_targets(observation)
    found: dict[str, tuple[datetime, TlsProbe]] = {}
    for one in islice(related, _MAX_RELATED) if isinstance(related, list) else ():
        data = _mapping(_mapping(one).get("data"))
        seen = (
            _time(data.get("collected_at"))
            or _time(_mapping(one).get("collectedAt"))
            or _time(observation.run_at)
            or datetime.min.replace(tzinfo=UTC)
        )
        for target, facts in _ours(targets, _mapping(data.get("probes"))):
            if target.ref not in found or found[target.ref][0] <= seen:
                probe = TlsProbe(endpoint=f"{target.host}:{target.port}", issues=tuple(_issues(facts, seen)))
                found[target.ref] = (seen, probe)
    if not found:
        return observation
    return replace(
        observation, tls_probes=tuple(found[target.ref][1] for target in targets if target.ref in found)
    )


def _ours(
    targets: tuple[TlsTarget, ...], probes: Mapping[str, object]
) -> Iterator[tuple[TlsTarget, Mapping[str, object]]]:
    """The probes of our targets: those under our reference, or of the same host and port."""
    by_ref = {target.ref: target for target in targets}
    by_place = {f"{target.host}:{target.port}": target for target in targets}
    for ref, value in probes.items():
        facts = _mapping(value)
        host = _text(facts.get("host")).lower().removesuffix(".")
        places = (f"{host}:{facts.get('port')}", _text(facts.get("endpoint")).lower())
        target = by_ref.get(ref) or next((by_place[place] for place in places if place in by_place), None)
        if target is not None:
            yield target, facts


def _issues(facts: Mapping[str, object], seen: datetime) -> Iterator[TlsIssue]:
    """The issues listed, or else those that the facts amount to."""
    listed = facts.get("issues")
    if isinstance(listed, list):
        yield from (_issue(_mapping(issue)) for issue in listed[:_MAX_ISSUES] if isinstance(issue, dict))
        return
    errors = (_text(value) for name, value in facts.items() if "error" in name.lower())
    if error := next(filter(None, errors), ""):
        # then the other facts are those of a handshake that never was
        yield _known(_failure(error), error[:200])
        return
    expires = _time(facts.get("not_after"))
    expired = expires is not None and expires <= seen
    if facts.get("chain_valid") is False and not expired:
        yield _known("chain_invalid")
    if facts.get("hostname_match") is False:
        yield _known("hostname_mismatch")
    if expires is not None and expires - seen < _SOON:
        yield _known("expired" if expired else "expiring_soon", f"{expires:%Y-%m-%d}")
    version = _text(facts.get("tls_version"))
    if "ssl" in version.lower() or _not_a_digit.sub("", version) in ("1", "10", "11"):
        yield _known("weak_tls_version", version[:20])


def _issue(given: Mapping[str, object]) -> TlsIssue:
    code = _not_in_code.sub("_", _text(given.get("code"))[:200].lower()).strip("_")[:_MAX_CODE] or "issue"
    usual = _KNOWN.get(code, ("warn", "The TLS checker found an issue that it has no words for", ""))
    severity = _text(given.get("severity")).strip().lower()
    return TlsIssue(
        code=code,
        severity=_SEVERITIES.get(severity, "warn" if severity else usual[0]),
        message=_text(given.get("message"))[:_MAX_TEXT] or f"{usual[1]}.",
        fix=_text(given.get("fix"))[:_MAX_TEXT] or usual[2],
    )


def _known(code: str, detail: str = "") -> TlsIssue:
    severity, message, fix = _KNOWN[code]
    return TlsIssue(
        code=code, severity=severity, message=f"{message} ({detail})." if detail else f"{message}.", fix=fix
    )


def _failure(error: str) -> str:
    """Which issue it is that this error tells of."""
    text = " ".join(error[:_MAX_TEXT].lower().split())
    if _without_starttls(text):
        return "starttls_not_offered"
    return "tcp_unreachable" if _connecting(text) and not _handshaking(text) else "handshake_failed"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    """RFC 3339; None for anything else, and for the year 1, which is Go's way of saying never."""
    try:
        time = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    if time.year == 1:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
