"""The provider of an MX host: its registered domain, by the public suffix list that the library ships.

Only the list's ICANN section counts. Its other section has suffixes under which companies let customers
register names (`eu-west-1.amazonaws.com`); the servers are still the company's, and its limit must not apply
to each name separately. The list is never downloaded: it is that of the installed `publicsuffixlist`, which
has a new release whenever the list changes.
"""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

__all__ = ["provider_of"]


@lru_cache(maxsize=1 << 14)
def provider_of(mx_host: str) -> str:
    """Return `google.com` for `aspmx.l.google.com`: lower case, no final dot, labels as given.

    A name without a registered domain (an address, a single label, a public suffix) is its own provider.
    """
    host = mx_host.lower().removesuffix(".")
    # no top-level domain is a number (RFC 3696 §2)
    if ":" in host or host.rpartition(".")[2].strip("]").isdigit():
        return host
    return _suffixes().privatesuffix(host) or host


@cache
def _suffixes() -> PublicSuffixList:
    # on first use: reading the list takes longer than the rest of the command line's start
    return PublicSuffixList(only_icann=True)
