"""The form of the page: parse its fields, validate them, and show them again.

A field that is missing from a request has its default, so `domain=example.com` alone requests a whole check.
Browsers do not send a checkbox that is off. So a hidden field of the same name with the value `false`
precedes each checkbox, and of several values the last one counts.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.service.options import OPTIONS

__all__ = [
    "Form",
    "MakeOptions",
    "check_query",
    "default_fields",
    "form_query",
    "parse_fields",
    "parse_options",
]

_MAX_SHOWN = 300  # characters: more than any valid value
_MAX_FIELDS = 100
_BOOLEANS = {"true": True, "on": True, "false": False, "off": False}
_KINDS = {option.name: option.kind for option in OPTIONS}
# replaces a missing or invalid domain, so that the other fields can be validated
_EXAMPLE_DOMAIN = "example.com"

MakeOptions: TypeAlias = Callable[[Mapping[str, object]], Options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The text `given` for each field, its default, and its error, all by the option's name.

    `message` is an error that belongs to no field.
    """

    defaults: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def values(self) -> dict[str, str]:
        """Return the text in each field."""
        return {name: self.given.get(name, text)[:_MAX_SHOWN] for name, text in self.defaults.items()}

    @property
    def changed(self) -> list[str]:
        """Return the names of the fields that differ from their defaults, without the domain."""
        return [n for n, text in self.values.items() if n != "domain" and text != self.defaults[n]]


def default_fields(names: Iterable[str], make: MakeOptions) -> dict[str, str]:
    """Return the default text of each field in `names`; `make` builds options from named values."""
    options = make({"domain": _EXAMPLE_DOMAIN})
    return {name: "" if name == "domain" else _field_text(getattr(options, name)) for name in names}


def parse_fields(text: str, names: Container[str]) -> dict[str, str]:
    """Parse the fields `names` in a query or in a URL-encoded body; other ones are ignored."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        # the form of the page has far fewer fields
        return {}
    # a space at either end is a typing error; a line break is not, and is reported as an error
    return {name: value.strip(" ") for name, value in pairs if name in names}


def parse_options(given: Mapping[str, str], make: MakeOptions) -> Options | dict[str, str]:
    """Return the options in `given`, or the error of each invalid field.

    `make` builds options from named values and raises `OptionError` for the first invalid one.
    """
    errors: dict[str, str] = {}
    values: dict[str, object] = {}
    for name, text in given.items():
        try:
            values[name] = _value(name, text)
        except OptionError as error:
            errors[name] = str(error)
    while True:
        try:
            options = make(values)
        except OptionError as error:
            # without this value, `make` reports the next error
            errors[error.option] = str(error)
            values.pop(error.option, None)
            if error.option == "domain":
                values["domain"] = _EXAMPLE_DOMAIN
        else:
            return {name: errors[name] for name in _KINDS if name in errors} or options


def form_query(given: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """Return the query of the form as it was filled in: the fields with other values than the default."""
    return urlencode({name: text for name, text in given.items() if text != defaults[name]})


def check_query(seen: Observation, defaults: Mapping[str, str]) -> str:
    """Return the query of the form for another check: the domain, and the fields with other values."""
    settings = seen.settings
    given = {"domain": seen.domain, "test_probe_address": settings.probe_address}
    texts = {name: given.get(name) or _field_text(getattr(settings, name)) for name in defaults}
    return urlencode({name: text for name, text in texts.items() if text != defaults[name]})


def _value(name: str, text: str) -> object:
    """Convert the text of a field to the option's JSON type. Raises `OptionError`."""
    if _KINDS[name] == "bool":
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        raise OptionError(name, f"{name} is {text[:20]!r}: give true or false")
    if _KINDS[name] == "number" and text:
        try:
            return float(text)
        except ValueError:
            raise OptionError(name, f"{text[:20]!r} is not a number: give seconds, for example 12") from None
    return text


def _field_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
