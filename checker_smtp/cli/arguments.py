"""Options and arguments that several commands share."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from ipaddress import ip_address
from typing import Any, TypeVar

import click
from click.core import ParameterSource

__all__ = [
    "INTERRUPTED",
    "CommandT",
    "backend_option",
    "dns_timeout",
    "field_option",
    "fields_from",
    "print_notes",
    "resolver_address",
    "resolver_option",
    "split_port",
]

INTERRUPTED = 130
"""The exit code after an interrupt."""

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
"""A command that an option is added to."""


def field_option(
    settings: type, name: str, text: str = "", flag: str = "", **more: Any
) -> Callable[[CommandT], CommandT]:
    """Return the option of a field of the dataclass `settings`, with the type and default of the field.

    The option is `--NAME` without the prefix `test_`, and `--no-NAME` for a field that is true by default;
    `flag` is another name. `text` is its help, and `more` is for `click.option`.
    """
    (field,) = (field for field in fields(settings) if field.name == name)
    stem = name.removeprefix("test_").replace("_", "-")
    if field.type is bool:
        given: dict[str, Any] = {"is_flag": True}
        if field.default is True:
            stem = f"no-{stem}"
            given["callback"] = lambda _, __, value: not value
    elif field.default == ():
        given = {"multiple": True}
    else:
        given = {"type": field.type, "default": field.default, "show_default": True}
    if not field.repr:
        # a secret, which is never shown
        given["hide_input"] = True
    return click.option(flag or f"--{stem}", name, help=text, **given | more)


def fields_from(settings: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the options of `field_option`, by the fields of the dataclass `settings`."""
    return {field.name: given[field.name] for field in fields(settings) if field.name in given}


def backend_option(text: str = "Event loop to run on.", **more: Any) -> Callable[[CommandT], CommandT]:
    """Return the option `--backend` with the help `text`; `more` is for `click.option`."""
    loops = click.Choice(["asyncio", "trio"])
    return click.option(
        "--backend",
        type=loops,
        default="asyncio",
        show_default=True,
        callback=_require_installed,
        help=text,
        **more,
    )


def _require_installed(_: click.Context, __: click.Parameter, loop: str) -> str:
    """Return the event loop, as a click callback. Raises `BadParameter` if it is not installed."""
    from importlib.util import find_spec

    if find_spec(loop) is None:
        raise click.BadParameter(f"{loop} is not installed: pip install 'checker-smtp[{loop}]'")
    return loop


def resolver_option(**more: Any) -> Callable[[CommandT], CommandT]:
    """Return the option `--resolver`, whose text `resolver_address` parses; `more` is for `click.option`."""
    text = "DNS server to use in place of the system's."
    return click.option("--resolver", metavar="ADDR[:PORT]", help=text, **more)


def resolver_address(text: str | None) -> tuple[str | None, int]:
    """Parse `192.0.2.1`, `192.0.2.1:53`, `fe80::1%eth0` or `[2001:db8::1]:53` into address and port.

    None means the system's resolvers. Raises `OptionError`.
    """
    from checker_smtp.probes.options import OptionError

    if text is None:
        return None, 53
    host, port = split_port(text)
    number = 53 if port is None else port
    wrong = f"{text!r} is not a resolver: give an IP address such as 9.9.9.9, 127.0.0.1:5353 or [::1]:5353"
    with suppress(ValueError):
        if 1 <= number <= 65535:
            ip = ip_address(host)
            if ip.version == 4 or ip.scope_id or not ip.is_link_local:
                return str(ip), number
            wrong = f"{host!r} is link-local: name its interface as well, as in {ip}%eth0"
    raise OptionError("resolver", wrong)


def split_port(text: str) -> tuple[str, int | None]:
    """Split `HOST`, `HOST:PORT`, `[2001:db8::1]:PORT` or an address into the host and the port, if any."""
    match = re.fullmatch(r"\[([^]]*)](?::([0-9]{1,5}))?|([^:]+):([0-9]{1,5})", text)
    if match is None:
        return text, None
    port = match[2] or match[4]
    return match[1] or match[3] or "", int(port) if port else None


def dns_timeout() -> float | None:
    """Return the seconds for a DNS question: the value of `--timeout` where it was given, else None."""
    context = click.get_current_context()
    if context.get_parameter_source("timeout") is ParameterSource.DEFAULT:
        return None
    seconds: float = context.params["timeout"]
    return seconds


def print_notes(notes: Iterable[str]) -> None:
    """Print each of the `notes` on the configuration of this system to standard error, once."""
    for note in dict.fromkeys(notes):
        click.echo(f"{note}.", err=True)
