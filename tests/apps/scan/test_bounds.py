"""What a scan keeps does not grow with its list: domains without a line, and servers that are known."""

import gc
from collections import Counter

import pytest

from checker_smtp.scan.domain_list import Entry
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.server_queue import ServerQueue
from tests.apps.scan.fake_internet import Town, settings, shared, zone
from tests.probes.hosts import Host
from tests.probes.world import Names

pytestmark = pytest.mark.anyio

LENGTH, WINDOW, KNOWN, CONCURRENCY = 100, 10, 15, 3


@pytest.mark.parametrize("sharing", [True, False])
async def test_two_windows_and_the_servers_that_are_known(
    monkeypatch: pytest.MonkeyPatch, sharing: bool
) -> None:
    """Each domain has a server of its own, and one that all of them have."""
    monkeypatch.setattr("checker_smtp.scan.scan._MAX_IDLE_SERVERS", KNOWN)
    addresses = {f"mx{n}.host.test": f"192.0.2.{n + 1}" for n in range(LENGTH)}
    addresses["all.host.test"] = "198.51.100.1"
    own = [f"d{n}.test MX 20 mx{n}.host.test." for n in range(LENGTH)]
    names = Names("\n".join([zone(shared(LENGTH, "all.host.test"), addresses), *own]))
    here = Town(names, dict.fromkeys(addresses.values(), Host()))
    alive: list[Counter[type]] = []

    def write(number: int, _: bytes) -> None:
        if number % 5 == 0:
            alive.append(Counter(map(type, gc.get_objects())))

    scan = Scan(settings(batch_size=WINDOW, concurrency=CONCURRENCY, reuse=sharing), here, write)
    gc.collect()
    await scan.run(map(Entry, shared(LENGTH)))
    assert len(alive) == LENGTH // 5
    assert max(seen[DomainScan] for seen in alive) <= 2 * WINDOW
    # those of the windows under way, two for each domain, and what whoever asks asked last
    most = 2 * 2 * WINDOW + 2 * CONCURRENCY + (KNOWN if sharing else 0)
    assert max(seen[ServerQueue] for seen in alive) <= most
