"""The command `summary`: the results of a scan on one page."""

from pathlib import Path

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output, output_option
from checker_smtp.cli.summary_page import write_list, write_page

__all__ = ["summary"]


@click.command(cls=ConfiguredCommand)
@click.argument("results", type=click.Path(path_type=Path, allow_dash=True))
@output_option("Write the page to this file, completely or not at all.")
@click.option(
    "--list",
    "bucket",
    metavar="CODE",
    help="List the domains with this finding, or those of a figure on the page, as in tls:TLSv1.2.",
)
def summary(results: Path, output: Output, bucket: str | None) -> None:
    """Summarise the RESULTS of a scan on one page.

    RESULTS is a file of JSON lines, compressed if it ends in .gz or .zst, a folder of such files, or - for
    standard input. Lines that cannot be read are counted, and the page reports them.

    The exit code is 0, or 3 if there is no result to summarise.
    """
    if bucket is None:
        write_page(results, output)
    else:
        write_list(results, output, bucket)
