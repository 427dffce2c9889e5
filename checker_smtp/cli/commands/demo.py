"""The command `demo`: the checks of an embedded lab."""

from pathlib import Path

import click

from checker_smtp.cli.arguments import backend_option
from checker_smtp.cli.configured import ConfiguredCommand

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

    from checker_smtp.demo.run import run_demo, write_pages

    results = anyio.run(run_demo, click.echo, backend=backend)
    if folder is not None:
        click.echo(f"\nHTML reports: {write_pages(results, folder)}")
