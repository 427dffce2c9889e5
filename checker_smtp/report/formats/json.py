"""The report as a JSON document, which `report.document` defines."""

from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump
from checker_smtp.report.terminal import Terminal

__all__ = ["render_json"]


def render_json(result: Result, _: Terminal | None = None) -> str:
    """Return the document, indented."""
    return dump(result)
