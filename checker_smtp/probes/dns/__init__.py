"""DNS: from a domain to its MX targets, their addresses, and the names of those addresses.

`lookups` asks, `records` parses answers, `resolve` combines both. Nothing here decides whether an answer is
good or bad; that is for the rules.
"""

from .lookups import LookupCache, Lookups, ResolverError
from .records import parse_addresses, parse_literal, parse_mx
from .resolve import resolve_mx, resolve_reverse_dns

__all__ = [
    "LookupCache",
    "Lookups",
    "ResolverError",
    "parse_addresses",
    "parse_literal",
    "parse_mx",
    "resolve_mx",
    "resolve_reverse_dns",
]
