"""Commands that tell about reports instead of making one: `explain`, `schema`, `diff`.

They reach no network. `diff` takes what `check --format json` wrote and what `check --record` wrote, and
says with its exit code whether it got worse: 0 no, 1 yes, 3 where the two cannot be compared.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result
    from checker_smtp.report.diff import Difference
    from checker_smtp.report.terminal import Terminal

__all__ = ["diff", "explain", "schema", "terminal_of"]


def terminal_of(*, to_file: bool) -> "Terminal":
    """What a text for standard output, or for a file, has to know."""
    import os
    import shutil

    from checker_smtp.report.terminal import Terminal

    # None is what Python has for a stream that was closed before it started
    stdout: TextIO | None = sys.stdout
    terminal = stdout is not None and stdout.isatty() and not to_file
    encoding = "utf-8" if to_file else getattr(stdout, "encoding", None) or "ascii"
    return Terminal(
        width=min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120) if terminal else 100,
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        ascii_only=not encoding.lower().replace("-", "").startswith("utf"),
    )


@click.command()
@click.argument("code")
def explain(code: str) -> None:
    """Say what CODE means, why it matters and how to mend it."""
    from checker_smtp.report.explain import UnknownCodeError, render_explanation
    from checker_smtp.report.explain import explain as resolve_domain

    from .output import Output

    try:
        told = resolve_domain(code)
    except UnknownCodeError as error:
        raise click.ClickException(str(error)) from None
    Output(None).write(render_explanation(told, terminal_of(to_file=False)))


@click.command()
def schema() -> None:
    """Print the JSON Schema of the documents that `--format json` writes."""
    from checker_smtp.report.schema import dump_schema

    from .output import Output

    Output(None).write(dump_schema())


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="For a terminal, for a program, for a browser.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write it there, all of it or nothing.",
)
def diff(old: Path, new: Path, form: str, output: Path | None) -> int:
    """Say what became of a domain between the checks OLD and NEW.

    Each is a document of `check --format json` or the folder of `check --record`. The exit code is 1 when it
    got worse, 0 when it did not, 3 when they cannot be compared.
    """
    from checker_smtp.report.diff import DifferenceError, compare

    from .output import Output

    out = Output(output)
    results = [_read(path) for path in (old, new)]
    try:
        difference = compare(*results)
    except DifferenceError as error:
        raise click.ClickException(str(error)) from None
    out.write(_told(difference, form, to_file=out.to_file))
    return int(difference.worse)


def _read(path: Path) -> "Result":
    from checker_smtp.probes.result import evaluate
    from checker_smtp.report.document import DocumentError, load

    if path.is_dir():
        import anyio

        from .api import replay

        return anyio.run(replay, path)
    try:
        result = load(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except DocumentError as error:
        raise click.ClickException(f"{str(path)!r}: {error}") from None
    # by today's rules, so that what a new version sees otherwise is not told as the domain's doing
    return evaluate(result.observation)


def _told(difference: "Difference", form: str, *, to_file: bool) -> str:
    if form == "html":
        from checker_smtp.report.diff_html import render_difference_html

        return render_difference_html(difference)
    from checker_smtp.report.diff_text import dump_difference, render_difference_text

    if form == "json":
        return dump_difference(difference)
    return render_difference_text(difference, terminal_of(to_file=to_file))
