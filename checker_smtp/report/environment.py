"""The jinja2 environment of all pages.

It escapes each value, raises an error for a missing value, and passes each text through `visible`. Templates
of other packages may include the style sheet of the report and use its filters.
"""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from checker_smtp.report.model.timeline import format_seconds
from checker_smtp.report.visible import visible

__all__ = ["build_environment"]

# Characters that fit a line of the narrowest screen, as in the text report.
_MAX_UNBROKEN = 30


def build_environment(package: str) -> Environment:
    """Return a new environment. Templates are found in `package`, then in the report's own."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("checker_smtp.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # installed templates do not change
        auto_reload=False,
    )
    environment.filters.update(
        breakable=_breakable, code=_code, seconds=format_seconds, visible=visible, words=_words
    )
    return environment


def _finalized(value: object) -> object:
    """Make a text visible that did not come from the view model. Visible text does not change."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> Markup:
    """Return prose with the parts in backticks as code elements."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(visible(text))
    pieces = [
        Markup("<code>{}</code>").format(_inline(p)) if n % 2 else escape(visible(p))
        for n, p in enumerate(parts)
    ]
    return Markup("").join(pieces)


def _inline(code: str) -> Markup:
    """Return code in prose: short code is on one line."""
    is_short = len(code) <= _MAX_UNBROKEN
    return Markup("<span>{}</span>").format(visible(code)) if is_short and " " in code else _words(code)


def _words(command: str) -> Markup:
    """Return a command that wraps between its words, never after the hyphens of an option."""
    words = map(visible, command.split(" "))
    return Markup(" ").join(Markup("<span>{}</span>").format(w) if "-" in w else escape(w) for w in words)


def _breakable(text: str) -> Markup:
    """Return a long name or address with points where a narrow screen may wrap it."""
    escaped = escape(visible(text))
    for char in (".", "@", "/"):
        escaped = escaped.replace(char, Markup("{}<wbr>").format(char))
    return escaped
