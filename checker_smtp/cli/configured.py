"""A command with options from the command line, the environment, the configuration file, or their defaults.

The first one that has a value wins. An error in a value names the variable, or the file and the key, that it
comes from.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .option_names import commands_of, options_of, table_of, variable_of
from .user_errors import user_error

if TYPE_CHECKING:
    from .configuration import Configuration

__all__ = ["ConfiguredCommand", "current_configuration"]

_PLUGIN, _UNKNOWN = "nagios", 3
_FILE = "checker-smtp.toml"
_META = f"{__name__}.configuration"


def current_configuration() -> "Configuration | None":
    """Return the configuration file of the command that runs, None without one."""
    found: Configuration | None = click.get_current_context().meta.get(_META)
    return found


def _origin_of(context: click.Context, name: str) -> str:
    """Return the variable, or the file and the key, that the parameter `name` has its value from.

    It is empty for a value of the command line and for a default.
    """
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return next((variable_of(o) for o in options_of(context.command).values() if o.name == name), "")
    if source is ParameterSource.DEFAULT_MAP:
        configuration: Configuration = context.meta[_META]
        return f"{configuration.path}, {configuration.settings[table_of(context)][name].key}"
    return ""


class ConfiguredCommand(click.Command):
    """A command with the option `--config`, whose options are read from variables and the file as well."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(_config_option())
        for option in self.params:
            if isinstance(option, click.Option):
                option.envvar = variable_of(option)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        with _status_line(ctx, given), _named_origin(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _status_line(ctx, []), _named_origin(ctx):
            return super().invoke(ctx)


@contextmanager
def _status_line(context: click.Context, arguments: list[str]) -> Iterator[None]:
    """Write an error as a status line where the format is that of a monitoring plugin.

    Nagios reads standard output only; with -o the line replaces the report, so that an old one is not taken
    for the current one. `arguments` are those that are not parsed yet.
    """
    try:
        yield
    except Exception as error:
        is_plugin = context.params.get("form") == _PLUGIN or {_PLUGIN, f"--format={_PLUGIN}"} & {*arguments}
        if not is_plugin or (message := user_error(error)) is None:
            raise
        from checker_smtp.report.formats.nagios import render_nagios_error

        _write(context.params.get("path"), render_nagios_error(message))
        raise click.exceptions.Exit(_UNKNOWN) from None


def _write(path: Path | None, text: str) -> None:
    """Write to the file, or to standard output where there is none or it cannot be written."""
    from .output import Output

    try:
        Output(path).write(text)
    except click.ClickException:
        Output().write(text)


@contextmanager
def _named_origin(context: click.Context) -> Iterator[None]:
    """Name the variable or the key in an error about a value that is not from the command line."""
    try:
        yield
    except click.BadParameter as error:
        origin = _origin_of(context, str(error.param.name)) if error.param is not None else ""
        if not origin:
            raise
        raise click.ClickException(f"{origin}: {error.message.rstrip('.')}") from None
    except ValueError as error:
        # an OptionError, whose module is not loaded for a command that has no such options
        name = getattr(error, "option", "")
        key = name.replace("_", "-")
        option = options_of(context.command).get(key)
        if origin := _origin_of(context, str(option.name) if option else name):
            raise click.ClickException(f"{origin}: {error}") from None
        # a sentence about a field, such as check_budget, begins with its name in Python
        if option is None or key == name or not str(error).startswith(f"{name} "):
            raise
        raise click.ClickException(f"--{key}{str(error).removeprefix(name)}") from None


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        metavar="FILE",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help=f"Configuration of all commands; by default {_FILE} in ~/.config. "
        "checker-smtp config shows keys, variables and values.",
    )


def _read(context: click.Context, _: click.Parameter, given: Path | None) -> None:
    """Read the file and let click have its values as defaults of this command."""
    path = given or _default_path()
    if context.resilient_parsing or path is None:
        return
    from .configuration import read_configuration

    configuration = read_configuration(path, commands_of(context.find_root()))
    context.meta[_META] = configuration
    own = configuration.settings.get(table_of(context), {})
    context.default_map = {name: setting.value for name, setting in own.items()}


def _default_path() -> Path | None:
    """Return the file in the XDG folder of configurations, None where it does not exist."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # the XDG specification: a relative path is ignored
    folder = folder if folder.is_absolute() else Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - never raises
    path = folder / _FILE
    return path if os.path.lexists(path) else None
