"""The report of a dry run: what a scan would send, computed without sending anything.

Nothing is resolved either, so how many servers the domains share is unknown: the report gives the minimum
(one server for all domains) and the maximum.
"""

from collections.abc import Iterable, Iterator
from math import ceil

from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.options import Options

from .domain_scan import DomainScan
from .settings import ScanSettings

__all__ = ["dry_run"]


def dry_run(listed: Iterable[DomainScan], settings: ScanSettings) -> str:
    """Return the report as text, with a final newline."""
    domains = invalid = excluded = 0
    for domain in listed:
        domains += not domain.not_checked
        invalid += domain.not_checked == "bad-name"
        excluded += domain.not_checked == "stop-list"
    options = settings.options
    min_connections = ceil(domains / settings.per_session) if settings.reuse else domains
    time_separate = ceil(domains / settings.concurrency) * options.budget
    time_shared = (domains * options.budget + min_connections * settings.delay) / settings.per_address
    limits = ", ".join(
        f"{getattr(settings, f'per_{group}')} with one {group}"
        for group in ("address", "network", "provider")
    )
    lines = [
        f"{domains} domains to check; {invalid} invalid and {excluded} excluded names are only reported.",
        "",
        f"DNS          {domains} MX queries; A and AAAA of each MX host; PTR of each address, and back",
        f"connections  {min_connections} if one server has all of the domains, up to one for each address of",
        f"             each domain (at most {MAX_ENDPOINTS}); more where a session fails",
        *_further_connections(options, reuse=settings.reuse),
        f"at once      {settings.concurrency}: {limits}",
        f"delay        {settings.delay:g} s between two connections to one address",
        "",
        f"each connection    EHLO {options.helo_name}; STARTTLS and EHLO again where offered; QUIT",
        *_commands(options),
        "                   DATA is never sent.",
        "",
        f"time         at most {_span(time_separate)} if each domain has a server of its own,",
        f"             {_span(time_shared)} if one has all of them;",
        "             reached only if every session times out",
    ]
    if options.retry_deferred:
        lines.append(f"retry        {_span(60 * options.retry_deferred)} later, for deferred domains")
    return "\n".join(lines) + "\n"


def _further_connections(options: Options, *, reuse: bool) -> Iterator[str]:
    """Yield how many connections at most come on top, each only where an answer calls for it."""
    yield "             at most 2 more for a domain at an address that closes after a refusal"
    if options.test_null_sender or options.test_postmaster:
        per = "for each address and domain of its MX host" if reuse else "for a domain at an address"
        yield f"             at most 1 more {per}, where own recipients"
        yield "             are refused without a clear reason: RCPT TO:<postmaster@(that MX host's domain)>"


def _commands(options: Options) -> Iterator[str]:
    for t in transactions_for(options):
        scope = "each server once " if t.purpose == "relay" else "each domain      "
        recipient = t.recipient.replace(options.domain, "DOMAIN")
        yield f"{scope}  MAIL FROM:<{t.sender}>; RCPT TO:<{recipient}>; RSET"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
