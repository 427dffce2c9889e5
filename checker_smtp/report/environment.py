"""How templates become pages: jinja2 escapes each value, a missing one is an error, and what stood out of
sight in a text is made visible.

Pages of other packages are rendered alike: their templates may include the style sheet of the report and
use its filters.
"""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from .timeline import format_seconds
from .visible import visible

__all__ = ["build_environment"]


def build_environment(package: str) -> Environment:
    """A new environment with the templates in `package`, and behind them those of the report."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("checker_smtp.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # they are installed, and stay as they are
        auto_reload=False,
    )
    made.filters.update(
        breakable=_breakable, code=_code, seconds=format_seconds, visible=visible, words=_words
    )
    return made


def _finalized(value: object) -> object:
    """Once more, for a text that reached a template past the story; what is visible already stays so."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> Markup:
    """Prose with what stands in backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(visible(text))
    told = [
        Markup("<code>{}</code>").format(visible(p)) if n % 2 else escape(visible(p))
        for n, p in enumerate(parts)
    ]
    return Markup("").join(told)


def _words(command: str) -> Markup:
    """A command that breaks between its words, never behind the hyphens of an option."""
    return Markup(" ").join(Markup("<span>{}</span>").format(visible(word)) for word in command.split(" "))


def _breakable(text: str) -> Markup:
    """A long name or address with places where a narrow screen may break it."""
    escaped = escape(visible(text))
    for char in (".", "@", "/"):
        escaped = escaped.replace(char, Markup("{}<wbr>").format(char))
    return escaped
