"""What became of the endpoints that both checks met: their TLS and their extensions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checker_smtp.probes.observation import Endpoint, Observation, Session

from .metrics import TLS_VERSIONS, find_tls

__all__ = [
    "ExtensionChange",
    "TlsChange",
    "compare_extensions",
    "compare_tls",
    "find_lost_extensions",
    "find_weaker_tls",
    "pair_endpoints",
]

# Without these the sender of a message that needs one has to return it (RFC 6152, 6531, 8689), or sends
# in the clear.
_RELIED_ON = ("8BITMIME", "REQUIRETLS", "SMTPUTF8", "STARTTLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionChange:
    """What an endpoint offers, before TLS or (`tls`) after it; keywords with their parameters."""

    endpoint: str
    tls: bool
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsChange:
    """Version and cipher at an endpoint; both empty where there was no TLS."""

    endpoint: str
    old_version: str
    old_cipher: str
    new_version: str
    new_cipher: str


def pair_endpoints(was: Observation, now: Observation) -> list[tuple[Endpoint, Endpoint]]:
    before = {endpoint.subject: endpoint for endpoint in was.endpoints}
    return [(before[e.subject], e) for e in now.endpoints if e.subject in before]


def compare_tls(both: Iterable[tuple[Endpoint, Endpoint]]) -> Iterator[TlsChange]:
    for one, other in both:
        old, new = find_tls(one), find_tls(other)
        before, after = ((tls.version, tls.cipher) if tls else ("", "") for tls in (old, new))
        if one.ready_session and other.ready_session and before != after:
            yield TlsChange(
                endpoint=other.subject,
                old_version=before[0],
                old_cipher=before[1],
                new_version=after[0],
                new_cipher=after[1],
            )


def find_weaker_tls(changes: Iterable[TlsChange]) -> Iterator[str]:
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
    for one, other in both:
        for tls in (False, True):
            before, after = _offered(one, tls=tls), _offered(other, tls=tls)
            if before is not None and after is not None and before != after:
                yield ExtensionChange(
                    endpoint=other.subject,
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
    for one, other in both:
        before, after = (
            {**(_offered(e, tls=False) or {}), **(_offered(e, tls=True) or {})} for e in (one, other)
        )
        # after STARTTLS the list may be longer; where it is not known, neither is what is missing
        if not after or (_offered(one, tls=True) is not None and _offered(other, tls=True) is None):
            continue
        for word in _RELIED_ON:
            if word in before and word not in after:
                yield f"{word} is not offered at {other.subject} any more"


def _offered(endpoint: Endpoint, *, tls: bool) -> dict[str, str] | None:
    """Each keyword with its whole line; None where EHLO was not answered."""

    def answered(session: Session) -> bool:
        reply = session.ehlo_tls if tls else session.ehlo
        return reply is not None and reply.positive

    session = next((session for session in endpoint.sessions if answered(session)), None)
    if session is None:
        return None
    known = session.capabilities_tls if tls else session.capabilities
    return {k.keyword: " ".join((k.keyword, *k.parameters)) for k in sorted(known, key=lambda k: k.keyword)}
