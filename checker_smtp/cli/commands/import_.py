"""The command `import`: the output of another program as a transcript."""

from pathlib import Path

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output, output_option

__all__ = ["import_"]


@click.command("import", cls=ConfiguredCommand)
@click.option(
    "--swaks",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="The output of swaks, with its standard error: swaks … > FILE 2>&1",
)
@output_option("Write the transcript to FILE, and not to standard output.")
def import_(path: Path, output: Output) -> None:
    """Turn the output of swaks into a transcript, which tests can play to a client (docs/testing-clients.md).

    Times, the borders of reads and DNS are not known from it; a comment in the transcript says so.

    The exit code is 0, or 3 if FILE is not such an output.
    """
    from checker_smtp.backends.recording.case import load_file
    from checker_smtp.backends.recording.swaks import NOT_KNOWN, read_swaks

    output.write(NOT_KNOWN + load_file(path, read_swaks).dumps())
