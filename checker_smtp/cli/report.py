"""The reports of a command: their format, their destination, and the exit code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checker_smtp.report.formats import FORMATS, render, render_several

from .arguments import CommandT
from .difference import join_reports, render_difference, status_of_change
from .output import Output
from .pages import Folder

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result
    from checker_smtp.report.diff.compare import Difference

__all__ = ["ReportTarget", "report_options", "report_target"]

_EXIT_CODES = {"ok": 0, "info": 0, "warning": 1, "critical": 2, "unknown": 3}
_BY_SUFFIX = {
    ".htm": "html",
    ".html": "html",
    ".json": "json",
    ".jsonl": "jsonl",
    ".prom": "prometheus",
    ".xml": "junit",
}


def report_options(command: CommandT) -> CommandT:
    """Add the options `--format` and `--output`, the arguments of `report_target`."""
    form = click.option(
        "--format",
        "form",
        # the default first
        type=click.Choice(sorted(FORMATS, key=lambda name: name != "text")),
        help="text and html are for people, json and jsonl for programs, the others for monitoring systems. "
        "[default: by the name of the output, else text]",
    )
    output = click.option(
        "-o",
        "--output",
        "path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write the report to FILE, completely or not at all. With html for several domains a folder.",
    )
    return form(output(command))


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """The format of the reports, and the file or folder that they are written to."""

    form: str
    output: Output | Folder

    def write(self, results: "Sequence[Result]", *, several: bool = False) -> int:
        """Write the reports, and return the exit code, which is that of the worst status.

        `several` is True for the results of a command that had several domains. Raise `click.ClickException`.
        """
        if isinstance(self.output, Folder):
            self.output.write(results)
        elif several:
            self.output.write_pieces(render_several(results, self.form, self.output.terminal))
        else:
            self.output.write(render(results[0], self.form, self.output.terminal))
        from checker_smtp.report.model.several import worst_status

        return _EXIT_CODES[worst_status(result.status for result in results)]

    def write_changes(
        self, results: "Sequence[Result]", differences: "Sequence[Difference | None]", *, several: bool
    ) -> int:
        """Write what changed, and nothing if nothing did, and return the exit code for the changes.

        A result without a difference, which is a first check, is written whole. Raise `click.ClickException`.
        """
        assert isinstance(self.output, Output)  # noqa: S101 - `open_for_checks` accepts no other one
        terminal = self.output.terminal

        def parts() -> Iterator[str]:
            for result, difference in zip(results, differences, strict=True):
                if difference is None:
                    yield render(result, self.form, terminal)
                elif difference.is_change:
                    yield render_difference(difference, self.form, terminal)

        if any(difference is None or difference.is_change for difference in differences):
            self.output.write_pieces(join_reports(parts(), self.form, several=several))
        from checker_smtp.report.model.several import worst_status

        return _EXIT_CODES[
            worst_status(
                result.status if difference is None else status_of_change(difference)
                for result, difference in zip(results, differences, strict=True)
            )
        ]


def report_target(form: str | None, path: Path | None, *, several: bool = False) -> ReportTarget:
    """Return the target of the values of `report_options`, which is checked before anything is sent.

    Without a format the name of the file chooses it. Raises `click.UsageError`.
    """
    if form is None:
        form = _BY_SUFFIX.get(path.suffix.lower(), "text") if path is not None else "text"
    if not (several and form == "html"):
        return ReportTarget(form, Output(path))
    if path is None:
        raise click.UsageError(
            "html for several domains is a page for each: give a folder for them, as in -o reports"
        )
    return ReportTarget(form, Folder(path))
