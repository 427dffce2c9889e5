"""Which part of the work the rules need that are to judge.

A host may switch rules off; what only they would look at is then not asked for. A transaction is left out
with its rule as it is with its option, so that both mean the same.
"""

from dataclasses import dataclass, replace

from .observation import Session
from .options import Options

__all__ = ["NOT_HELD", "Scope"]

NOT_HELD = Session(purpose="not-held")
"""Stands for the session of an endpoint that was not to be visited."""

_NO_VISIT = frozenset({"smtp.null_mx", "smtp.mx_present", "smtp.mx_sanity", "smtp.reverse_dns"})
_WITHOUT_TLS = _NO_VISIT | {
    "smtp.endpoint_reachable",
    "smtp.banner_sanity",
    "smtp.ehlo_supported",
    "smtp.starttls_offered",
    "smtp.auth_posture",
    "smtp.ipv6_reachable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whether to visit the endpoints, to try STARTTLS there, and to ask for their names.

    `rules` are the names of those that judge; None where all do.
    """

    rules: tuple[str, ...] | None = None
    visit: bool = True
    starttls: bool = True
    reverse: bool = True

    @classmethod
    def of(cls, rules: frozenset[str] | None) -> "Scope":
        """What these rules need, None being all of them."""
        if rules is None:
            return cls()
        return cls(
            rules=tuple(sorted(rules)),
            visit=bool(rules - _NO_VISIT),
            starttls=bool(rules - _WITHOUT_TLS),
            reverse="smtp.reverse_dns" in rules,
        )

    def narrowed(self, options: Options) -> Options:
        """The options without the transactions that no rule will look at."""
        if self.rules is None:
            return options
        return replace(
            options,
            test_null_sender=options.test_null_sender and "smtp.null_sender" in self.rules,
            test_postmaster=options.test_postmaster and "smtp.postmaster" in self.rules,
            test_open_relay=options.test_open_relay and "smtp.open_relay" in self.rules,
        )
