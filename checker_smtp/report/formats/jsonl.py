"""The JSON document on one line: several domains are several lines."""

from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump
from checker_smtp.report.terminal import Terminal

__all__ = ["render_jsonl"]


def render_jsonl(result: Result, _: Terminal | None = None) -> str:
    """Return the document as one line."""
    return dump(result, indent=None)
