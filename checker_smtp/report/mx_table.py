"""The MX table: who is to receive the domain's mail, at which addresses, under which names."""

from dataclasses import dataclass

from checker_smtp.probes.observation import FamilyCoverage, MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus

from .endpoints import reverse_dns_text
from .metrics import is_probed
from .visible import visible

__all__ = ["CoverageRow", "MxRow", "build_coverage_rows", "build_mx_rows"]

_MAX_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRow:
    """One address of one target; without any, `address` is empty and `note` says why."""

    preference: str
    target: str
    ttl: str
    address: str
    address_ttl: str
    reverse: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """One address family, in words."""

    family: str
    summary: str


def build_mx_rows(seen: Observation) -> tuple[tuple[MxRow, ...], int]:
    """The rows, and how many were left out because there are too many."""
    reverses = {endpoint.address: endpoint.reverse for endpoint in seen.endpoints}
    ttls = _address_ttls(seen)
    rows = []
    for record in seen.mx.records:
        private = dict(record.not_public)
        addresses: tuple[str, ...] = (*record.ipv4, *record.ipv6) or ("",)
        for address in addresses:
            if not address:
                note = _no_address(record)
            elif address in private:
                note = f"not dialled: {private[address]}"
            else:
                note = _alias(record)
            rows.append(
                MxRow(
                    preference="implicit" if seen.mx.implicit_mx else str(record.preference),
                    target=visible(record.target),
                    ttl=_ttl(record.ttl) if record.ttl else "",
                    address=visible(address),
                    address_ttl=_ttl(ttls[address]) if address in ttls else "",
                    reverse=reverse_dns_text(reverses[address]) if address in reverses else "",
                    note=visible(note),
                )
            )
    return tuple(rows[:_MAX_ROWS]), max(len(rows) - _MAX_ROWS, 0)


def _no_address(record: MxTarget) -> str:
    if record.literal:
        return f"an IP address ({record.literal}) where a name has to be"
    if record.alias_problem:
        return f"{_alias(record)} ({record.alias_problem})"
    statuses = {status for status in (record.ipv4_status, record.ipv6_status) if status is not None}
    failed = [str(status) for status in statuses if not status.known]
    if failed:
        return f"lookup failed ({', '.join(sorted(failed))})"
    return "the name does not exist" if DnsStatus.NXDOMAIN in statuses else "no address"


def _alias(record: MxTarget) -> str:
    return f"alias → {' → '.join(record.aliases[:5])}" if record.aliases else ""


def _address_ttls(seen: Observation) -> dict[str, int]:
    """TTLs by address, read off the answers (`name ttl IN A address`)."""
    ttls = {}
    for answer in seen.dns:
        for record in answer.records if answer.rdtype in ("A", "AAAA") else ():
            match record.split():
                case [_, ttl, "IN", "A" | "AAAA", address] if ttl.isascii() and ttl.isdigit():
                    ttls[address] = int(ttl)
    return ttls


def _ttl(seconds: int) -> str:
    """`1 h 30 min`: as people set them."""
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if number := seconds // length:
            parts.append(f"{number} {unit}")
            seconds %= length
    return " ".join(parts[:2]) or "0 s"


def build_coverage_rows(seen: Observation) -> tuple[CoverageRow, ...]:
    """IPv4 and IPv6: how many endpoints are published, and how many answered."""
    settings = seen.settings
    asked = not seen.endpoints or any(map(is_probed, seen.endpoints))
    pairs = (("IPv4", settings.ipv4, seen.coverage.ipv4), ("IPv6", settings.ipv6, seen.coverage.ipv6))
    return tuple(CoverageRow(family=family, summary=_covered(on, asked, row)) for family, on, row in pairs)


def _covered(on: bool, asked: bool, row: FamilyCoverage) -> str:
    if not on:
        return "left out"
    if not row.published:
        return "no address to try"
    if not asked:
        return f"{row.published} published, none probed"
    told = f"{row.connected} of {row.published} accepted a connection"
    return told + (f", {row.untestable} not testable from here" if row.untestable else "")
