"""The definition of this checker for the host: its rules, options, kind of service, and interval.

The group of an option says who sets it in the host. The administrator of the host knows the name of the
machine that checks, and owns the mailbox of the relay test (`adminOpts`). The user chooses the timeout and
the tests (`userOpts`). The host fills in the domain and its records for each run.
"""

from dataclasses import dataclass, fields
from types import MappingProxyType

import checker_smtp
from checker_smtp.probes.options import Options
from checker_smtp.probes.rules import RULES

from .static_mx import SERVICE_TYPE

__all__ = ["KEY", "OPTIONS", "Option", "definition"]

KEY = "smtp"
"""The id of the checker, and the key of its observations."""

_SECOND = 10**9  # the host counts in nanoseconds
_DEFAULTS = MappingProxyType({field.name: field.default for field in fields(Options)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option; `kind` is its JSON type in the host's words, `fill` the value that the host fills in."""

    name: str
    kind: str
    group: str
    label: str
    description: str
    placeholder: str = ""
    fill: str = ""

    @property
    def default(self) -> object:
        """Return the default, None for an option that the host fills in."""
        return None if self.fill else _DEFAULTS[self.name]

    def as_field(self) -> dict[str, object]:
        """Return the option as the protocol's object, without its empty fields."""
        field = {
            "id": self.name,
            "type": self.kind,
            "label": self.label,
            "placeholder": self.placeholder,
            "default": self.default,
            "required": self.name == "domain",
            "hide": self.name == "service",
            "description": self.description,
            "autoFill": self.fill,
        }
        # `false` is a default, empty text is none
        return {k: v for k, v in field.items() if v or (k == "default" and v is not None)}


OPTIONS: tuple[Option, ...] = (
    Option(
        name="domain",
        kind="string",
        group="runOpts",
        label="Domain",
        description="The domain whose inbound mail service is checked.",
        placeholder="example.com",
        fill="domain_name",
    ),
    Option(
        name="timeout",
        kind="number",
        group="userOpts",
        label="Timeout (seconds)",
        description="The longest silence to wait for at any one step; one server gets five times that.",
        placeholder="12",
    ),
    Option(
        name="helo_name",
        kind="string",
        group="adminOpts",
        label="HELO name",
        description="The host name this checker introduces itself with; it should resolve to the checker's "
        "address, and that address back to it.",
        placeholder="mx-checker.example.com",
    ),
    Option(
        name="test_null_sender",
        kind="bool",
        group="userOpts",
        label="Test the null sender",
        description="Ask whether bounces, whose sender is empty, are taken. Nothing is sent.",
    ),
    Option(
        name="test_postmaster",
        kind="bool",
        group="userOpts",
        label="Test postmaster",
        description="Ask whether mail for postmaster is taken. Nothing is sent.",
    ),
    Option(
        name="test_open_relay",
        kind="bool",
        group="userOpts",
        label="Test for an open relay",
        description="Ask whether mail from outside for another domain is taken. Nothing is sent.",
    ),
    Option(
        name="test_probe_address",
        kind="string",
        group="adminOpts",
        label="Address for the relay test",
        description="A mailbox at a domain that none of the tested servers serves, best one of your own.",
        placeholder="postmaster@example.com",
    ),
)
"""The options of a check that a request may contain."""

_SERVICE = Option(
    name="service",
    kind="string",
    group="serviceOpts",
    label="MX records",
    description="The records as edited, checked in place of the published ones.",
    fill="service",
)
_GROUPS = ("adminOpts", "userOpts", "domainOpts", "serviceOpts", "runOpts")


def definition() -> dict[str, object]:
    """Return the protocol's `CheckerDefinition`."""
    groups = {
        group: [option.as_field() for option in (*OPTIONS, _SERVICE) if option.group == group]
        for group in _GROUPS
    }
    return {
        "id": KEY,
        "name": "SMTP (inbound mail)",
        "version": checker_smtp.__version__,
        "availability": {"applyToService": True, "limitToServices": [SERVICE_TYPE]},
        "options": {group: options for group, options in groups.items() if options},
        "rules": [{"name": rule.name, "description": rule.description} for rule in RULES.values()],
        "interval": {
            "min": 5 * 60 * _SECOND,
            "max": 7 * 24 * 3600 * _SECOND,
            "default": 24 * 3600 * _SECOND,
        },
        "has_html_report": True,
        "has_metrics": True,
        "observationKeys": [KEY],
    }
