"""The part of a check that the chosen rules need.

A host may switch rules off; only what the other rules read is then looked up and asked for. A transaction is
left out with its rule just as with its option.
"""

from dataclasses import dataclass, replace

from .observation import Session
from .options import Options
from .rules import Input, inputs_of, rule_of

__all__ = ["NOT_HELD", "Requirements"]

NOT_HELD = Session(purpose="not-held")
"""The session of an endpoint that no chosen rule needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """The names of the chosen rules, sorted (None for all), and the parts of a check that they need.

    `sessions` are sessions with the endpoints, `starttls` is TLS in them, `reverse` PTR lookups.
    """

    rules: tuple[str, ...] | None = None
    sessions: bool = True
    starttls: bool = True
    reverse: bool = True

    @classmethod
    def of(cls, rules: frozenset[str] | None) -> "Requirements":
        """Return the requirements of these rules, None being all of them."""
        if rules is None:
            return cls()
        needs = inputs_of(rules)
        return cls(
            rules=tuple(sorted(rules)),
            sessions=Input.SESSION in needs,
            starttls=Input.TLS in needs,
            reverse=Input.REVERSE_DNS in needs,
        )

    def restrict(self, options: Options) -> Options:
        """Return the options without the transactions that no chosen rule reads."""
        if self.rules is None:
            return options
        switches = {rule.option for rule in map(rule_of, self.rules) if rule is not None}
        return replace(
            options,
            test_null_sender=options.test_null_sender and "test_null_sender" in switches,
            test_postmaster=options.test_postmaster and "test_postmaster" in switches,
            test_open_relay=options.test_open_relay and "test_open_relay" in switches,
        )
