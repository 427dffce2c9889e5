"""The demo: every posture of the lab, checked over the ordinary code path, told in a few lines each."""

from collections.abc import Callable
from pathlib import Path

from checker_smtp.api import check
from checker_smtp.backends.network import Network
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Severity

from .lab import lab

__all__ = ["run_demo", "write_pages"]


async def run_demo(say: Callable[[str], object]) -> dict[str, Result]:
    """Start the lab, check its domains one after the other, `say` what was found; the results by domain."""
    results: dict[str, Result] = {}
    async with lab() as running:
        for place in running:
            host, _, port = place.resolver.rpartition(":")
            options = Options(
                domain=place.posture.domain,
                helo_name="probe.demo.test",
                port=place.port,
                allow_targets=("127.0.0.0/8",),
            )
            result = await check(options, Network(host, int(port)), resolver_name=place.resolver)
            results[options.domain] = result
            _tell(result, place.posture.what, say)
    return results


def write_pages(results: dict[str, Result], folder: Path) -> Path:
    """Write a page for each domain and an index, `report.html`, to `folder`; the index's path."""
    from checker_smtp.report.html import render_html, render_index

    folder.mkdir(parents=True, exist_ok=True)
    for domain, result in results.items():
        (folder / f"{domain}.html").write_text(render_html(result), encoding="utf-8")
    index = folder / "report.html"
    links = [(domain, f"{domain}.html", result.status) for domain, result in results.items()]
    index.write_text(render_index(links), encoding="utf-8")
    return index


def _tell(result: Result, what: str, say: Callable[[str], object]) -> None:
    say(f"{result.observation.domain}: {result.status.upper()}")
    say(f"    what it is: {what}")
    shown = [f for f in result.findings if f.severity is not Severity.INFO] or result.findings
    for finding in shown:
        say(f"    {finding.severity.upper():4}  {finding.code}  {finding.subject}".rstrip())
        say(f"          {finding.message}")
