"""Alias chains: from the name asked for to the name whose records count (RFC 1034 §3.6.2, RFC 6672)."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

__all__ = ["AliasChain", "follow_aliases"]

# Every resolver follows fewer: unbound 11, BIND 16, dnspython 16.
_MAX_ALIASES = 16


class AliasChain(NamedTuple):
    """The names behind the one asked for, and why the chain has no end: `loop`, `too-long`, or empty."""

    names: tuple[str, ...]
    problem: str = ""


def follow_aliases(
    name: str, owners: Collection[str], cnames: Mapping[str, str], dnames: Mapping[str, str]
) -> AliasChain:
    """Follow the aliases of one answer from `name` to the first name that is one of `owners`.

    `owners` have records of the type asked for; such records count although an alias stands beside them.
    `cnames` and `dnames` are target by owner. A DNAME is followed as the CNAME it stands for, sent or not.
    All names are in one notation: lower case, and all with the final dot or all without it.
    """
    passed = [name]
    while passed[-1] not in owners:
        target = cnames.get(passed[-1]) or _redirected(passed[-1], dnames)
        if not target:
            break
        passed.append(target)
        if target in passed[:-1]:
            return AliasChain(tuple(passed[1:]), "loop")
        if len(passed) > _MAX_ALIASES + 1:
            return AliasChain(tuple(passed[1:-1]), "too-long")
    return AliasChain(tuple(passed[1:]))


def _redirected(name: str, dnames: Mapping[str, str]) -> str:
    """Return the name that a DNAME above `name` leads to; empty where there is none."""
    for owner, target in dnames.items():
        if name.endswith(f".{owner}"):
            return name.removesuffix(owner) + target
    return ""
