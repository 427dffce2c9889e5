"""The command `schema`: the JSON Schema of a report."""

import click

from checker_smtp.cli.output import Output

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON Schema of the documents that `--format json` writes.

    The exit code is 0.
    """
    from checker_smtp.report.schema import dump_schema

    Output().write(dump_schema())
