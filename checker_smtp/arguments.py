"""Arguments that more than one command takes, read alike."""

import re
from contextlib import suppress
from ipaddress import ip_address

import click

__all__ = ["resolver_address"]


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
