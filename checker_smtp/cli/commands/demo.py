"""The command `demo`: the checks of an embedded lab."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from checker_smtp.cli.arguments import backend_option
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output
from checker_smtp.cli.pages import Folder

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["demo"]


@click.command(cls=ConfiguredCommand)
@backend_option()
@click.option(
    "--report",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write DIR/report.html, with a page for each domain beside it.",
)
def demo(backend: str, folder: Path | None) -> None:
    """Check the domains of an embedded lab, and print what check prints.

    The lab runs on loopback, in this process, and needs no network and no privilege. A line for each domain
    comes at once, and the reports at the end; with --report they are pages.

    The exit code is 0 when the checks finished, whatever they found.
    """
    import anyio

    from checker_smtp.demo.run import run_demo
    from checker_smtp.report.formats.text import STATUS_WIDTH, render_line, render_text

    output = Output()
    terminal = output.terminal
    target = Folder(folder) if folder is not None else None

    def print_line(result: "Result", description: str) -> None:
        what = terminal.lines(description, "dim", first=" " * (STATUS_WIDTH + 2))
        output.write(render_line(result, terminal) + what)

    results = anyio.run(run_demo, print_line, backend=backend)
    if target is not None:
        click.echo(f"\nThe reports: {target.write(results)}")
    else:
        output.write("".join(f"\n{render_text(result, terminal)}" for result in results))
