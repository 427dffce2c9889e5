"""The number of refusals that a check left in the logs of the servers.

A check of a healthy domain leaves one, that of the relay probe. A check of a domain that refuses everything
leaves three.
"""

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session

__all__ = ["count_refusals"]


def count_refusals(observation: Observation) -> dict[str, int]:
    """Return the number of refusals, at any step, by the endpoints that refused something."""
    counts = {endpoint.subject: _count(endpoint) for endpoint in observation.endpoints}
    return {subject: number for subject, number in counts.items() if number}


def _count(endpoint: Endpoint) -> int:
    replies = (
        reply
        for session in endpoint.sessions
        for reply in (session.greeting, session.ehlo, session.helo, *_verdicts(session))
        if reply is not None
    )
    return sum(reply.code >= 400 for reply in replies)


def _verdicts(session: Session) -> list[ReplySeen | None]:
    return [transaction.verdict for transaction in session.transactions]
