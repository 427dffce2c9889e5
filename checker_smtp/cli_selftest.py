"""The command `vantage`: test the network of this machine before its results are trusted."""

import click

from .arguments import backend_option, dns_timeout, print_notes, resolver_address

__all__ = ["vantage"]


@click.command()
@click.option(
    "--control", "controls", metavar="HOST", multiple=True, help="Mail server to connect to; may be repeated."
)
@click.option("--helo-name", metavar="NAME", default="mx-checker.happydomain.org", show_default=True)
@click.option("--timeout", metavar="SECONDS", type=float, default=12.0, show_default=True)
@click.option("--resolver", metavar="ADDR[:PORT]", help="DNS server to use in place of the system's.")
@click.option("--port", type=int, default=25, show_default=True, help="Port of the controls.")
@click.option(
    "--allow-target",
    "allowed",
    multiple=True,
    metavar="CIDR",
    help="Also connect to this network, such as a lab; may be repeated.",
)
@backend_option()
def vantage(
    controls: tuple[str, ...],
    helo_name: str,
    timeout: float,
    resolver: str | None,
    port: int,
    allowed: tuple[str, ...],
    backend: str,
) -> int:
    """Test whether this machine can check mail servers.

    The tests are: a route for each address family, a PTR name that resolves back to the address, an EHLO name
    that resolves to this machine, and outbound port 25. Only the named controls are contacted. The exit code
    is 1 if a test fails, because checks from this machine may then be wrong.
    """
    import anyio

    from checker_smtp.backends.network import Network
    from checker_smtp.probes.options import Options
    from checker_smtp.report.selftest import build_remarks, render_selftest

    from .api import selftest
    from .cli_reports import terminal_of
    from .output import Output

    # the domain is not used here
    options = Options(
        domain=helo_name,
        helo_name=helo_name,
        timeout=timeout,
        port=port,
        controls=controls,
        allow_targets=allowed,
    )
    network = Network(*resolver_address(resolver), dns_timeout())
    print_notes(network.resolver.notes)
    result = anyio.run(selftest, options, network, backend=backend)
    Output(None).write(render_selftest(result, terminal_of(to_file=False)))
    return 0 if all(remark.good for remark in build_remarks(result)) else 1
