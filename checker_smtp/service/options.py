"""The options of a check that a request may contain, from the host or from the form of the page.

The group of an option says who sets it in the host. The administrator of the host knows the name of the
machine that checks, and owns the mailbox of the relay test (`adminOpts`). The user chooses the timeout and
the tests (`userOpts`). The host fills in the domain and its records for each run.

On the page the administrator's options are the operator's, unless a token keeps strangers out: else a visitor
could ask any server about any mailbox, under any name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from types import MappingProxyType
from typing import cast

from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.rules import RULES, AnyRuleOption

from .settings import ServiceSettings

__all__ = [
    "OPTIONS",
    "RequestOption",
    "build_options",
    "default_of",
    "default_timeout",
    "page_options",
    "rule_options",
]

_FIELDS = MappingProxyType({field.name: field for field in fields(Options)})
_KINDS = {bool: ("bool", "true or false"), str: ("string", "a string"), float: ("number", "a number")}


@dataclass(frozen=True, slots=True)
class RequestOption:
    """One option, with its type and its default those of the field of `Options`, or of the `rule` option.

    `fill` is the value that the host fills in, as the host calls it.
    """

    name: str
    group: str
    label: str
    description: str
    placeholder: str = ""
    fill: str = ""
    rule: AnyRuleOption | None = None

    @property
    def type(self) -> type:
        """Return the type of the value in Python: bool, float or str."""
        if self.rule is not None:
            return type(self.rule.default)
        return cast("type", _FIELDS[self.name].type) if self.name in _FIELDS else str

    @property
    def kind(self) -> str:
        """Return the type of the value in the host's words."""
        return _KINDS[self.type][0]

    def typed(self, value: object) -> object:
        """Return `value` if it has the option's JSON type. Raises `OptionError`."""
        if self.type is float and isinstance(value, int | float) and not isinstance(value, bool):
            # bounded, because a JSON integer may be too large for a float
            return float(max(min(value, 10**9), -(10**9)))
        if self.type is not float and isinstance(value, self.type):
            return value
        raise OptionError(self.name, f"{self.name} has the wrong type: give {_KINDS[self.type][1]}")


OPTIONS = (
    RequestOption(
        "domain",
        "runOpts",
        "Domain",
        "The domain whose inbound mail service is checked.",
        placeholder="example.com",
        fill="domain_name",
    ),
    RequestOption(
        "timeout",
        "userOpts",
        "Timeout (seconds)",
        "The longest silence to wait for at any one step; one server gets five times that.",
        placeholder="12",
    ),
    RequestOption(
        "helo_name",
        "adminOpts",
        "HELO name",
        "The host name this checker introduces itself with; it should resolve to the checker's "
        "address, and that address back to it.",
        placeholder="mx-checker.example.com",
    ),
    RequestOption(
        "test_null_sender",
        "userOpts",
        "Test the null sender",
        "Ask whether bounces, whose sender is empty, are taken. Nothing is sent.",
    ),
    RequestOption(
        "test_postmaster",
        "userOpts",
        "Test postmaster",
        "Ask whether mail for postmaster is taken. Nothing is sent.",
    ),
    RequestOption(
        "test_open_relay",
        "userOpts",
        "Test for an open relay",
        "Ask whether mail from outside for another domain is taken. Nothing is sent.",
    ),
    RequestOption(
        "test_probe_address",
        "adminOpts",
        "Address for the relay test",
        "A mailbox at a domain that none of the tested servers serves, best one of your own.",
        placeholder="postmaster@example.com",
    ),
)


def rule_options() -> tuple[RequestOption, ...]:
    """Return the options of the rules, those of other packages included; a host may set them."""
    return tuple(
        RequestOption(option.name, "userOpts", option.name, option.description, rule=option)
        for rule in RULES.values()
        for option in rule.options
    )


def page_options(settings: ServiceSettings) -> tuple[RequestOption, ...]:
    """Return the options that a visitor of the page may set."""
    return tuple(option for option in OPTIONS if settings.token or option.group != "adminOpts")


def default_of(option: RequestOption, settings: ServiceSettings) -> object:
    """Return the default of an option: the operator's, or the usual one; None if the host fills it in."""
    if option.fill:
        return None
    if option.rule is not None:
        return option.rule.default
    return getattr(settings, option.name, _FIELDS[option.name].default)


def default_timeout(settings: ServiceSettings) -> float:
    """Return the timeout of a request without one: the usual default, or the maximum of this service."""
    return min(cast("float", _FIELDS["timeout"].default), settings.max_timeout)


def build_options(given: Mapping[str, object], settings: ServiceSettings) -> Options:
    """Return the options in `given`, by their names in the protocol; unknown names are ignored.

    Null means the default, and so does empty text for an option that has a default. Raises `OptionError`.
    """
    values: dict[str, object] = {
        option.name: default_of(option, settings) for option in OPTIONS if not option.fill
    }
    values["timeout"] = default_timeout(settings)
    for option in OPTIONS:
        value = given.get(option.name)
        if value is not None and (value != "" or option.fill):
            values[option.name] = option.typed(value)
    values["rule_options"] = tuple(
        f"{option.name}={option.typed(given[option.name])}"
        for option in rule_options()
        if given.get(option.name) is not None
    )
    if "domain" not in values:
        raise OptionError("domain", "domain is missing: give a host name such as example.com")
    timeout = cast("float", values["timeout"])
    if timeout > settings.max_timeout:
        raise OptionError(
            "timeout", f"timeout is {timeout:g}: give at most {settings.max_timeout:g} seconds here"
        )
    if settings.source_address is not None:
        version = ip_address(settings.source_address).version
        values |= {"ipv4": version == 4, "ipv6": version == 6}
    values |= {
        "port": settings.port,
        "allow_targets": settings.allow_targets,
        "check_budget": settings.check_budget,
    }
    return Options(**values)  # type: ignore[arg-type]
