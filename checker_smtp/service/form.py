"""What was typed into the form of the page: read, judged, and kept to be shown again.

A field that is not in a request is as usual, so `domain=example.com` alone asks for a whole check. A box that
is not ticked is not sent by browsers; so each has a hidden field of the same name before it, which says
`false`, and of several values the last one counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from checker_smtp.probes.options import OptionError, Options

from .definition import OPTIONS

__all__ = ["Form", "check_query", "default_fields", "parse_fields", "parse_options"]

_MAX_SHOWN = 300  # characters: more than any value that could be right
_MAX_FIELDS = 100
_SWITCHED = {"true": True, "on": True, "false": False, "off": False}
_KINDS = {option.name: option.kind for option in OPTIONS}
# stands for the domain where none is known, or a wrong one
_SOME_DOMAIN = "example.com"

_Make = Callable[[Mapping[str, object]], Options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was `given` to each field, what is `usual` there, and what is wrong, all by the option's name.

    `message` is what is wrong with no field in particular.
    """

    usual: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The text in each field."""
        return {name: self.given.get(name, text)[:_MAX_SHOWN] for name, text in self.usual.items()}

    @property
    def changed(self) -> list[str]:
        """The fields, that of the domain aside, that are not as usual."""
        return [n for n, text in self.values.items() if n != "domain" and text != self.usual[n]]


def default_fields(make: _Make) -> dict[str, str]:
    """The text in each field where nothing was given; `make` makes options of named values."""
    return _texts(make({"domain": _SOME_DOMAIN})) | {"domain": ""}


def parse_fields(text: str) -> dict[str, str]:
    """The fields in a query or in an urlencoded body; unknown ones are passed over."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        # no form of ours has so many fields
        return {}
    # a space at either end is a slip of the hand; a line break there is not
    return {name: value.strip(" ") for name, value in pairs if name in _KINDS}


def parse_options(given: Mapping[str, str], make: _Make) -> Options | dict[str, str]:
    """The options that were given, or what is wrong with each field that has something wrong with it.

    `make` raises `OptionError` for the first value that is wrong.
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
            made = make(values)
        except OptionError as error:
            # the next one shows up once this one is out of the way
            errors[error.option] = str(error)
            values.pop(error.option, None)
            if error.option == "domain":
                values["domain"] = _SOME_DOMAIN
        else:
            return {name: errors[name] for name in _KINDS if name in errors} or made


def check_query(options: Options, usual: Mapping[str, str]) -> str:
    """The query of the link that repeats a check: the domain, and whatever is not as usual."""
    return urlencode({name: text for name, text in _texts(options).items() if text != usual[name]})


def _value(name: str, text: str) -> object:
    """A field's text as the value that a program would have given. Raises `OptionError`."""
    if _KINDS[name] == "bool":
        if text in _SWITCHED:
            return _SWITCHED[text]
        raise OptionError(name, f"{name} is {text[:20]!r}: give true or false")
    if _KINDS[name] == "number" and text:
        try:
            return float(text)
        except ValueError:
            raise OptionError(name, f"{text[:20]!r} is no number: give seconds, such as 12") from None
    return text


def _texts(options: Options) -> dict[str, str]:
    return {name: _text(getattr(options, name)) for name in _KINDS}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
