"""The difference in the MX records and in the addresses of their targets."""

from collections.abc import Iterator
from dataclasses import dataclass

from checker_smtp.probes.observation import MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus

__all__ = ["AddressChange", "MxChange", "compare_addresses", "compare_mx"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MxChange:
    """The preferences of a target; `old` is empty for a new target, `new` for a removed one."""

    target: str
    old: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """The addresses that a target lost and gained."""

    target: str
    lost: tuple[str, ...]
    gained: tuple[str, ...]


def compare_mx(before: Observation, after: Observation) -> tuple[MxChange, ...]:
    """Return the changes by target; none if either lookup failed, because no change is known then."""
    if not (before.mx.status.known and after.mx.status.known):
        return ()
    old, new = _preferences(before), _preferences(after)
    return tuple(
        MxChange(target=target, old=old.get(target, ()), new=new.get(target, ()))
        for target in dict.fromkeys((*old, *new))
        if old.get(target) != new.get(target)
    )


def compare_addresses(before: Observation, after: Observation) -> Iterator[AddressChange]:
    """Yield the changes by target, in the address families that both checks looked up."""
    if not (before.mx.status.known and after.mx.status.known):
        return
    old, new = ({record.target: record for record in mx.records} for mx in (before.mx, after.mx))
    for target in dict.fromkeys((*old, *new)):
        old_addresses: set[str] = set()
        new_addresses: set[str] = set()
        for family in (4, 6):
            one = _addresses(before, old.get(target), family)
            other = _addresses(after, new.get(target), family)
            if one is not None and other is not None:
                old_addresses |= one
                new_addresses |= other
        if old_addresses != new_addresses:
            yield AddressChange(
                target=target,
                lost=tuple(sorted(old_addresses - new_addresses)),
                gained=tuple(sorted(new_addresses - old_addresses)),
            )


def _preferences(observation: Observation) -> dict[str, tuple[int, ...]]:
    preferences: dict[str, tuple[int, ...]] = {}
    for record in observation.mx.records:
        known = preferences.get(record.target, ())
        preferences[record.target] = tuple(sorted((*known, record.preference)))
    return preferences


def _addresses(observation: Observation, record: MxTarget | None, family: int) -> set[str] | None:
    """Return the addresses in a family; None if they were not queried or the lookup failed."""
    if not (observation.settings.ipv4 if family == 4 else observation.settings.ipv6):
        return None
    if record is None:
        return set()
    status: DnsStatus | None = record.ipv4_status if family == 4 else record.ipv6_status
    if status is not None and not status.known:
        return None
    return set(record.ipv4 if family == 4 else record.ipv6)
