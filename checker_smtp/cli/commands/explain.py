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
    from checker_smtp.report.advice import explain as explaining

    output = Output()
    try:
        explanation = explaining.explain(code)
    except explaining.UnknownCodeError as error:
        raise click.ClickException(str(error)) from None
    output.write(explaining.render_explanation(explanation, output.terminal))
