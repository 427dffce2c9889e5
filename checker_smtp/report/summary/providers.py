"""Who runs an MX host: its registered domain, by the public suffix list that the library ships.

Only the list's ICANN section counts. Its other section has suffixes under which companies let customers make
names (`eu-west-1.amazonaws.com`); whoever runs the servers is still the company, and a budget meant for it
must not be had once per name. Nothing is fetched: the list is as old as the installed `publicsuffixlist`,
which is released anew when the list changes.
"""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

__all__ = ["provider_of"]


@lru_cache(maxsize=1 << 14)
def provider_of(mx_host: str) -> str:
    """`google.com` for `aspmx.l.google.com`: lower case, no final dot, A-labels where A-labels were given.

    A name without a registered domain (an address, a single label, a public suffix) is its own provider.
    """
    host = mx_host.lower().removesuffix(".")
    # no top-level domain is a number (RFC 3696 §2)
    if ":" in host or host.rpartition(".")[2].strip("]").isdigit():
        return host
    return _suffixes().privatesuffix(host) or host


@cache
def _suffixes() -> PublicSuffixList:
    # late: reading the list takes longer than all the rest of the command line's start
    return PublicSuffixList(only_icann=True)
