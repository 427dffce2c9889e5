"""The report as a JSON document, which `report.document` defines."""

from collections.abc import Sequence

from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump
from checker_smtp.report.terminal import Terminal

__all__ = ["render_json", "render_json_several"]


def render_json(result: Result, _: Terminal | None = None) -> str:
    """Return the document, indented."""
    return dump(result)


def render_json_several(results: Sequence[Result], _: Terminal | None = None) -> str:
    """Return an array of the documents."""
    return "[\n" + ",\n".join(dump(result).rstrip("\n") for result in results) + "\n]\n"
