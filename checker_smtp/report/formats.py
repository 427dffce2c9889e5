"""The formats of a report, by the name that `--format` takes.

A renderer is imported on first use: JSON output does not load a template engine.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .terminal import Terminal

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["FORMATS", "Terminal", "render"]


def render(result: "Result", form: str, terminal: Terminal | None = None) -> str:
    """Return `result` in the format `form`, one of `FORMATS`. Only the text format reads `terminal`."""
    return FORMATS[form](result, terminal or Terminal())


def _text(result: "Result", terminal: Terminal) -> str:
    from .text import render_text

    return render_text(result, terminal)


def _json(result: "Result", _: Terminal) -> str:
    from .document import dump

    return dump(result)


def _html(result: "Result", _: Terminal) -> str:
    from .html import render_html

    return render_html(result)


def _nagios(result: "Result", _: Terminal) -> str:
    from .nagios import render_nagios

    return render_nagios(result)


def _prometheus(result: "Result", _: Terminal) -> str:
    from .prometheus import render_prometheus

    return render_prometheus(result)


def _junit(result: "Result", _: Terminal) -> str:
    from .junit import render_junit

    return render_junit(result)


FORMATS: dict[str, Callable[["Result", Terminal], str]] = {
    "text": _text,
    "json": _json,
    "html": _html,
    "nagios": _nagios,
    "prometheus": _prometheus,
    "junit": _junit,
}
