"""The option `--source-address`: the address of this machine that connections begin at."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import click

from .arguments import CommandT

__all__ = ["families_of", "source_option"]


def source_option(**more: Any) -> Callable[[CommandT], CommandT]:
    """Return the option; its value is an address of this machine, or None. `more` is for `click.option`."""
    return click.option(
        "--source-address",
        metavar="ADDR",
        callback=_require_own,
        help="Address of this machine that connections to mail servers begin at; only its family is used.",
        **more,
    )


def families_of(source_address: str | None) -> dict[str, bool]:
    """Return the fields `ipv4` and `ipv6` of `Options` that a source address allows; empty without one."""
    if source_address is None:
        return {}
    version = ip_address(source_address).version
    return {"ipv4": version == 4, "ipv6": version == 6}


def _require_own(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Return the address, as a click callback. Raises `BadParameter` if it is not one of this machine."""
    if text is None:
        return None
    import socket

    try:
        ip = ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an IP address: give one of this machine") from None
    try:
        with socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6) as probe:
            probe.bind((text, 0))
    except OSError as error:
        raise click.BadParameter(
            f"{text} cannot be used ({error.strerror}): give an address of this machine"
        ) from None
    return str(ip)
