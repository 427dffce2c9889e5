"""Helpers for rules: the state of endpoints, the evidence for a finding, and words for messages."""

from checker_smtp.probes.observation import Ending, Endpoint, MxTarget, Observation, ReplySeen, Session
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.refusals import Refusal

from ._finding import Evidence

__all__ = [
    "any_connected",
    "any_extensions",
    "any_greeted",
    "any_target",
    "dns_evidence",
    "end_evidence",
    "failed_targets",
    "greeted",
    "listed",
    "quoted",
    "reply_evidence",
    "shown",
]

_MAX_QUOTED = 120
# a report shows a dozen lines of a quotation, and every finding has a copy of it
_MAX_RECORDS = 50
# three types of records, with and without validation
_MAX_ANSWERS = 6


def greeted(endpoint: Endpoint) -> bool:
    """Return whether the greeting is a 2yz."""
    greeting = endpoint.main.greeting
    return greeting is not None and greeting.positive


def any_target(observation: Observation) -> bool:
    return bool(observation.mx.records)


def any_connected(observation: Observation) -> bool:
    return any(endpoint.connected for endpoint in observation.endpoints)


def any_greeted(observation: Observation) -> bool:
    return any(greeted(endpoint) for endpoint in observation.endpoints)


def any_extensions(observation: Observation) -> bool:
    return any(endpoint.ehlo_session for endpoint in observation.endpoints)


def reply_evidence(endpoint: Endpoint, reply: ReplySeen | None) -> tuple[Evidence, ...]:
    """Return the place of this reply; nothing for None."""
    for number, session in enumerate(endpoint.sessions):
        if reply is not None and any(reply is one for one in session.replies):
            return (
                Evidence(
                    source="session",
                    where=endpoint.subject,
                    quote=reply.raw,
                    session=number,
                    entry=reply.entry,
                ),
            )
    return ()


def end_evidence(endpoint: Endpoint, session: Session, end: Ending) -> tuple[Evidence, ...]:
    """Return the place where the session ended."""
    if not session.transcript:
        return ()
    quote = end.excerpt or end.detail or end.words
    return (
        Evidence(
            source="session",
            where=endpoint.subject,
            quote=quote,
            session=next(n for n, one in enumerate(endpoint.sessions) if one is session),
            entry=end.entry,
        ),
    )


def dns_evidence(observation: Observation, name: str, *rdtypes: str) -> tuple[Evidence, ...]:
    """Return the answers to these questions about `name`."""
    return tuple(
        Evidence(
            source="dns",
            where=f"{answer.rdtype} {answer.name}",
            quote=_quote(answer),
        )
        for answer in observation.answers_about(name, *rdtypes)[:_MAX_ANSWERS]
    )


def _quote(answer: DnsAnswer) -> str:
    """Return the records, and what the server said beside them."""
    is_plain = answer.status is DnsStatus.ANSWER and not answer.detail
    is_named = answer.detail.lower() == str(answer.status)
    said = "" if is_plain else f"{answer.status} {'' if is_named else answer.detail}".strip()
    more = answer.omitted + len(answer.records[_MAX_RECORDS:])
    cut = f"{more} more records" if more else ""
    checking = "asked without DNSSEC validation (CD=1)" if answer.unvalidated else ""
    return "\n".join(filter(None, (*answer.records[:_MAX_RECORDS], cut, said, checking)))


def failed_targets(observation: Observation) -> tuple[tuple[MxTarget, str, DnsStatus], ...]:
    """Return each MX target with the lookup that failed; nothing where one of them is known.

    Then there is no server to deliver to, and senders wait, as they do if the MX lookup itself fails.
    """
    failed = []
    for target in observation.mx.records:
        asked = (("A", target.ipv4_status), ("AAAA", target.ipv6_status))
        unknown = [(t, status) for t, status in asked if status is not None and not status.known]
        if target.ipv4 or target.ipv6 or target.aliases or not unknown:
            return ()
        failed.append((target, *unknown[0]))
    return tuple(failed)


def shown(reply: ReplySeen | None) -> str:
    """Return the codes for a sentence, as in `550 5.1.1`."""
    return f"{reply.code} {reply.enhanced_code}".strip() if reply is not None else "no reply"


def quoted(refusal: Refusal | None) -> str:
    """Return the deciding words for a sentence, as in ` ("user unknown")`; nothing where a code decided."""
    if refusal is None or not any(char.isalpha() for char in refusal.words):
        return ""
    words = " ".join(refusal.words.split())
    return f' ("{words if len(words) <= _MAX_QUOTED else words[:_MAX_QUOTED] + "…"}")'


def listed(items: list[str], most: int = 5) -> str:
    """Return `a, b and c`; past `most` items only their number."""
    if len(items) > most:
        items = [*items[:most], f"{len(items) - most} more"]
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
