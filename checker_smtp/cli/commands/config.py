"""The command `config`: the options of all commands, with the place that each value comes from."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from checker_smtp.cli.configured import ConfiguredCommand, current_configuration
from checker_smtp.cli.option_names import commands_of, options_of, variable_of
from checker_smtp.cli.output import Output

if TYPE_CHECKING:
    from checker_smtp.cli.configuration import Configuration
    from checker_smtp.probes.policy import FindingPolicy

__all__ = ["config"]

_COLUMN = 44


@click.command(cls=ConfiguredCommand)
@click.pass_context
def config(context: click.Context) -> None:
    """Show the configuration in effect, and where each value comes from.

    A value comes from the command line, else from the environment variable, else from the configuration file,
    else it is the default. The output is a configuration file as well, in which the defaults are comments.
    Secrets are not shown.

    The exit code is 0, or 3 for a wrong value.
    """
    configuration = current_configuration()
    lines = [f"# file: {configuration.path if configuration else 'none'}"]
    for name, command in commands_of(context.find_root()).items():
        if options_of(command):
            lines += ["", f"[{name}]", *_table(name, command, configuration)]
    policy = _dump_policy(configuration.policy) if configuration else ""
    Output().write("\n".join(lines) + "\n" + policy)


def _table(name: str, command: click.Command, configuration: "Configuration | None") -> Iterator[str]:
    """Yield a line for each option of a command."""
    context = click.Context(command, info_name=name)
    settings = configuration.settings.get(name, {}) if configuration else {}
    for key, option in options_of(command).items():
        variable = variable_of(option)
        source, raw, lead = f"default; variable {variable}", _default(option), "# "
        if configuration and (setting := settings.get(str(option.name))):
            source, raw, lead = f"{configuration.path}, {setting.key}", setting.value, ""
        if (text := option.value_from_envvar(context)) is not None:
            source, raw, lead = f"variable {variable}", text, ""
        try:
            value = None if raw is None else option.type_cast_value(context, raw)
        except click.BadParameter as error:
            raise click.ClickException(f"{variable}: {error.message.rstrip('.')}") from None
        if option.hide_input and not lead:
            line = f"# {key} is secret"
        else:
            line = f"{lead}{key} = {'' if value is None else _toml(value)}".rstrip()
        yield f"{line:{_COLUMN}} # {source}"


def _default(option: click.Option) -> Any:
    """Return the default, None for no value."""
    value = option.default
    if option.multiple and not isinstance(value, tuple | list):
        return []
    if option.is_flag and not isinstance(value, bool):
        return False
    # click has a value of its own for no default
    return value if isinstance(value, bool | int | float | str | tuple | list) else None


def _toml(value: Any) -> str:
    """Return the value in TOML, on one line."""
    import tomli_w

    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    plain = str(value) if isinstance(value, Path) else value
    return tomli_w.dumps({"value": plain}).removeprefix("value = ").strip()


def _dump_policy(policy: "FindingPolicy") -> str:
    """Return the severities and the accepted faults as TOML, empty text for none."""
    import tomli_w

    parts = []
    if policy.severities:
        severities = {code: str(severity) for code, severity in policy.severities.items()}
        parts.append(f"\n{tomli_w.dumps({'severity': severities})}")
    for acceptance in policy.acceptances:
        entry = {key: value for key, value in asdict(acceptance).items() if value}
        parts.append(f"\n[[accept]]\n{tomli_w.dumps(entry)}")
    return "".join(parts)
