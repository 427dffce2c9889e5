"""The names of an option in the configuration file and in the environment, derived from its usual one."""

import click

__all__ = ["commands_of", "key_of", "options_of", "table_of", "variable_of"]

_PREFIX = "CHECKER_SMTP_"


def key_of(option: click.Option) -> str:
    """Return the key of an option in the file: its name without the hyphens before it."""
    return max(option.opts, key=len).removeprefix("--")


def variable_of(option: click.Option) -> str:
    """Return the environment variable of an option: its name in capitals behind `CHECKER_SMTP_`."""
    key = key_of(option)
    # not CHECKER_SMTP_PORT, which Kubernetes sets to tcp://… for a service named checker-smtp
    return _PREFIX + ("SMTP_PORT" if key == "port" else key.upper().replace("-", "_"))


def commands_of(root: click.Context) -> dict[str, click.Command]:
    """Return the commands of the group of `root` by name, and a command that is in no group by its own."""
    group = root.command
    if not isinstance(group, click.Group):
        return {table_of(root): group}
    found = {name: group.get_command(root, name) for name in group.list_commands(root)}
    return {name: command for name, command in found.items() if command is not None}


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return the options that a file may set, by key; those of a group are the options of its commands."""
    parts = command.commands.values() if isinstance(command, click.Group) else ()
    return {key: option for part in parts for key, option in options_of(part).items()} | {
        key_of(option): option
        for option in command.params
        if isinstance(option, click.Option) and option.expose_value
    }


def table_of(context: click.Context) -> str:
    """Return the table of a command in the file: its name, or that of the group that it is in."""
    while context.parent is not None and context.parent.parent is not None:
        context = context.parent
    return str(context.command.name)
