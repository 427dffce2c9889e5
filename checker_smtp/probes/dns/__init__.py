"""DNS: from a domain to its MX targets, their addresses, and the names of those addresses.

`lookups` asks, `records` parses answers, `resolve` combines both. Nothing here decides whether an answer is
good or bad; that is for the rules.
"""

from .lookups import LookupCache, Lookups
from .records import parse_addresses, parse_literal, parse_mx, parse_records
from .resolve import MAX_TARGETS, resolve_mx
from .reverse import MAX_PTR_NAMES, resolve_reverse_dns
from .soundness import DUAL_STACK_HOSTS, ResolverError, Soundness, is_control, require_sound

__all__ = [
    "DUAL_STACK_HOSTS",
    "MAX_PTR_NAMES",
    "MAX_TARGETS",
    "LookupCache",
    "Lookups",
    "ResolverError",
    "Soundness",
    "is_control",
    "parse_addresses",
    "parse_literal",
    "parse_mx",
    "parse_records",
    "require_sound",
    "resolve_mx",
    "resolve_reverse_dns",
]
