"""The registered domain of a host, by the public suffix list that the library ships.

Only the list's ICANN section counts. Its other section has suffixes under which companies let customers
register names (`eu-west-1.amazonaws.com`); the servers are still the company's. The list is never downloaded:
it is that of the installed `publicsuffixlist`, which has a new release whenever the list changes.
"""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

__all__ = ["has_public_suffix", "provider_of", "registered_domain"]


@lru_cache(maxsize=1 << 14)
def registered_domain(host: str) -> str:
    """Return `google.com` for `aspmx.l.google.com`: lower case, no final dot, labels as given.

    Return an empty string for a host without one: an address, a single label, a public suffix.
    """
    host = host.lower().removesuffix(".")
    # no top-level domain is a number (RFC 3696 §2)
    if ":" in host or host.rpartition(".")[2].strip("]").isdigit():
        return ""
    return _suffixes().privatesuffix(host) or ""


def provider_of(mx_host: str) -> str:
    """Return the key of the operator of an MX host: its registered domain, or the name itself without one.

    A limit for an operator must not apply to each name of its servers separately.
    """
    return registered_domain(mx_host) or mx_host.lower().removesuffix(".")


def has_public_suffix(name: str) -> bool:
    """Return whether `name` ends in a top-level domain that exists on the Internet."""
    return _suffixes().publicsuffix(name, accept_unknown=False) is not None


@cache
def _suffixes() -> "PublicSuffixList":
    # on first use: reading the list takes longer than the rest of the command line's start
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=True)
