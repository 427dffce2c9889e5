"""The command `explain`: the meaning of one code."""

import click

from checker_smtp.cli.output import Output

__all__ = ["explain"]


def _codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the codes that begin so, for the completion of shells."""
    from checker_smtp.probes.rules import CODES

    return [code for code in CODES if code.startswith(incomplete)]


@click.command()
@click.argument("code", shell_complete=_codes)
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
