"""The names of an address, and which of them lead back to it."""

import ipaddress
from collections.abc import Sequence
from functools import partial

from checker_smtp.probes.observation import ReverseDns

from .lookups import Lookups
from .records import count_omitted, normalize_name, parse_addresses, parse_records
from .together import run_together

__all__ = ["MAX_PTR_NAMES", "resolve_reverse_dns"]

# RFC 8601 §3 (iprev) allows a limit on names; ten is that of opendkim and of SPF.
MAX_PTR_NAMES = 10


async def resolve_reverse_dns(lookups: Lookups, address: str, hosts: Sequence[str] = ()) -> ReverseDns:
    """Return the address's PTR names, and those that resolve back to it (RFC 8601 §3).

    At most ten names are resolved; the names in `hosts`, those of the MX records, come first.
    """
    key = " ".join(("PTR of", address, *sorted(hosts)))
    return await lookups.resolve_host(key, partial(_resolve, address, frozenset(hosts)))


async def _resolve(address: str, hosts: frozenset[str], lookups: Lookups) -> ReverseDns:
    ip = ipaddress.ip_address(address)
    rdtype = "A" if ip.version == 4 else "AAAA"
    answer = await lookups.ask(ip.reverse_pointer, "PTR")
    found = {normalize_name(data) for _, data in parse_records(answer)}
    names = sorted(found, key=lambda name: (name not in hosts, name))
    asked = names[:MAX_PTR_NAMES]
    answers = await run_together([partial(lookups.ask, name, rdtype) for name in asked])
    forward = dict(zip(asked, answers, strict=True))
    return ReverseDns(
        status=answer.status,
        names=tuple(asked),
        total=len(names) + count_omitted(answer),
        confirmed_by=tuple(name for name in asked if str(ip) in parse_addresses(forward[name])),
        unsettled=tuple(name for name in asked if not forward[name].status.known),
    )
