"""The command `explain`: the meaning of one code."""

import click

from checker_smtp.cli.output import Output

__all__ = ["explain"]


@click.command()
@click.argument("code")
def explain(code: str) -> None:
    """Explain CODE: its meaning, why it matters, and how to fix it.

    The exit code is 0, or 3 for an unknown code.
    """
    from checker_smtp.report.advice.explain import UnknownCodeError, find_code, render_explanation

    output = Output()
    try:
        record = find_code(code)
    except UnknownCodeError as error:
        raise click.ClickException(str(error)) from None
    output.write(render_explanation(record, output.terminal))
