"""The report of a command on one check: its format, its destination, and its exit code."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from checker_smtp.report.formats import FORMATS, render

from .configured import current_configuration
from .output import Output, output_option

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["report_options", "write_report"]

_F = TypeVar("_F", bound=Callable[..., Any])

_EXIT_CODES = {"ok": 0, "info": 0, "warning": 1, "critical": 2, "unknown": 3}


def report_options(command: _F) -> _F:
    """Add the options `--format` and `--output`, the arguments of `write_report`."""
    form = click.option(
        "--format",
        "form",
        # the default first
        type=click.Choice(sorted(FORMATS, key=lambda name: name != "text")),
        default="text",
        show_default=True,
        help="text and html are for people, json for programs, the others for monitoring systems.",
    )
    return form(output_option("Write the report to FILE, completely or not at all.")(command))


def write_report(result: "Result", form: str, output: Output) -> int:
    """Write the report on `result` in the format `form`, and return the exit code.

    Both follow the severities of the configuration; `result` has those of the rules.
    """
    if (configuration := current_configuration()) is not None:
        from checker_smtp.probes.policy import with_severities

        result = with_severities(result, configuration.policy.severities)
    output.write(render(result, form, output.terminal))
    return _EXIT_CODES[result.status]
