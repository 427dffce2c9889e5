"""The command `demo`: the checks of an embedded lab."""

from pathlib import Path

import click

from checker_smtp.cli.arguments import backend_option
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.pages import Folder

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
    """Check the domains of an embedded lab.

    The lab runs on loopback, in this process, and needs no network and no privilege.
    """
    import anyio

    from checker_smtp.demo.run import run_demo

    target = Folder(folder) if folder is not None else None
    results = anyio.run(run_demo, click.echo, backend=backend)
    if target is not None:
        click.echo(f"\nHTML reports: {target.write(list(results.values()))}")
