"""The demo: checks every posture of the lab over the ordinary code path, and reports each in a few lines."""

from collections.abc import Callable

from checker_smtp.api import check
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.network import Network
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Severity

from .lab import run_lab

__all__ = ["run_demo"]


async def run_demo(print_line: Callable[[str], object]) -> dict[str, Result]:
    """Start the lab, check its domains one after the other, and return the results by domain.

    `print_line` is called with each line of the report.
    """
    results: dict[str, Result] = {}
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
            results[options.domain] = result
            _report(result, running.posture.description, print_line)
    return results


def _report(result: Result, description: str, print_line: Callable[[str], object]) -> None:
    print_line(f"{result.observation.domain}: {result.status.upper()}")
    print_line(f"    what it is: {description}")
    findings = [f for f in result.findings if f.severity is not Severity.INFO] or result.findings
    for finding in findings:
        print_line(f"    {finding.severity.upper():4}  {finding.code}  {finding.subject}".rstrip())
        print_line(f"          {finding.message}")
