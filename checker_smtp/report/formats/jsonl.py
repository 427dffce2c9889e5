"""The JSON document on one line: several domains are several lines."""

from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump_line
from checker_smtp.report.terminal import Terminal

__all__ = ["render_jsonl"]


def render_jsonl(result: Result, _: Terminal | None = None) -> str:
    """Return the document as one line."""
    return dump_line(result).decode() + "\n"
