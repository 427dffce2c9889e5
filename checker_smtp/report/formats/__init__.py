"""The formats of a report: each module of this package is one, by the name that `--format` takes.

A module `NAME` has a function `render_NAME(result, terminal)` that returns text with a final newline; only
the text format reads the terminal. A format whose documents cannot stand one behind another has a function
`render_NAME_several(results, terminal)` as well, which yields the text in pieces. A module is found by its
presence, and imported on first use: JSON output does not load a template engine.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from checker_smtp.report.terminal import Terminal

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["FORMATS", "Terminal", "find_formats", "render", "render_several"]


def find_formats() -> tuple[str, ...]:
    """Return the names of the formats, in alphabetical order."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


FORMATS = find_formats()


def render(result: "Result", form: str, terminal: Terminal | None = None) -> str:
    """Return `result` in the format `form`, one of `FORMATS`."""
    module = import_module(f"{__name__}.{form}")
    text: str = getattr(module, f"render_{form}")(result, terminal or Terminal())
    return text


def render_several(results: Sequence["Result"], form: str, terminal: Terminal | None = None) -> Iterator[str]:
    """Yield the results of several domains in the format `form`, as one document where it has documents.

    The text comes in pieces, because that of all domains may be larger than memory.
    """
    module = import_module(f"{__name__}.{form}")
    several = getattr(module, f"render_{form}_several", None)
    if several is None:
        for result in results:
            yield render(result, form, terminal)
    else:
        yield from several(results, terminal or Terminal())
