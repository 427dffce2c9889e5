"""Commands about reports: `explain`, `schema`, `diff`. None of them uses a network.

`diff` reads documents of `check --format json` and folders of `check --record`. Its exit code is 0 if the
domain did not get worse, 1 if it did, and 3 if the two checks cannot be compared.
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
    """Return the width, colour and encoding of a text for standard output or for a file."""
    import os
    import shutil

    from checker_smtp.report.terminal import Terminal

    # None stands for a stream that was closed before Python started
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
    """Explain CODE: its meaning, why it matters, and how to fix it."""
    from checker_smtp.report.explain import UnknownCodeError, render_explanation
    from checker_smtp.report.explain import explain as explain_code

    from .output import Output

    try:
        explanation = explain_code(code)
    except UnknownCodeError as error:
        raise click.ClickException(str(error)) from None
    Output(None).write(render_explanation(explanation, terminal_of(to_file=False)))


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
    help="text is for a terminal, json for a program, html for a browser.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the comparison to FILE, completely or not at all.",
)
def diff(old: Path, new: Path, form: str, output: Path | None) -> int:
    """Compare two checks of a domain, OLD and NEW.

    Each is a document of `check --format json` or a folder of `check --record`. The exit code is 1 if the
    domain got worse, 0 if it did not, 3 if the checks cannot be compared.
    """
    from checker_smtp.report.diff import DifferenceError, compare

    from .output import Output

    out = Output(output)
    results = [_read(path) for path in (old, new)]
    try:
        difference = compare(*results)
    except DifferenceError as error:
        raise click.ClickException(str(error)) from None
    out.write(_render(difference, form, to_file=out.to_file))
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
    # with the current rules, so that a change of the rules does not show up as a change of the domain
    return evaluate(result.observation)


def _render(difference: "Difference", form: str, *, to_file: bool) -> str:
    if form == "html":
        from checker_smtp.report.diff_html import render_difference_html

        return render_difference_html(difference)
    from checker_smtp.report.diff_text import dump_difference, render_difference_text

    if form == "json":
        return dump_difference(difference)
    return render_difference_text(difference, terminal_of(to_file=to_file))
