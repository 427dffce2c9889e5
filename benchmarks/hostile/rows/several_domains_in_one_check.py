"""Twelve domains in one `check`, each with an MX host of 32 addresses that send all that they may."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import measure_command
from benchmarks.figures import Requirement
from benchmarks.hostile.servers import hostile_servers
from benchmarks.hostile.visits import idle_megabytes

from .addresses_of_one_host import ADDRESSES, talk

__all__ = ["run"]

_MOST_MB = 300
_DOMAINS = [f"hostile{number}.test" for number in range(12)]
_ZONE = "\n".join(
    (
        *(f"{domain} MX 10 mx.hostile.test." for domain in _DOMAINS),
        *(f"mx.hostile.test A {address}" for address in ADDRESSES),
    )
)


def run() -> Iterator[Requirement]:
    """Yield the requirement on the memory of the command."""
    with tempfile.TemporaryDirectory() as folder, hostile_servers(talk, _ZONE, ADDRESSES) as servers:
        idle = idle_megabytes(servers)
        output = Path(folder, "documents")
        cost = measure_command(["check", *_DOMAINS, "--format", "json", *servers.arguments], output)
        size = output.stat().st_size / 1e6
        with output.open("rb") as written:
            reported = sum(line.startswith(b'    "domain": "hostile') for line in written)
        yield Requirement(
            f"MB above the {idle:.0f} of an idle check: at most {_MOST_MB}",
            f"{cost.megabytes - idle:.0f} ({reported} reports in {size:.0f} MB, {cost.seconds:.0f} s)",
            cost.megabytes - idle <= _MOST_MB and reported == len(_DOMAINS),
        )
