"""The options of a check on the command line, and the `Options` that they make."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from checker_smtp.probes.options import OptionError, Options

from .arguments import CommandT, field_option, fields_from, split_port
from .source_address import families_of

__all__ = ["check_options", "mail_servers", "options_from"]

_option = partial(field_option, Options)
_CHECK_OPTIONS = (
    _option(
        "helo_name",
        "Host name in EHLO; it should resolve to the address of this machine, and back.",
        metavar="NAME",
    ),
    _option("timeout", "Longest wait for any one reply; one server gets five times that.", metavar="SECONDS"),
    _option("test_null_sender", "Do not test whether bounces are accepted."),
    _option("test_postmaster", "Do not test whether mail for postmaster is accepted."),
    _option("test_open_relay", "Do not test whether mail for other domains is accepted."),
    _option("test_probe_address", "Recipient at another domain for the open relay test.", metavar="ADDRESS"),
    click.option("--ipv4", is_flag=True, help="Use IPv4 only."),
    click.option("--ipv6", is_flag=True, help="Use IPv6 only."),
    _option("port", "Port of the mail servers."),
    _option(
        "allow_targets",
        "Also connect to addresses in this network, such as a lab; may be repeated.",
        "--allow-target",
        metavar="CIDR",
    ),
    _option(
        "controls",
        "Mail server to connect to if endpoints do not answer, to test port 25 of this machine.",
        "--control",
        metavar="HOST",
    ),
    _option(
        "retry_deferred",
        "Retry a server that deferred, as greylisting does, once after MINUTES.",
        metavar="MINUTES",
        show_default=False,
    ),
    _option(
        "rule_options",
        "Option of a rule, as `checker-smtp rules` lists them; may be repeated.",
        "--rule-option",
        metavar="NAME=VALUE",
    ),
)


def check_options(command: CommandT) -> CommandT:
    """Add the options of a check to a command; `options_from` converts their values."""
    for option in reversed(_CHECK_OPTIONS):
        command = option(command)
    return command


def options_from(domain: str, given: Mapping[str, Any], source_address: str | None = None) -> Options:
    """Convert the values of `check_options` to options for `domain`. Raises `OptionError`.

    `source_address` is the address that connections begin at: only its family is used.
    """
    values = fields_from(Options, given)
    if given["ipv4"] == given["ipv6"]:
        # both families, without one of the two options
        values |= {"ipv4": True, "ipv6": True}
    for family, is_usable in families_of(source_address).items():
        if given[family] and not is_usable:
            raise OptionError(
                family,
                f"--{family} cannot be used with the source address {source_address}: omit one of the two",
            )
        values[family] = is_usable
    return Options(domain=domain, **values)


def mail_servers(texts: Sequence[str], port: int) -> dict[str, Any]:
    """Return the fields `mx` and `port` of `Options` for the values of `--mx`.

    `port` is that of `--port`. All servers of a check have one port. Raises `OptionError`.
    """
    servers = [split_port(text) for text in texts]
    ports = {port if own is None else own for _, own in servers}
    if len(ports) > 1:
        raise OptionError(
            "mx",
            f"the mail servers have different ports ({', '.join(map(str, sorted(ports)))}): a check has one, "
            "so give the same one with each, or check them one by one",
        )
    return {"mx": tuple(host for host, _ in servers), "port": ports.pop() if ports else port}
