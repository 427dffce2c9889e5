"""The refusals that a check left in the logs of the servers, and the line against a ban for them.

fail2ban bans a client after five refusals in ten minutes, in its defaults.
"""

from checker_smtp.probes.observation import Observation
from checker_smtp.report.refusal_count import count_refusals

from .client_address import find_client_addresses

__all__ = ["describe_refusals"]

_MAX_ENDPOINTS = 10
_PLACEHOLDER = "ADDRESS"
_LINE = (
    "in /etc/fail2ban/jail.local, section [DEFAULT]: ignoreip = 127.0.0.1/8 ::1 {}; "
    "then fail2ban-client reload. {}"
)
_UNKNOWN = (
    f"{_PLACEHOLDER} is that of this checker as the log shows it; behind a NAT that is not the machine's own."
)


def describe_refusals(observation: Observation) -> list[tuple[str, str]]:
    """Return labels and texts about the refusals; none where there were none."""
    numbers = count_refusals(observation)
    if not numbers:
        return []
    counts = sorted(numbers.items(), key=lambda count: -count[1])
    texts = [f"{number} by {subject}" for subject, number in counts[:_MAX_ENDPOINTS]]
    if more := len(counts) - len(texts):
        texts.append(f"{more} more servers with fewer or as many")
    refusing = [endpoint for endpoint in observation.endpoints if endpoint.subject in numbers]
    known = find_client_addresses(refusing, observation.settings.source_addresses)
    line = _LINE.format(" ".join(known.addresses) or _PLACEHOLDER, known.source or _UNKNOWN)
    return [("Refusals in the servers' logs", ", ".join(texts)), ("Against a ban by fail2ban", line)]
