"""Checks of hostile domains by the command line, and the limits of their cost."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import CommandCost, measure_command
from benchmarks.figures import Requirement

from .servers import HostileServers

__all__ = ["idle_megabytes", "kept_octets", "requirements"]

_MOST_EVIDENCE = 8 * 1024 * 1024


def requirements(servers: HostileServers, domain: str, most_mb: int) -> Iterator[Requirement]:
    """Check `domain`, and yield what is required of the memory and of the evidence kept.

    `most_mb` is the memory above that of a check of a domain that does not exist.
    """
    idle = idle_megabytes(servers)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "document")
        for form in ("json", "html"):
            cost = _check(servers, domain, form, output)
            above = cost.megabytes - idle
            size = output.stat().st_size / 1e6
            figure = (
                f"{above:.0f} ({size:.1f} MB of output, {cost.seconds:.0f} s, {cost.processor:.0f} s of CPU)"
            )
            yield Requirement(
                f"MB above the {idle:.0f} of an idle check, --format {form}: at most {most_mb}",
                figure,
                above <= most_mb,
            )
            if form == "json":
                kept = kept_octets(output)
                most = f"MiB of evidence in the document, at most {_MOST_EVIDENCE >> 20}"
                yield Requirement(most, f"{kept / (1 << 20):.1f}", kept <= _MOST_EVIDENCE)


def idle_megabytes(servers: HostileServers) -> float:
    """Return the peak of a check that connects to nobody."""
    return measure_command(["check", "missing.test", *servers.arguments]).megabytes


def kept_octets(document: Path) -> int:
    """Return the octets of all transcripts and DNS answers in a JSON document."""
    observation = json.loads(document.read_bytes())["observation"]
    entries = (
        entry
        for endpoint in observation["endpoints"]
        for session in endpoint["sessions"]
        for entry in session["transcript"]
    )
    octets = sum(len(entry.get("got", "")) + len(entry.get("data", "")) for entry in entries)
    return octets + sum(len(record) for answer in observation["dns"] for record in answer["records"])


def _check(servers: HostileServers, domain: str, form: str, output: Path) -> CommandCost:
    arguments = ["check", domain, "--format", form, *servers.arguments]
    return measure_command(arguments, output)
