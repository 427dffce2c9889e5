"""Two hundred clients at once, a place for a tenth of them, and the end that nobody is prepared for."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE, domain
from tests.e2e.served import IN_THE_LAB, Served, served

CLIENTS, PLACES, ROUNDS = 200, 20, 3
POSTURES = ("healthy", "nostarttls", "greylist", "mixed")
LOADED = (
    *IN_THE_LAB,
    *("--max-checks", str(PLACES), "--max-checks-per-client", str(PLACES)),
    *("--rate-client", "none", "--rate-domain", "none"),
)
# Seconds. What is asked for is 0.1 at all times; the clients, the service and the lab have the same few
# processors here, so the slowest of twenty may take longer.
PROMPT, SLOWEST_OF_TWENTY = 0.1, 0.25
# octets: the last two hundred results of the page are kept, and fill up meanwhile
SPARE = 24 * 1024 * 1024

# a process of its own, so that it measures the service and not its own crowd
HEALTH = """
import json, socket, sys, time
times = []
while True:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        sock.sendall(b"GET /health HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    times.append(time.perf_counter() - began)
    with open(sys.argv[2], "a") as out:
        print(times[-1], file=out)
    time.sleep(0.02)
"""


async def post(port: int, number: int) -> int:
    """The status of one check, by the page or by the protocol."""
    name = domain(POSTURES[number % len(POSTURES)])
    if number % 2:
        path, kind = "/check", "application/x-www-form-urlencoded"
        body = f"domain={name}&helo_name={PROBE}&timeout=5"
    else:
        path, kind = "/collect", "application/json"
        body = json.dumps({"key": "smtp", "options": {"domain": name, "helo_name": PROBE, "timeout": 5}})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    answer = await reader.read()
    writer.close()
    assert len(answer) > 100
    return int(answer.split(b" ", 2)[1])


async def crowd(port: int) -> list[int]:
    return await asyncio.gather(*(post(port, number) for number in range(CLIENTS)))


def memory(here: Served) -> int:
    """Octets of memory that the process has now."""
    pages = int(Path(f"/proc/{here.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def offspring(pid: int) -> str:
    """The processes that this one started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_two_hundred_at_once(lab: Lab, tmp_path: Path) -> None:
    with served(*LOADED) as here:
        measured = tmp_path / "health"
        poller = subprocess.Popen([sys.executable, "-c", HEALTH, str(here.port), str(measured)])
        try:
            statuses: Counter[int] = Counter()
            used = []
            for _ in range(ROUNDS):
                statuses.update(asyncio.run(crowd(here.port)))
                used.append(memory(here))
            assert poller.poll() is None
        finally:
            poller.kill()
            poller.wait()
        figures = here.ask("GET", "/metrics", port=here.metrics_port).body.decode()
        assert "Traceback" not in here.log

    times = sorted(map(float, measured.read_text().split()))
    median, slow = times[len(times) // 2], times[len(times) * 19 // 20]
    sys.stdout.write(
        f"\n{dict(statuses)}, {[octets >> 20 for octets in used]} MiB; /health, {len(times)} times: "
        f"median {median:.3f} s, 95 % within {slow:.3f} s, the slowest {times[-1]:.3f} s\n"
    )
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] >= ROUNDS * PLACES
    assert "checker_smtp_checks_in_flight 0.0" in figures
    assert used[-1] - used[0] < SPARE
    assert median < PROMPT
    assert slow < SLOWEST_OF_TWENTY


def test_a_check_without_a_free_slot_is_refused(lab: Lab) -> None:
    few = ("--max-checks", "2")
    with served(*LOADED, *few) as here:
        statuses = Counter(asyncio.run(crowd(here.port)))
        figures = here.ask("GET", "/metrics", port=here.metrics_port).body.decode()
    assert set(statuses) == {200, 503}
    assert f'checker_smtp_checks_refused_total{{reason="busy"}} {statuses[503]:.1f}' in figures


def test_killed_in_the_middle_it_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    with served(*LOADED, TMPDIR=str(tmp_path)) as here:
        children: list[str] = []

        async def kill_in_the_middle() -> list[int | BaseException]:
            asking = [asyncio.create_task(post(here.port, number)) for number in range(CLIENTS)]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            children.append(offspring(here.process.pid))
            here.process.send_signal(signal.SIGKILL)
            return await asyncio.gather(*asking, return_exceptions=True)

        ended = asyncio.run(kill_in_the_middle())
        assert any(isinstance(answer, BaseException) for answer in ended)
        here.wait()
        assert children == [""]
        assert list(tmp_path.iterdir()) == []
        # the address is free again, and nothing of before stands in the way
        with served(*LOADED, listen=f"127.0.0.1:{here.port}") as again:
            assert again.collect(domain("healthy"), helo_name=PROBE).status == 200
            assert again.inflight() == 0
