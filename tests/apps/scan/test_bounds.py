"""The memory of a scan does not grow with its list: domains without a line, and cached servers."""

import gc
from collections import Counter

import pytest

from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.schedule import ServerQueue
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, Results, listed, settings, shared, zone

pytestmark = pytest.mark.anyio

LENGTH, BATCH, IDLE, CONCURRENCY = 100, 10, 15, 3


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [True, False])
async def test_two_batches_and_the_cached_servers(monkeypatch: pytest.MonkeyPatch, reuse: bool) -> None:
    """Each domain has a server of its own, and one that all of them have."""
    monkeypatch.setattr("checker_smtp.scan.schedule._MAX_IDLE_SERVERS", IDLE)
    addresses = {f"mx{n}.host.test": f"192.0.2.{n + 1}" for n in range(LENGTH)}
    addresses["all.host.test"] = "198.51.100.1"
    own = [f"d{n}.test MX 20 mx{n}.host.test." for n in range(LENGTH)]
    names = FakeResolver("\n".join([zone(shared(LENGTH, "all.host.test"), addresses), *own]))
    internet = FakeInternet(names, dict.fromkeys(addresses.values(), RuleServer()))
    alive: list[Counter[type]] = []

    def put(number: int, _: bytes) -> None:
        if number % 5 == 0:
            alive.append(Counter(map(type, gc.get_objects())))

    scan = Scan(settings(batch_size=BATCH, concurrency=CONCURRENCY, reuse=reuse), internet, internet)
    gc.collect()
    # what is frozen is not counted: only the objects of the scan are
    gc.freeze()
    try:
        await scan.run(listed(shared(LENGTH)), Results(put))
    finally:
        gc.unfreeze()
    assert len(alive) == LENGTH // 5
    assert max(counts[DomainScan] for counts in alive) <= 2 * BATCH
    # those of the batches in progress, two for each domain, and the last one of each worker
    most = 2 * 2 * BATCH + 2 * CONCURRENCY + (IDLE if reuse else 0)
    assert max(counts[ServerQueue] for counts in alive) <= most
