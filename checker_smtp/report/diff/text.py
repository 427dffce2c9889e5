"""The difference between two checks as text for a terminal or a log, and as JSON."""

import json

import msgspec

from checker_smtp.report.document import VERSION
from checker_smtp.report.terminal import Terminal

from .compare import Difference
from .sections import DiffLine, DiffSection, build_headline, build_sections, describe_status

__all__ = ["dump_difference", "render_difference_text", "render_sections"]


def dump_difference(difference: Difference) -> str:
    """Return the difference as JSON in ASCII, indented, with a final newline."""
    document = {"version": VERSION, **msgspec.to_builtins(difference)}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def render_difference_text(difference: Difference, terminal: Terminal | None = None) -> str:
    """Return the difference as text, with the verdict in its first line."""
    terminal = terminal or Terminal()
    style = "crit" if difference.worse else "good"
    text = terminal.lines(
        f"{difference.domain}: {build_headline(difference)} ({describe_status(difference)})", style
    )
    text += terminal.lines(f"between {difference.old_run_at} and {difference.new_run_at}", "dim")
    return text + render_sections(difference, terminal)


def render_sections(difference: Difference, terminal: Terminal) -> str:
    """Return the sections of the difference as text, each behind an empty line."""
    return "".join(_section(section, terminal) for section in build_sections(difference))


def _section(section: DiffSection, terminal: Terminal) -> str:
    text = "\n" + terminal.lines(section.title, "bold")
    if section.hint:
        text += terminal.lines(section.hint, "dim", first="  ")
    return text + "".join(_item(item, terminal) for item in section.items)


def _item(item: DiffLine, terminal: Terminal) -> str:
    first = f"  {item.mark:1} {item.severity.upper():4}  " if item.severity else f"  {item.mark:1} "
    if not item.mark and not item.severity:
        first = "  "
    text = terminal.lines(item.text, item.severity, first=first)
    return text + "".join(terminal.lines(detail, "dim", first=" " * 10) for detail in item.details)
