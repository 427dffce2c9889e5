"""The command `replay`: a recorded check, evaluated again."""

from pathlib import Path

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.decisions import decided
from checker_smtp.cli.report import report_options, report_target

__all__ = ["replay"]


@click.command(cls=ConfiguredCommand)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@report_options
def replay(folder: Path, form: str | None, path: Path | None) -> int:
    """Evaluate the recorded check in DIR again, without a network.

    The exit code is that of the check, and 3 if DIR is not a recording that can be replayed.
    """
    import anyio

    from checker_smtp import api

    target = report_target(form, path)
    return target.write(decided([anyio.run(api.replay, folder)]))
