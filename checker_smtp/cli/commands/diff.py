"""The command `diff`: compare two checks of a domain."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.difference import DIFFERENCE_FORMATS, render_difference
from checker_smtp.cli.output import Output, output_option

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["diff"]


@click.command(cls=ConfiguredCommand)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(DIFFERENCE_FORMATS),
    default="text",
    show_default=True,
    help="text is for a terminal, json for a program, html for a browser.",
)
@output_option("Write the comparison to FILE, completely or not at all.")
def diff(old: Path, new: Path, form: str, output: Output) -> int:
    """Compare two checks of a domain, OLD and NEW.

    Each is a document of `check --format json` or a folder of `check --record`. The exit code is 1 if the
    domain got worse, 0 if it did not, 3 if the checks cannot be compared.
    """
    from checker_smtp.report.diff.compare import DifferenceError, compare

    results = [_read(path) for path in (old, new)]
    try:
        difference = compare(*results)
    except DifferenceError as error:
        raise click.ClickException(str(error)) from None
    output.write(render_difference(difference, form, output.terminal))
    return int(difference.worse)


def _read(path: Path) -> "Result":
    from checker_smtp.probes.policy import evaluate_again
    from checker_smtp.report.document import DocumentError, load

    if path.is_dir():
        import anyio

        from checker_smtp.api import replay

        return anyio.run(replay, path)
    try:
        result = load(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except DocumentError as error:
        raise click.ClickException(f"{str(path)!r}: {error}") from None
    # with the current rules, so that a change of the rules does not show up as a change of the domain
    return evaluate_again(result)
