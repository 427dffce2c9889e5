"""The difference in TLS and extensions of the endpoints that both checks probed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Observation, Session
from checker_smtp.report.model.metrics import TLS_VERSIONS, find_tls

__all__ = [
    "ExtensionChange",
    "TlsChange",
    "compare_extensions",
    "compare_tls",
    "find_lost_extensions",
    "find_weaker_tls",
    "pair_endpoints",
]

# A message that needs one of these extensions is returned to its sender without it (RFC 6152, 6531, 8689), or
# sent in the clear.
_REQUIRED_BY_MAIL = ("8BITMIME", "REQUIRETLS", "SMTPUTF8", "STARTTLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionChange:
    """The change of the extensions of an endpoint, before TLS or after it (`tls`).

    Each extension is its EHLO keyword with the parameters.
    """

    endpoint: str
    tls: bool
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsChange:
    """TLS version and cipher at an endpoint in both checks; both are empty for a check without TLS."""

    endpoint: str
    old_version: str
    old_cipher: str
    new_version: str
    new_cipher: str


def pair_endpoints(before: Observation, after: Observation) -> list[tuple[Endpoint, Endpoint]]:
    """Return the endpoints that are in both observations, as pairs of old and new."""
    old = {endpoint.subject: endpoint for endpoint in before.endpoints}
    return [(old[e.subject], e) for e in after.endpoints if e.subject in old]


def compare_tls(both: Iterable[tuple[Endpoint, Endpoint]]) -> Iterator[TlsChange]:
    """Yield the changes of TLS at the pairs of endpoints that were ready in both checks."""
    for old, new in both:
        before, after = (
            (tls.version, tls.cipher) if tls else ("", "") for tls in (find_tls(old), find_tls(new))
        )
        if old.ready_session and new.ready_session and before != after:
            yield TlsChange(
                endpoint=new.subject,
                old_version=before[0],
                old_cipher=before[1],
                new_version=after[0],
                new_cipher=after[1],
            )


def find_weaker_tls(changes: Iterable[TlsChange]) -> Iterator[str]:
    """Yield a reason for each change to no TLS or to an older version."""
    for change in changes:
        old, new = (
            TLS_VERSIONS.index(version) if version in TLS_VERSIONS else -1
            for version in (change.old_version, change.new_version)
        )
        if change.old_version and not change.new_version:
            yield f"no TLS at {change.endpoint} any more"
        elif 0 <= new < old:
            yield f"{change.new_version} instead of {change.old_version} at {change.endpoint}"


def compare_extensions(both: Iterable[tuple[Endpoint, Endpoint]]) -> Iterator[ExtensionChange]:
    """Yield the changes of extensions, for each pair of endpoints before TLS and after it."""
    for old, new in both:
        for tls in (False, True):
            before, after = _extensions(old, tls=tls), _extensions(new, tls=tls)
            if before is not None and after is not None and before != after:
                yield ExtensionChange(
                    endpoint=new.subject,
                    tls=tls,
                    lost=tuple(line for word, line in before.items() if word not in after),
                    gained=tuple(line for word, line in after.items() if word not in before),
                    changed=tuple(
                        (line, after[word])
                        for word, line in before.items()
                        if word in after and after[word] != line
                    ),
                )


def find_lost_extensions(both: Iterable[tuple[Endpoint, Endpoint]]) -> Iterator[str]:
    """Yield a reason for each extension that is missing now and that some mail cannot be sent without."""
    for old, new in both:
        before, after = (
            {**(_extensions(e, tls=False) or {}), **(_extensions(e, tls=True) or {})} for e in (old, new)
        )
        # the list after STARTTLS may be longer: without it no extension is known to be missing
        if not after or (_extensions(old, tls=True) is not None and _extensions(new, tls=True) is None):
            continue
        for keyword in _REQUIRED_BY_MAIL:
            if keyword in before and keyword not in after:
                yield f"{keyword} is not offered at {new.subject} any more"


def _extensions(endpoint: Endpoint, *, tls: bool) -> dict[str, str] | None:
    """Return each keyword with its parameters; None if EHLO was not accepted."""

    def answered(session: Session) -> bool:
        reply = session.ehlo_tls if tls else session.ehlo
        return reply is not None and reply.positive

    session = next((session for session in endpoint.sessions if answered(session)), None)
    if session is None:
        return None
    keywords = session.capabilities_tls if tls else session.capabilities
    ordered = sorted(keywords, key=lambda keyword: keyword.keyword)
    return {k.keyword: " ".join((k.keyword, *k.parameters)) for k in ordered}
