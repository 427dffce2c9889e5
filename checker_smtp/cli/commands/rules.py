"""The command `rules`: the rules and the codes of their findings."""

import click

from checker_smtp.cli.output import Output

__all__ = ["rules"]


@click.command()
def rules() -> None:
    """List the rules and the codes of their findings."""
    from checker_smtp.probes.rules import RULES

    lines = []
    for rule in RULES.values():
        lines.append(f"{rule.name} ({rule.severity}): {rule.description}")
        lines += [f"    {code.code:28} {code.severity:5} {code.title}" for code in rule.codes]
    Output().write("\n".join(lines) + "\n")
