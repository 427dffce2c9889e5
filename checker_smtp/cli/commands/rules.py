"""The command `rules`: the rules, the codes of their findings, and their options."""

import click

from checker_smtp.cli.output import Output

__all__ = ["rules"]


@click.command()
def rules() -> None:
    """List the rules, the codes of their findings, and their options.

    The exit code is 0.
    """
    from checker_smtp.probes.rules import RULES

    lines = []
    for rule in RULES.values():
        lines.append(f"{rule.name} ({rule.severity}): {rule.description}")
        lines += [f"    {code.code:28} {code.severity:5} {code.title}" for code in rule.codes]
        lines += [f"    --rule-option {o.name}={o.default}: {o.description}" for o in rule.options]
    Output().write("\n".join(lines) + "\n")
