"""The page about the results of a scan, for `summary` and for `scan --summary`."""

from pathlib import Path

import click

from .output import Output

__all__ = ["write_page"]


def write_page(results: Path, output: Output) -> None:
    """Write the page of these results to `output`. Raise `click.ClickException`."""
    from checker_smtp.lines import LinesError, open_lines
    from checker_smtp.report.summary.page import render_summary
    from checker_smtp.report.summary.tally import Tally
    from checker_smtp.scan.output.parts_folder import PartsFolder

    page = output.path
    if page is not None and page.exists() and results.exists() and page.samefile(results):
        raise click.UsageError(f"{str(page)!r} cannot be overwritten: it has the results. Give another file.")
    tally = Tally()
    is_folder = results.is_dir()
    try:
        for path in PartsFolder(results).files() if is_folder else [results]:
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
    output.write(render_summary(tally, f"{results}/" if is_folder else str(results)))
