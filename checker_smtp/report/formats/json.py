"""The report as a JSON document, which `report.document` defines."""

from collections.abc import Iterator, Sequence

from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump
from checker_smtp.report.terminal import Terminal

__all__ = ["render_json", "render_json_several"]


def render_json(result: Result, _: Terminal | None = None) -> str:
    """Return the document, indented."""
    return dump(result)


def render_json_several(results: Sequence[Result], _: Terminal | None = None) -> Iterator[str]:
    """Yield an array of the documents."""
    for number, result in enumerate(results):
        yield (",\n" if number else "[\n") + dump(result).rstrip("\n")
    yield "\n]\n"
