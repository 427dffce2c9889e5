"""The command `summary`: what a scan found, on one page, from the lines it wrote."""

from pathlib import Path

import click

__all__ = ["summary", "write_page"]


@click.command()
@click.argument("results", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the page there, all of it or nothing.",
)
def summary(results: Path, output: Path | None) -> None:
    """Make a page of the RESULTS of a scan.

    They are JSON lines, plain, or compressed in a file that ends in .gz or .zst; - is standard input, and a
    folder has them in parts. Lines that cannot be read are counted, and the page says so.
    """
    write_page(results, output)


def write_page(results: Path, output: Path | None) -> None:
    """Make the page of these results, and write it to `output`. Raises `click.ClickException`."""
    from checker_smtp.report.summary.page import render_summary
    from checker_smtp.report.summary.tally import Tally

    from .lines import LinesError, open_lines
    from .output import Output
    from .scan.parts import part_files

    if output is not None and output.exists() and results.exists() and output.samefile(results):
        raise click.UsageError(f"{str(output)!r} holds the results: give another file for the page")
    out = Output(output)
    tally = Tally()
    in_parts = results.is_dir()
    try:
        for path in part_files(results) if in_parts else [results]:
            with open_lines(path) as lines:
                for line in lines:
                    tally.add(line)
    except LinesError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{str(results)!r} cannot be read: {error.strerror}") from None
    if in_parts and not tally.lines:
        raise click.ClickException(f"{str(results)!r} is a folder without results: give the one a scan wrote")
    if tally.broken and not tally.checked + tally.unchecked:
        raise click.ClickException(
            f"{str(results)!r} holds no result of a check (line {tally.broken_told[0][0]}: "
            f"{tally.broken_told[0][1]}): give the lines that a scan wrote"
        )
    out.write(render_summary(tally, f"{results}/" if in_parts else str(results)))
