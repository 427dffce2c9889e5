"""The command `replay`: a recorded check, evaluated again."""

from pathlib import Path

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output
from checker_smtp.cli.report import report_options, write_report

__all__ = ["replay"]


@click.command(cls=ConfiguredCommand)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@report_options
def replay(folder: Path, form: str, output: Output) -> int:
    """Evaluate the recorded check in DIR again, without a network."""
    import anyio

    from checker_smtp import api

    return write_report(anyio.run(api.replay, folder), form, output)
