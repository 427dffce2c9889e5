"""The command `vantage`: test the network of this machine before its results are trusted."""

from typing import Any

import click

from checker_smtp.cli.arguments import (
    backend_option,
    dns_timeout,
    field_option,
    print_notes,
    resolver_address,
    resolver_option,
)
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output
from checker_smtp.probes.options import Options

__all__ = ["vantage"]


@click.command(cls=ConfiguredCommand)
@field_option(Options, "controls", "Mail server to connect to; may be repeated.", "--control", metavar="HOST")
@field_option(Options, "helo_name", metavar="NAME")
@field_option(Options, "timeout", metavar="SECONDS")
@resolver_option()
@field_option(Options, "port", "Port of the controls.")
@field_option(
    Options,
    "allow_targets",
    "Also connect to this network, such as a lab; may be repeated.",
    "--allow-target",
    metavar="CIDR",
)
@backend_option()
def vantage(resolver: str | None, backend: str, **given: Any) -> int:
    """Test whether this machine can check mail servers.

    The tests are: a route for each address family, a PTR name that resolves back to the address, an EHLO name
    that resolves to this machine, and outbound port 25. Only the named controls are contacted. The exit code
    is 1 if a test fails, because checks from this machine may then be wrong.
    """
    import anyio

    from checker_smtp.api import selftest
    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.backends.network import Network
    from checker_smtp.cli.helo import is_helo_name_given, own_helo_name
    from checker_smtp.report.selftest import build_remarks, render_selftest

    asked = DnsResolver(*resolver_address(resolver), dns_timeout())
    print_notes(asked.notes)
    if not is_helo_name_given():
        own, _ = anyio.run(own_helo_name, asked, backend=backend)
        given["helo_name"] = own or given["helo_name"]
    # the domain is not used here
    options = Options(domain=given["helo_name"], **given)
    result = anyio.run(selftest, options, Network(asked), backend=backend)
    output = Output()
    output.write(render_selftest(result, output.terminal))
    return 0 if all(remark.good for remark in build_remarks(result)) else 1
