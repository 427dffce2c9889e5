"""The demo: check every posture of the lab over the ordinary code path."""

from collections.abc import Callable

from checker_smtp.api import check
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.network import Network
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result

from .lab import run_lab

__all__ = ["run_demo"]


async def run_demo(report: Callable[[Result, str], object]) -> list[Result]:
    """Start the lab, check its domains one after the other, and return the results.

    `report` is called with each result at once, and with the description of its domain.
    """
    results: list[Result] = []
    async with run_lab() as postures:
        for running in postures:
            host, _, port = running.resolver.rpartition(":")
            options = Options(
                domain=running.posture.domain,
                helo_name="probe.demo.test",
                port=running.port,
                allow_targets=("127.0.0.0/8",),
            )
            result = await check(
                options, Network(DnsResolver(host, int(port))), resolver_name=running.resolver
            )
            results.append(result)
            report(result, running.posture.description)
    return results
