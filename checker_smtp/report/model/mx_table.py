"""The MX table: the targets that receive the mail of the domain, their addresses and PTR names."""

from dataclasses import dataclass

from checker_smtp.probes.dns import parse_records
from checker_smtp.probes.observation import FamilyCoverage, MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.report.visible import visible

from .endpoints import reverse_dns_text
from .metrics import is_probed

__all__ = ["MxRow", "build_mx_rows", "describe_coverage"]

_MAX_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRow:
    """One address of a target; for a target without one, `address` is empty and `note` has the reason."""

    preference: str
    target: str
    ttl: str
    address: str
    address_ttl: str
    reverse: str
    note: str


def build_mx_rows(observation: Observation) -> tuple[tuple[MxRow, ...], int]:
    """Return at most `_MAX_ROWS` rows, and the number of rows left out."""
    reverses = {endpoint.address: endpoint.reverse for endpoint in observation.endpoints}
    ttls = _address_ttls(observation)
    rows = []
    for record in observation.mx.records:
        private = dict(record.not_public)
        addresses: tuple[str, ...] = (*record.ipv4, *record.ipv6) or ("",)
        for address in addresses:
            if not address:
                note = _no_address(record)
            elif address in private:
                note = f"not contacted: {private[address]}"
            else:
                note = _alias(record)
            rows.append(
                MxRow(
                    preference="implicit" if observation.mx.implicit_mx else str(record.preference),
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
        return f"an IP address ({record.literal}) instead of a name"
    if record.alias_problem:
        return f"{_alias(record)} ({record.alias_problem})"
    statuses = {status for status in (record.ipv4_status, record.ipv6_status) if status is not None}
    failed = [str(status) for status in statuses if not status.known]
    if failed:
        return f"lookup failed ({', '.join(sorted(failed))})"
    return "the name does not exist" if DnsStatus.NXDOMAIN in statuses else "no address"


def _alias(record: MxTarget) -> str:
    return f"alias → {' → '.join(record.aliases[:5])}" if record.aliases else ""


def _address_ttls(observation: Observation) -> dict[str, int]:
    """Return the TTL of each address in the answers."""
    answers = (answer for answer in observation.dns if answer.rdtype in ("A", "AAAA"))
    return {address: ttl for answer in answers for ttl, address in parse_records(answer)}


def _ttl(seconds: int) -> str:
    """Return a TTL in its two largest units, as in `1 h 30 min`."""
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if number := seconds // length:
            parts.append(f"{number} {unit}")
            seconds %= length
    return " ".join(parts[:2]) or "0 s"


def describe_coverage(observation: Observation) -> list[tuple[str, str]]:
    """Return IPv4 and IPv6, each with the number of endpoints published and of those that replied."""
    settings, coverage = observation.settings, observation.coverage
    any_probed = not observation.endpoints or any(map(is_probed, observation.endpoints))
    return [
        ("IPv4", _describe_family(settings.ipv4, any_probed, coverage.ipv4)),
        ("IPv6", _describe_family(settings.ipv6, any_probed, coverage.ipv6)),
    ]


def _describe_family(enabled: bool, any_probed: bool, row: FamilyCoverage) -> str:
    if not enabled:
        return "not tested, by option"
    if not row.published:
        return "no address published"
    if not any_probed:
        return f"{row.published} published, none probed"
    connected = f"{row.connected} of {row.published} accepted a connection"
    return connected + (f", {row.untestable} not testable from here" if row.untestable else "")
