"""Four anonymous checks at once in `serve`, of one MX host with 32 addresses that send all that they may."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Requirement
from benchmarks.hostile.servers import hostile_servers
from benchmarks.hostile.service import running_service

from .addresses_of_one_host import ADDRESSES, talk

__all__ = ["run"]

_MOST_MB = 200
_DOMAINS = [f"hostile{number}.test" for number in range(4)]
_ZONE = "\n".join(
    (
        *(f"{domain} MX 10 mx.hostile.test." for domain in _DOMAINS),
        *(f"mx.hostile.test A {address}" for address in ADDRESSES),
    )
)


def run() -> Iterator[Requirement]:
    """Yield the requirement on the memory of the service."""
    with (
        hostile_servers(talk, _ZONE, ADDRESSES) as servers,
        running_service(*servers.arguments) as service,
        ThreadPoolExecutor() as clients,
    ):
        service.get("/check")
        idle = service.megabytes
        answers = list(clients.map(lambda n: service.check(_DOMAINS[n], f"192.0.2.{n}"), range(4)))
        checked = sum(b'class="report"' in answer.body for answer in answers)
        slowest = max(answer.seconds for answer in answers)
        yield Requirement(
            f"MB of the service, at most {_MOST_MB}",
            f"{service.megabytes:.0f} ({idle:.0f} when idle; {checked} reports, {slowest:.0f} s)",
            service.megabytes <= _MOST_MB and checked == len(_DOMAINS),
        )
