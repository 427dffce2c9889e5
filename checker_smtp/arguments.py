"""Options and arguments that several commands share."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from checker_smtp.probes.options import Options

__all__ = [
    "backend_option",
    "check_options",
    "dns_timeout",
    "options_from",
    "print_notes",
    "resolver_address",
]

_F = TypeVar("_F", bound=Callable[..., Any])

_CHECK_OPTIONS = (
    click.option(
        "--helo-name",
        metavar="NAME",
        default="mx-checker.happydomain.org",
        show_default=True,
        help="Host name in EHLO; it should resolve to the address of this machine, and back.",
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=12.0,
        show_default=True,
        help="Longest wait for any one reply; one server gets five times that.",
    ),
    click.option("--no-null-sender", is_flag=True, help="Do not test whether bounces are accepted."),
    click.option(
        "--no-postmaster", is_flag=True, help="Do not test whether mail for postmaster is accepted."
    ),
    click.option(
        "--no-open-relay", is_flag=True, help="Do not test whether mail for other domains is accepted."
    ),
    click.option(
        "--probe-address",
        metavar="ADDRESS",
        default="postmaster@example.com",
        show_default=True,
        help="Recipient at another domain for the open relay test.",
    ),
    click.option("--ipv4", is_flag=True, help="Use IPv4 only."),
    click.option("--ipv6", is_flag=True, help="Use IPv6 only."),
    click.option("--port", type=int, default=25, show_default=True, help="Port of the mail servers."),
    click.option(
        "--allow-target",
        multiple=True,
        metavar="CIDR",
        help="Also connect to addresses in this network, such as a lab; may be repeated.",
    ),
    click.option(
        "--control",
        "controls",
        multiple=True,
        metavar="HOST",
        help="Mail server to connect to if endpoints do not answer, to test port 25 of this machine.",
    ),
    click.option(
        "--retry-deferred",
        metavar="MINUTES",
        type=float,
        default=0.0,
        help="Retry a server that deferred, as greylisting does, once after MINUTES.",
    ),
)


def check_options(command: _F) -> _F:
    """Add the options of a check to a command; `options_from` converts their values."""
    for option in reversed(_CHECK_OPTIONS):
        command = option(command)
    return command


def options_from(domain: str, given: Mapping[str, Any]) -> "Options":
    """Convert the values of `check_options` to options for `domain`. Raises `OptionError`."""
    from checker_smtp.probes.options import Options

    one_family = given["ipv4"] != given["ipv6"]
    return Options(
        domain=domain,
        timeout=given["timeout"],
        helo_name=given["helo_name"],
        test_null_sender=not given["no_null_sender"],
        test_postmaster=not given["no_postmaster"],
        test_open_relay=not given["no_open_relay"],
        test_probe_address=given["probe_address"],
        port=given["port"],
        ipv4=given["ipv4"] or not one_family,
        ipv6=given["ipv6"] or not one_family,
        allow_targets=given["allow_target"],
        controls=given["controls"],
        retry_deferred=given["retry_deferred"],
    )


def backend_option(text: str = "Event loop to run on.", **more: Any) -> Callable[[_F], _F]:
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


def resolver_address(text: str | None) -> tuple[str | None, int]:
    """Parse `192.0.2.1`, `192.0.2.1:53`, `fe80::1%eth0` or `[2001:db8::1]:53` into address and port.

    None means the system's resolvers. Raises `click.UsageError`.
    """
    if text is None:
        return None, 53
    match = re.fullmatch(
        r"\[(?P<six>[^]]*)](:(?P<port6>[0-9]{1,5}))?|(?P<host>[^:]+):(?P<port>[0-9]{1,5})", text
    )
    host = (match["six"] or match["host"] or "") if match else text
    number = int((match and (match["port6"] or match["port"])) or 53)
    if 1 <= number <= 65535:
        with suppress(ValueError):
            ip = ip_address(host)
            if ip.version == 6 and ip.is_link_local and not ip.scope_id:
                raise click.UsageError(f"{host!r} is link-local: name its interface as well, as in {ip}%eth0")
            return str(ip), number
    raise click.UsageError(
        f"{text!r} is not a resolver: give an IP address such as 9.9.9.9, 127.0.0.1:5353 or [::1]:5353"
    )


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
