"""The configuration file: every option of every command, severities, and accepted faults.

A key is the name of an option without its hyphens. At the top of the file it sets the option for every
command that has it, and in the table of a command for this command alone. Keys, types and choices are those
of the options on the command line; nothing is listed here.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import click

from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.policy import FindingPolicy
from checker_smtp.probes.rules import CODES, Acceptance, Severity, record_of

from .option_names import options_of

__all__ = ["Configuration", "ConfigurationError", "Setting", "read_configuration"]

Commands: TypeAlias = Mapping[str, click.Command]

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


class ConfigurationError(click.ClickException):
    """The file has a wrong entry; the message names the file, the key and a right value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of an option from the file, and its key there, such as `check.timeout`."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The file as read: `settings` by command and parameter."""

    path: Path
    settings: Mapping[str, Mapping[str, Setting]]
    policy: FindingPolicy


def read_configuration(path: Path, commands: Commands) -> Configuration:
    """Read and validate the whole file, for the commands by name. Raises `ConfigurationError`."""
    document = _parse(path)
    reader = _Reader(path, commands)
    policy = FindingPolicy(
        severities=reader.severities(document.pop("severity", {})),
        acceptances=tuple(reader.acceptances(document.pop("accept", []))),
    )
    settings: dict[str, dict[str, Setting]] = {name: {} for name in commands}
    # the shared keys first: a table of a command takes precedence
    for key, value in sorted(document.items(), key=lambda item: isinstance(item[1], dict)):
        if isinstance(value, dict):
            table = reader.table(key, value)
            settings[key] |= table
        else:
            for name, setting in reader.shared(key, value):
                settings[name] |= setting
    return Configuration(path=path, settings=settings, policy=policy)


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"the configuration {str(path)!r} cannot be read: {error.strerror}. Give another --config FILE"
        ) from None
    except UnicodeError:
        raise ConfigurationError(f"{path}: this is no text in UTF-8. Save the file as UTF-8") from None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        lines = text.splitlines()
        number = _line_of(str(error), len(lines))
        quoted = f" ({lines[number - 1].strip()[:80]})" if number else ""
        where = f", line {number}" if number else ""
        raise ConfigurationError(
            f'{path}{where}: this is no TOML{quoted}: {error}. Write a line as timeout = 5, text in "quotes" '
            "and a date as 2027-01-31"
        ) from None


def _line_of(message: str, last: int) -> int:
    """Return the number of the line that an error of tomllib names, 0 for none."""
    words = message.partition("(at line ")[2].partition(",")[0]
    number = int(words) if words.isdecimal() else last
    return number if 1 <= number <= last else 0


@dataclass(frozen=True, slots=True)
class _Reader:
    """Validates the entries of one file."""

    path: Path
    commands: Commands

    def table(self, name: str, table: dict[str, Any]) -> dict[str, Setting]:
        """Return the settings of the table of a command, by parameter."""
        if name not in self.commands:
            tables = [*self.commands, "severity"]
            raise self._unknown(f"[{name}]", name, tables, "table", "the name of a command, or severity")
        options = options_of(self.commands[name])
        settings = {}
        for key, value in table.items():
            full = f"{name}.{key}"
            if key not in options:
                raise self._unknown(full, key, options, "key", f"an option of checker-smtp {name}")
            settings[str(options[key].name)] = self._setting(full, value, self.commands[name], options[key])
        return settings

    def shared(self, key: str, value: object) -> Iterator[tuple[str, dict[str, Setting]]]:
        """Yield each command that has the option `key`, with its setting by parameter."""
        known: dict[str, None] = {}
        found = False
        for name, command in self.commands.items():
            options = options_of(command)
            known |= dict.fromkeys(options)
            if key in options:
                found = True
                try:
                    setting = self._setting(key, value, command, options[key])
                except ConfigurationError as error:
                    raise ConfigurationError(
                        f"{error} in checker-smtp {name}. A value for one command belongs in its table"
                    ) from None
                yield name, {str(options[key].name): setting}
        if not found:
            raise self._unknown(key, key, known, "key", "an option of a command")

    def _setting(self, key: str, value: object, command: click.Command, option: click.Option) -> Setting:
        kind = bool if option.is_flag else _python_type(option)
        # one value for an option that may be repeated is a list of one, as on the command line
        value = value if isinstance(value, list) or not option.multiple else [value]
        items = value if option.multiple and isinstance(value, list) else [value]
        if not all(_is_of(item, kind) for item in items):
            several = ", several in brackets" if option.multiple else ""
            raise self._wrong(key, value, _KINDS[kind] + several)
        try:
            option.type_cast_value(click.Context(command), value)
        except click.BadParameter as error:
            raise ConfigurationError(f"{self.path}: {key}: {error.message.rstrip('.')}") from None
        return Setting(key, value)

    def severities(self, table: object) -> dict[str, Severity]:
        """Return the table `severity`."""
        if not isinstance(table, dict):
            raise self._wrong("severity", table, 'a table of codes, such as "smtp.mx.cname" = "warn"')
        for code, value in _flattened(table):
            self._require_code(f"severity.{code}", code)
            if value not in tuple(Severity):
                raise self._wrong(f"severity.{code}", value, "info, warn or crit")
        return {code: Severity(value) for code, value in _flattened(table)}

    def acceptances(self, entries: object) -> Iterator[Acceptance]:
        """Yield the entries `[[accept]]`."""
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._wrong("accept", entries, "[[accept]], with code and reason in the lines below")
        for number, entry in enumerate(entries, start=1):
            yield self._acceptance(f"accept {number}", entry)

    def _acceptance(self, where: str, entry: dict[str, Any]) -> Acceptance:
        known = [one.name for one in fields(Acceptance)]
        for key, value in entry.items():
            if key not in known:
                raise self._unknown(f"{where}, {key}", key, known, "key", f"one of {', '.join(known)}")
            if key == "until":
                if not isinstance(value, date) or isinstance(value, datetime):
                    raise self._wrong(f"{where}, until", value, "a date without quotes, such as 2027-01-31")
            elif not isinstance(value, str) or not value.strip():
                raise self._wrong(f"{where}, {key}", value, "text in quotes")
        for key, example in (("code", "smtp.mx.cname"), ("reason", "the provider is moving it")):
            if key not in entry:
                raise ConfigurationError(f'{self.path}: {where} has no {key}: add {key} = "{example}"')
        self._require_code(f"{where}, code", entry["code"])
        try:
            domain = host_name("domain", entry["domain"]) if "domain" in entry else ""
        except OptionError as error:
            raise ConfigurationError(f"{self.path}: {where}, domain: {error}") from None
        return Acceptance(**entry | {"domain": domain})

    def _require_code(self, key: str, code: str) -> None:
        if record_of(code) is None:
            raise self._unknown(key, code, CODES, "code", "one that checker-smtp rules lists")

    def _wrong(self, key: str, value: object, right: str) -> ConfigurationError:
        shown = repr(value) if isinstance(value, str) else str(value)
        shown = shown.lower() if isinstance(value, bool) else shown
        return ConfigurationError(f"{self.path}: {key} is {shown[:80]}: give {right}")

    def _unknown(
        self, key: str, name: str, known: Iterable[str], kind: str, right: str
    ) -> ConfigurationError:
        near = get_close_matches(name, list(known), n=1)
        hint = f"{near[0]!r} is near to it" if near else f"give {right}"
        return ConfigurationError(f"{self.path}: {key}: there is no {kind} {name[:80]!r}: {hint}")


def _flattened(table: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """Yield codes and values: TOML reads the code of an unquoted key as tables in tables."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def _python_type(option: click.Option) -> type:
    if isinstance(option.type, click.types.FloatParamType):
        return float
    return int if isinstance(option.type, click.types.IntParamType) else str


def _is_of(value: object, kind: type) -> bool:
    """Return whether the value has the type; a whole number is a number, and true and false are none."""
    return type(value) is kind or (kind is float and type(value) is int)
