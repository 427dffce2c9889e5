"""The refusals that a check left in the logs of the servers, and the line against a ban for them.

fail2ban bans a client after five refusals in ten minutes, in its defaults. A check of a healthy domain leaves
one, that of the relay probe; one of a domain that refuses everything leaves three.
"""

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session

__all__ = ["count_refusals", "describe_refusals"]

_MAX_ENDPOINTS = 10
_IGNORED = (
    "in /etc/fail2ban/jail.local, section [DEFAULT]: ignoreip = 127.0.0.1/8 ::1 ADDRESS, where ADDRESS is "
    "that of this checker as the log shows it; then fail2ban-client reload"
)


def count_refusals(observation: Observation) -> dict[str, int]:
    """Return the number of refusals, at any step, by the endpoints that refused something."""
    counts = {endpoint.subject: _count(endpoint) for endpoint in observation.endpoints}
    return {subject: number for subject, number in counts.items() if number}


def describe_refusals(observation: Observation) -> list[tuple[str, str]]:
    """Return labels and texts about the refusals; none where there were none."""
    counts = sorted(count_refusals(observation).items(), key=lambda count: -count[1])
    if not counts:
        return []
    texts = [f"{number} by {subject}" for subject, number in counts[:_MAX_ENDPOINTS]]
    if more := len(counts) - len(texts):
        texts.append(f"{more} more servers with fewer or as many")
    return [("Refusals in the servers' logs", ", ".join(texts)), ("Against a ban by fail2ban", _IGNORED)]


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
