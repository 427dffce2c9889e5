"""Two hundred clients at once, a place for a tenth of them, and the end that nobody is prepared for."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE, domain
from tests.e2e.served import IN_THE_LAB, Served, served, until

CLIENTS, PLACES, ROUNDS = 200, 20, 3
POSTURES = ("healthy", "nostarttls", "greylist", "mixed")
LOADED = (
    *IN_THE_LAB,
    *("--max-checks", str(PLACES), "--max-checks-per-client", str(PLACES)),
    *("--rate-client", "none", "--rate-domain", "none"),
    *("--rate-address", "none", "--rate-provider", "none", "--helo-name", PROBE),
)
# Seconds. The clients, the service and the lab have the same few processors here, so the slowest of twenty
# may take longer.
PROMPT, SLOWEST_OF_TWENTY = 0.05, 0.25
# octets: results are in the store, so no round leaves anything
SPARE = 10 * 1024 * 1024

# a process of its own, so that it measures the service and not its own crowd
HEALTH = """
import json, socket, sys, time
times = []
while True:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        sock.sendall(b"GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    times.append(time.perf_counter() - began)
    with open(sys.argv[2], "a") as out:
        print(times[-1], file=out)
    time.sleep(0.02)
"""


async def post(port: int, number: int) -> int:
    """The status of one check, by the page, by the protocol or by the API."""
    name = domain(POSTURES[number % len(POSTURES)])
    path, kind = ("/check", "/collect", "/api/v1/checks?wait=60")[number % 3], "application/json"
    if path == "/check":
        kind, body = "application/x-www-form-urlencoded", f"domain={name}&timeout=5"
    elif path == "/collect":
        body = json.dumps({"key": "smtp", "options": {"domain": name, "helo_name": PROBE, "timeout": 5}})
    else:
        body = json.dumps({"domain": name, "timeout": 5})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
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
    with served(*LOADED, "--store", str(tmp_path / "results.sqlite")) as here:
        measured = tmp_path / "health"
        poller = subprocess.Popen([sys.executable, "-c", HEALTH, str(here.port), str(measured)])
        try:
            until(measured.exists)
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
    assert abs(used[-1] - used[0]) < SPARE
    assert median < PROMPT
    assert slow < SLOWEST_OF_TWENTY


def ask_quietly(here: Served) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        here.collect(domain("silent"), timeout=25)


@contextlib.contextmanager
def checks_in_flight(here: Served, silence: socket.socket, count: int) -> Iterator[None]:
    """Hold as many checks at a server that accepts a connection and says nothing."""
    asking = [threading.Thread(target=ask_quietly, args=(here,)) for _ in range(count)]
    for thread in asking:
        thread.start()
    sessions = [silence.accept()[0] for _ in asking]
    until(lambda: here.inflight() == count)
    yield
    for session in sessions:
        session.close()
    for thread in asking:
        thread.join(20)
        assert not thread.is_alive()


def test_a_check_without_a_free_slot_is_refused(lab: Lab, silence: socket.socket) -> None:
    with served(*LOADED, "--max-checks", "2") as here, checks_in_flight(here, silence, 2):
        refused = [here.collect(domain("healthy"), helo_name=PROBE) for _ in range(3)]
        figures = here.ask("GET", "/metrics", port=here.metrics_port).body.decode()
    assert [answer.status for answer in refused] == [503] * 3
    assert "checker_smtp_checks_in_flight 2.0" in figures
    assert 'checker_smtp_checks_refused_total{reason="busy"} 3.0' in figures


def test_killed_in_the_middle_it_leaves_nothing(lab: Lab, silence: socket.socket, tmp_path: Path) -> None:
    with served(*LOADED, TMPDIR=str(tmp_path)) as here:
        with checks_in_flight(here, silence, 2):
            children = offspring(here.process.pid)
            here.process.send_signal(signal.SIGKILL)
            here.wait()
        assert children == ""
        assert list(tmp_path.iterdir()) == []
        # the address is free again, and nothing of before stands in the way
        with served(*LOADED, listen=f"127.0.0.1:{here.port}") as again:
            assert again.collect(domain("healthy"), helo_name=PROBE).status == 200
            assert again.inflight() == 0
