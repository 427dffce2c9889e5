"""The number of refusals that a check left in the logs of the servers.

A check of a healthy domain leaves one, that of the relay probe. A check of a domain that refuses everything
leaves three.
"""

from checker_smtp.probes.observation import Observation, Session

__all__ = ["count_refusals"]


def count_refusals(observation: Observation) -> dict[str, int]:
    """Return the number of refusals, at any step, by the endpoints that refused something."""
    counts = {endpoint.subject: sum(map(_count, endpoint.sessions)) for endpoint in observation.endpoints}
    return {subject: number for subject, number in counts.items() if number}


def _count(session: Session) -> int:
    at_start = (session.greeting, session.ehlo, session.helo)
    verdicts = [transaction.verdict for transaction in session.transactions]
    refusals = [reply for reply in (*at_start, *verdicts) if reply and (reply.transient or reply.permanent)]
    # Postfix logs "too many errors" beside the refusal before it, and fail2ban counts both
    later = (*(transaction.rset for transaction in session.transactions), *session.unsolicited)
    return len(refusals) + sum(reply is not None and reply.code == 421 for reply in later)
