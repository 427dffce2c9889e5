"""The provider of an MX host: its registered domain.

A company's limit must not apply to each name of its servers separately, so the suffixes under which companies
let customers register names do not count (`probes.registered_domain`).
"""

from checker_smtp.probes.registered_domain import registered_domain

__all__ = ["provider_of"]


def provider_of(mx_host: str) -> str:
    """Return `google.com` for `aspmx.l.google.com`: lower case, no final dot, labels as given.

    A name without a registered domain (an address, a single label, a public suffix) is its own provider.
    """
    return registered_domain(mx_host) or mx_host.lower().removesuffix(".")
