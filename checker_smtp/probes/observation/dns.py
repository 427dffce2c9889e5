"""The facts of the DNS about a domain's mail hosts."""

from dataclasses import dataclass

from checker_smtp.probes.ports import DnsStatus

__all__ = ["GIVEN_WITH_REQUEST", "Mx", "MxTarget", "ReverseDns"]

GIVEN_WITH_REQUEST = "given with the request, not asked for in the DNS"
"""The detail of an MX answer that the caller supplied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseDns:
    """PTR of an address: the names, those that resolve back to it (`confirmed_by`), and those that
    could not be resolved (`unsettled`).

    `names` holds the first ten; `total` counts all.
    """

    status: DnsStatus
    names: tuple[str, ...] = ()
    total: int = 0
    confirmed_by: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTarget:
    """One MX target (or the domain itself as its implicit MX) with its addresses.

    `literal` is the IP address that the target spells instead of a name; then nothing was resolved and
    `ipv4_status` and `ipv6_status` are None. `aliases` is the CNAME chain after the target; `alias_problem`
    is `dangling`, `loop` or `too-long` where it ends without an address, `has_alias_beside` is True for an
    alias beside the target's own addresses. `not_public` has the addresses that must not be contacted, each
    with the reason; `translated` the IPv6 addresses that DNS64 on this side made, each with the IPv4 address
    inside. `omitted` counts addresses beyond the limit. `bogus` is True where a lookup fails only while
    DNSSEC signatures are checked.
    """

    preference: int
    target: str
    ttl: int = 0
    literal: str = ""
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    ipv4_status: DnsStatus | None = None
    ipv6_status: DnsStatus | None = None
    aliases: tuple[str, ...] = ()
    alias_problem: str = ""
    not_public: tuple[tuple[str, str], ...] = ()
    translated: tuple[tuple[str, str], ...] = ()
    has_alias_beside: bool = False
    omitted: int = 0
    bogus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mx:
    """The domain's MX set. `error` is set where the lookup failed other than by NXDOMAIN.

    `address_status` has the status of the domain's own A and AAAA, resolved only where it has no MX; where
    the domain does not exist, of A only. `aliases` is the chain of aliases behind the domain itself,
    `has_alias_beside` is True for an alias beside its own MX records. `omitted` counts MX records beyond the
    limit. `bogus` is True where a lookup fails only while DNSSEC signatures are checked.
    """

    status: DnsStatus
    records: tuple[MxTarget, ...] = ()
    error: str = ""
    null_mx: bool = False
    null_preferences: tuple[int, ...] = ()
    implicit_mx: bool = False
    address_status: tuple[DnsStatus, ...] = ()
    aliases: tuple[str, ...] = ()
    has_alias_beside: bool = False
    omitted: int = 0
    bogus: bool = False
