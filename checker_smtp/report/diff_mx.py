"""What became of the MX records and of the addresses behind them."""

from collections.abc import Iterator
from dataclasses import dataclass

from checker_smtp.probes.observation import MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus

__all__ = ["AddressChange", "MxChange", "compare_addresses", "compare_mx"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MxChange:
    """A target's preferences; `old` is empty for a new target, `new` for one that is gone."""

    target: str
    old: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """Addresses that a target lost or gained."""

    target: str
    lost: tuple[str, ...]
    gained: tuple[str, ...]


def compare_mx(was: Observation, now: Observation) -> tuple[MxChange, ...]:
    """By target; nothing where either lookup failed, because then nothing is known to have changed."""
    if not (was.mx.status.known and now.mx.status.known):
        return ()
    old, new = _preferences(was), _preferences(now)
    return tuple(
        MxChange(target=target, old=old.get(target, ()), new=new.get(target, ()))
        for target in dict.fromkeys((*old, *new))
        if old.get(target) != new.get(target)
    )


def compare_addresses(was: Observation, now: Observation) -> tuple[AddressChange, ...]:
    """By target, of the address families that were looked up both times."""
    if not (was.mx.status.known and now.mx.status.known):
        return ()
    return tuple(_changes(was, now))


def _changes(was: Observation, now: Observation) -> Iterator[AddressChange]:
    old, new = ({record.target: record for record in seen.mx.records} for seen in (was, now))
    for target in dict.fromkeys((*old, *new)):
        before: set[str] = set()
        after: set[str] = set()
        for family in (4, 6):
            one, other = _addresses(was, old.get(target), family), _addresses(now, new.get(target), family)
            if one is not None and other is not None:
                before |= one
                after |= other
        if before != after:
            yield AddressChange(
                target=target, lost=tuple(sorted(before - after)), gained=tuple(sorted(after - before))
            )


def _preferences(seen: Observation) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for record in seen.mx.records:
        found[record.target] = tuple(sorted((*found.get(record.target, ()), record.preference)))
    return found


def _addresses(seen: Observation, record: MxTarget | None, family: int) -> set[str] | None:
    """None where they were not asked for, or the answer was none."""
    if not (seen.settings.ipv4 if family == 4 else seen.settings.ipv6):
        return None
    if record is None:
        return set()
    status: DnsStatus | None = record.ipv4_status if family == 4 else record.ipv6_status
    if status is not None and not status.known:
        return None
    return set(record.ipv4 if family == 4 else record.ipv6)
