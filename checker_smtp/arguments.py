"""Arguments that more than one command takes, read alike."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from checker_smtp.probes.options import Options

__all__ = ["backend_option", "check_options", "options_from", "resolver_address"]

_F = TypeVar("_F", bound=Callable[..., Any])

_CHECK_OPTIONS = (
    click.option(
        "--helo-name",
        metavar="NAME",
        default="mx-checker.happydomain.org",
        show_default=True,
        help="Host name to introduce this machine with; it should resolve to its address, and back.",
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=12.0,
        show_default=True,
        help="Longest silence at any one step; one server gets five times that.",
    ),
    click.option("--no-null-sender", is_flag=True, help="Do not ask whether bounces are taken."),
    click.option("--no-postmaster", is_flag=True, help="Do not ask whether postmaster is taken."),
    click.option("--no-open-relay", is_flag=True, help="Do not ask whether mail for others is taken."),
    click.option(
        "--probe-address",
        metavar="ADDRESS",
        default="postmaster@example.com",
        show_default=True,
        help="Recipient at another domain, for the relay test.",
    ),
    click.option("--ipv4", is_flag=True, help="Only over IPv4."),
    click.option("--ipv6", is_flag=True, help="Only over IPv6."),
    click.option("--port", type=int, default=25, show_default=True, help="Where the servers listen."),
    click.option(
        "--allow-target",
        multiple=True,
        metavar="CIDR",
        help="Dial addresses in this network though not public, as in a lab; may be repeated.",
    ),
    click.option(
        "--control",
        "controls",
        multiple=True,
        metavar="HOST",
        help="Where endpoints do not answer, knock at this mail server to learn whose fault it is.",
    ),
    click.option(
        "--retry-deferred",
        metavar="MINUTES",
        type=float,
        default=0.0,
        help="Ask a server that put us off, as greylisting does, once more after so long.",
    ),
)


def check_options(command: _F) -> _F:
    """The options that shape what a check asks; `options_from` reads them."""
    for option in reversed(_CHECK_OPTIONS):
        command = option(command)
    return command


def options_from(domain: str, given: Mapping[str, Any]) -> "Options":
    """What `check_options` were given, for this domain. Raises `OptionError`."""
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
    """The option `--backend`, told as `text`; `more` is for `click.option`."""
    loops = click.Choice(["asyncio", "trio"])
    return click.option(
        "--backend", type=loops, default="asyncio", show_default=True, callback=_installed, help=text, **more
    )


def _installed(_: click.Context, __: click.Parameter, loop: str) -> str:
    """An option's callback: the event loop asked for. Raises `BadParameter` where it is not installed."""
    from importlib.util import find_spec

    if find_spec(loop) is None:
        raise click.BadParameter(f"{loop} is not installed: pip install 'checker-smtp[{loop}]'")
    return loop


def resolver_address(text: str | None) -> tuple[str | None, int]:
    """(address, port) of `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1` or `[2001:db8::1]:53`."""
    if text is None:
        return None, 53
    given = re.fullmatch(
        r"\[(?P<six>[^]]*)](:(?P<port6>[0-9]{1,5}))?|(?P<host>[^:]+):(?P<port>[0-9]{1,5})", text
    )
    host = (given["six"] or given["host"] or "") if given else text
    number = int((given and (given["port6"] or given["port"])) or 53)
    if 1 <= number <= 65535:
        with suppress(ValueError):
            return str(ip_address(host)), number
    raise click.UsageError(
        f"{text!r} is no resolver: give an IP address, as in 9.9.9.9, 127.0.0.1:5353 or [::1]:5353"
    )
