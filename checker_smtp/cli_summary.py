"""The command `summary`: the results of a scan on one page."""

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
    help="Write the page to this file, completely or not at all.",
)
def summary(results: Path, output: Path | None) -> None:
    """Summarise the RESULTS of a scan on one page.

    RESULTS is a file of JSON lines, compressed if it ends in .gz or .zst, a folder of such files, or - for
    standard input. Lines that cannot be read are counted, and the page reports them.
    """
    write_page(results, output)


def write_page(results: Path, output: Path | None) -> None:
    """Write the page of these results to `output`. Raise `click.ClickException`."""
    from checker_smtp.report.summary.page import render_summary
    from checker_smtp.report.summary.tally import Tally

    from .lines import LinesError, open_lines
    from .output import Output
    from .scan.parts import part_files

    if output is not None and output.exists() and results.exists() and output.samefile(results):
        raise click.UsageError(
            f"{str(output)!r} cannot be overwritten: it has the results. Give another file."
        )
    out = Output(output)
    tally = Tally()
    is_folder = results.is_dir()
    try:
        for path in part_files(results) if is_folder else [results]:
            with open_lines(path) as lines:
                for line in lines:
                    tally.add(line)
    except LinesError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{str(results)!r} cannot be read: {error.strerror}") from None
    if is_folder and not tally.lines:
        raise click.ClickException(
            f"{str(results)!r} cannot be summarised: the folder has no results. Give one that a scan wrote."
        )
    if tally.broken and not tally.checked + tally.unchecked:
        raise click.ClickException(
            f"{str(results)!r} cannot be summarised: it has no result of a check (line "
            f"{tally.broken_samples[0][0]}: {tally.broken_samples[0][1]}). Give a file that a scan wrote."
        )
    out.write(render_summary(tally, f"{results}/" if is_folder else str(results)))
