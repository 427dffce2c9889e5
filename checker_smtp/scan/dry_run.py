"""What a scan would send, told before anything is sent.

Nothing is looked up for it either, so that how many servers the domains share is not known: the numbers are
the least (one server for all) and the most that there can be.
"""

from collections.abc import Iterable, Iterator
from math import ceil

from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.options import Options

from .domain_list import Entry
from .settings import ScanSettings

__all__ = ["dry_run"]


def dry_run(entries: Iterable[Entry], settings: ScanSettings) -> str:
    """The plan as text, with a final newline."""
    domains = bad = stopped = 0
    for entry in entries:
        domains += not entry.skip_reason
        bad += entry.skip_reason == "bad-name"
        stopped += entry.skip_reason == "stop-list"
    options = settings.options
    least = ceil(domains / settings.per_session) if settings.reuse else domains
    alone = ceil(domains / settings.concurrency) * options.budget
    together = (domains * options.budget + least * settings.delay) / settings.per_address
    limits = ", ".join(
        f"with one {whom} {getattr(settings, f'per_{whom}')}" for whom in ("address", "network", "provider")
    )
    lines = [
        f"{domains} domains to check; {bad} bad names and {stopped} on the stop list will only be reported.",
        "",
        f"DNS          {domains} questions for MX; A and AAAA of each MX host, PTR and back for each address",
        f"connections  {least}, if one server has all of the domains, to one for each address of each domain",
        f"             (at most {MAX_ENDPOINTS}); more where a server is out of order",
        f"at once      {settings.concurrency}, {limits}",
        f"pause        {settings.delay:g} s between two connections to one address",
        "",
        f"each connection    EHLO {options.helo_name}; STARTTLS and EHLO again where offered; QUIT",
        *_commands(options),
        "                   DATA is never sent.",
        "",
        f"time         at most {_span(alone)}, if each domain has a server of its own, {_span(together)}",
        "             if one has all of them; and so long only if nobody answers before its time is over",
    ]
    if options.retry_deferred:
        lines.append(f"second visit {_span(60 * options.retry_deferred)} later, where a server asks for one")
    return "\n".join(lines) + "\n"


def _commands(options: Options) -> Iterator[str]:
    for t in transactions_for(options):
        whose = "each server once " if t.purpose == "relay" else "each domain      "
        recipient = t.recipient.replace(options.domain, "DOMAIN")
        yield f"{whose}  MAIL FROM:<{t.sender}>; RCPT TO:<{recipient}>; RSET"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
