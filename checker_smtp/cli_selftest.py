"""The command `vantage`: where this machine stands, before anybody is blamed."""

import click

from .arguments import backend_option, resolver_address

__all__ = ["vantage"]


@click.command()
@click.option(
    "--control", "controls", metavar="HOST", multiple=True, help="Knock at this mail server; may be repeated."
)
@click.option("--helo-name", metavar="NAME", default="mx-checker.happydomain.org", show_default=True)
@click.option("--timeout", metavar="SECONDS", type=float, default=12.0, show_default=True)
@click.option("--resolver", metavar="ADDR[:PORT]", help="DNS server to ask instead of the system's.")
@click.option("--port", type=int, default=25, show_default=True, help="Where the controls listen.")
@click.option(
    "--allow-target", "allowed", multiple=True, metavar="CIDR", help="Dial this network though not public."
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
    """Say what can be seen from this machine.

    A route for each address family, a name that leads back to its address, an EHLO name that leads here, and,
    towards the controls named and nobody else, whether port 25 gets out. The exit code is 1 where something
    stands in the way of a fair check.
    """
    import anyio

    from checker_smtp.backends.network import Network
    from checker_smtp.probes.options import Options
    from checker_smtp.report.selftest import remarks, render_vantage

    from .api import selftest
    from .cli_reports import terminal_of
    from .output import Output

    # the domain plays no part here; any name will do
    options = Options(
        domain=helo_name,
        helo_name=helo_name,
        timeout=timeout,
        port=port,
        controls=controls,
        allow_targets=allowed,
    )
    seen = anyio.run(selftest, options, Network(*resolver_address(resolver)), backend=backend)
    Output(None).write(render_vantage(seen, terminal_of(to_file=False)))
    return 0 if all(remark.good for remark in remarks(seen)) else 1
