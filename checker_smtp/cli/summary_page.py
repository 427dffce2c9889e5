"""The results of a scan, on a page or as a list of domains: for `summary` and for `scan --summary`."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from .output import Output

__all__ = ["write_list", "write_page"]

# A list of all domains may be larger than memory.
_NAMES_AT_ONCE = 1000


def write_page(results: Path, output: Output) -> None:
    """Write the page of these results to `output`. Raise `click.ClickException`."""
    from checker_smtp.report.summary.page import render_summary
    from checker_smtp.report.summary.tally import Tally

    _require_other_file(results, output)
    tally = Tally()
    for line in _lines(results):
        tally.add(line)
    is_folder = results.is_dir()
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


def write_list(results: Path, output: Output, bucket: str) -> None:
    """Write the names in this bucket to `output`, one a line. Raise `click.ClickException`."""
    from checker_smtp.report.summary.buckets import Group, names_in, parse_bucket

    _require_other_file(results, output)
    try:
        groups, value = parse_bucket(bucket)
    except ValueError:
        raise click.UsageError(
            f"{bucket!r} cannot be listed: there is no such group. "
            f"Give a code, or the value behind one of these groups and a colon: {', '.join(Group)}."
        ) from None
    names = (f"{name}\n" for name in names_in(_lines(results), groups, value))
    output.write_pieces(iter(lambda: "".join(islice(names, _NAMES_AT_ONCE)), ""))


def _require_other_file(results: Path, output: Output) -> None:
    page = output.path
    if page is not None and page.exists() and results.exists() and page.samefile(results):
        raise click.UsageError(f"{str(page)!r} cannot be overwritten: it has the results. Give another file.")


def _lines(results: Path) -> Iterator[bytes]:
    """Yield the lines of these results. Raise `click.ClickException`."""
    from checker_smtp.lines import LinesError, open_lines
    from checker_smtp.scan.output.parts_folder import PartsFolder

    try:
        for path in PartsFolder(results).files() if results.is_dir() else [results]:
            with open_lines(path) as lines:
                yield from lines
    except LinesError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{str(results)!r} cannot be read: {error.strerror}") from None
