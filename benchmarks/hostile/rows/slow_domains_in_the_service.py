"""Two clients that ask `serve` for 20 slow domains each, while others ask for one."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Requirement
from benchmarks.hostile.servers import hostile_servers
from benchmarks.hostile.service import running_service

__all__ = ["run"]

_DOMAINS = [f"slow{number}.test" for number in range(40)]
_ZONE = "\n".join((*(f"{domain} MX 10 mx.slow.test." for domain in _DOMAINS), "mx.slow.test A 127.0.0.1"))
_QUARTER = 5
_MOST_SECONDS = 5.0


def run() -> Iterator[Requirement]:
    """Yield the requirements on the slots of the two, and on the check of a third client."""
    with (
        hostile_servers(_say_nothing, f"{_ZONE}\nother.test MX 0 .", ["127.0.0.1"]) as servers,
        running_service(*servers.arguments, "--rate-address", "none", "--rate-provider", "none") as service,
        ThreadPoolExecutor(len(_DOMAINS)) as clients,
    ):
        # addresses of one /48 are one client
        asked = [
            clients.submit(service.check, domain, f"2001:db8:{number % 2}:{number:x}::1")
            for number, domain in enumerate(_DOMAINS)
        ]
        while sum(one.done() for one in asked) < len(_DOMAINS) - 2 * _QUARTER:
            time.sleep(0.05)
        other = service.check("other.test", "192.0.2.1")
        held = sum(not one.done() for one in asked)
        service_ended = [one.result().status for one in asked if one.done()]
        yield Requirement(
            f"slots of 20 that two clients hold, at most {2 * _QUARTER}",
            f"{held} (the others got {sorted(set(service_ended))})",
            held <= 2 * _QUARTER and set(service_ended) == {429},
        )
        yield Requirement(
            f"seconds for the check of a third one, at most {_MOST_SECONDS:g}",
            f"{other.seconds:.1f} (status {other.status})",
            other.status == 200 and other.seconds <= _MOST_SECONDS,
        )


def _say_nothing(connection: socket.socket) -> None:
    connection.recv(1)
