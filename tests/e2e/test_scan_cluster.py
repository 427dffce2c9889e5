"""A scan on a Dask cluster of two worker processes says what one process says, and behaves as well."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from checker_smtp.report.document import load
from tests.apps.scan.comparing import told
from tests.e2e.conftest import Run, Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import DEAD_RESOLVER
from tests.e2e.load_servers import crowd
from tests.e2e.scans import BRISK, arguments, domain_of, lines, listed
from tests.e2e.test_scan import ALL

DASK = ["--engine", "dask"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs="CRITICAL"
    ) as here:
        yield here


@pytest.fixture
def dask(tool: Tool, cluster: LocalCluster) -> Tool:
    """`checker-smtp scan` on this cluster."""

    def run(*arguments: str | Path) -> Run:
        return tool("scan", *arguments, *DASK, "--scheduler", cluster.scheduler_address)

    return run


def in_parts(folder: Path) -> list[dict[str, Any]]:
    """The lines of all parts, in their order."""
    return [line for part in sorted(folder.glob("part-*")) for line in lines(part)]


def names_in(folder: Path) -> list[str]:
    return [domain_of(line) for line in in_parts(folder)]


def test_it_says_what_one_process_says(lab: Lab, tool: Tool, cluster: LocalCluster, tmp_path: Path) -> None:
    """Whatever the domains are; in the order of the list, bad names among them, and packed as was asked."""
    names = listed(tmp_path, ["Bad Name", *ALL])
    assert tool(*arguments(names, tmp_path / "r.jsonl", *BRISK)).code == 0
    run = tool(
        *arguments(names, tmp_path / "r.zst", *BRISK),
        *(*DASK, "--scheduler", cluster.scheduler_address),
    )
    assert run.code == 0, run.err
    assert names_in(tmp_path / "r.zst") == ["Bad Name", *ALL]
    alone = {domain_of(line): json.dumps(line) for line in lines(tmp_path / "r.jsonl")[1:]}
    for line in in_parts(tmp_path / "r.zst")[1:]:
        assert told(load(json.dumps(line))) == told(load(alone[domain_of(line)]))
    assert f"{len(ALL)} domains" in tool("summary", tmp_path / "r.zst").out.decode()


def test_each_address_is_visited_once(dask: Tool, tmp_path: Path) -> None:
    """Though each of its domains is looked up in another part."""
    with crowd([0, 0, 0, 1, 1, 1, 2, 2, 2]) as here:
        run = dask(listed(tmp_path, here.domains(20)), "-o", tmp_path / "out", *BRISK, *here.arguments)
        assert (run.code, run.err.splitlines()[-1].split(":")[0]) == (0, "180 domains, 9 connections")
        assert sorted(visit.host for visit in here.visits) == list(range(9))
        assert sorted(domain for visit in here.visits for domain in visit.domains) == sorted(here.domains(20))
    assert names_in(tmp_path / "out") == here.domains(20)


def test_all_limits_hold_across_workers(dask: Tool, tmp_path: Path) -> None:
    providers = [0, 1, 2, 0, 1, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10]
    limits = {"concurrency": 7, "per-session": 3, "per-address": 2, "per-network": 3, "per-provider": 4}
    with crowd(providers, seconds=0.05) as here:
        run = dask(
            *(listed(tmp_path, here.domains(12)), "-o", tmp_path / "out", *here.arguments),
            *(f"--{name}={value}" for name, value in limits.items()),
            *("--delay", "0.1", "--retry-delay", "0.1", "--batch-size", "50"),
        )
        assert run.code == 0, run.err
        assert here.most(lambda host: host) == limits["per-address"]
        assert here.most(here.network) == limits["per-network"]
        assert here.most(lambda host: providers[host]) == limits["per-provider"]
        assert here.most(lambda _: 0) in (limits["concurrency"], limits["concurrency"] - 1)
    assert names_in(tmp_path / "out") == here.domains(12)


def test_who_wants_to_be_left_alone_is_and_who_wants_to_be_asked_again_is(dask: Tool, tmp_path: Path) -> None:
    with crowd([0, 1, 2], is_throttled=0, grey=1) as here:
        run = dask(
            *(listed(tmp_path, here.domains(5)), "-o", tmp_path / "out", *here.arguments),
            *("--delay", "0", "--retry-delay", "1", "--retry-deferred", str(1 / 60)),
        )
        assert run.code == 0, run.err
        assert Counter(visit.host for visit in here.visits) == {0: 2, 1: 2, 2: 1}
        assert min(here.rests()) > 0.9
    for line in in_parts(tmp_path / "out"):
        assert not {finding["code"] for finding in line["findings"]} & {
            *("smtp.banner.deferred", "smtp.null_sender.deferred", "smtp.postmaster.deferred")
        }


@pytest.mark.parametrize("moment", [0.0, 1.0])
def test_a_worker_that_is_killed_takes_nothing_with_it(
    cluster: LocalCluster, tmp_path: Path, moment: float
) -> None:
    """Who was asked for it is asked again, and as politely."""
    with crowd(range(12), seconds=0.2) as here, Client(cluster) as client:
        command = [
            *("scan", listed(tmp_path, here.domains(20)), "-o", tmp_path / "out", *here.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address),
            *("--delay", "0.1", "--per-session", "4", "--per-address", "1"),
        ]
        with running(*command) as process:
            wait_for(lambda: here.visits)
            time.sleep(moment)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            assert process.poll() is None
            assert process.wait(60) == 0
        asked = Counter(domain for visit in here.visits for domain in visit.domains)
        assert set(asked) == set(here.domains(20))
        assert max(asked.values()) <= 2
        assert here.most(lambda host: host) == 1
        assert min(here.rests()) > 0.09
    assert names_in(tmp_path / "out") == here.domains(20)
    assert len({line["findings"][0]["code"] for line in in_parts(tmp_path / "out")}) == 1


def test_who_has_moved_when_a_worker_is_killed_is_asked_where_he_is(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    """What the worker had looked up is looked up again, and nobody has been to the address found then."""
    with crowd(range(12), seconds=0.2) as here, Client(cluster) as client:
        command = [
            *("scan", listed(tmp_path, here.domains(4)), "-o", tmp_path / "out", *here.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address, "--delay", "0.1", "--no-reuse"),
        ]
        with running(*command) as process:
            wait_for(lambda: here.visits)
            here.moved = True
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            assert process.wait(60) == 0
        assert any(visit.moved for visit in here.visits)
    assert sorted(names_in(tmp_path / "out")) == sorted(here.domains(4))
    for line in in_parts(tmp_path / "out"):
        assert {
            session["purpose"] for e in line["observation"]["endpoints"] for session in e["sessions"]
        } == {"main"}


def test_nobody_is_asked_for_a_client_that_is_gone(cluster: LocalCluster, tmp_path: Path) -> None:
    with crowd(range(12), seconds=0.1) as here:
        command = [
            *("scan", listed(tmp_path, here.domains(200)), "-o", tmp_path / "out", *here.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address, "--delay", "0.5", "--per-address", "1"),
        ]
        with running(*command) as process:
            wait_for(lambda: here.visits)
            process.kill()
        time.sleep(3)
        before = len(here.visits)
        assert before < 12 * 200 / 20
        time.sleep(1.5)
        assert len(here.visits) == before


def test_a_cluster_of_its_own_is_interrupted_and_gone_on_with(dask: Tool, tmp_path: Path) -> None:
    names, out = tmp_path / "names", tmp_path / "out"
    with crowd(range(6), seconds=0.1) as here:
        listed(tmp_path, here.domains(40))
        with running(
            *("scan", names, "-o", out, *here.arguments, *DASK, "--delay", "0.2", "--batch-size", "20")
        ) as process:
            wait_for(lambda: list(out.glob("part-*")))
            # as a terminal does: to the workers as well
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert err.endswith(b"interrupted; repeat the command with --resume to continue\n")
        assert b"Traceback" not in err
        before = names_in(out)
        assert 0 < len(before) < 240
        time.sleep(0.2)
        here.visits.clear()
        run = dask(names, "-o", out, *here.arguments, "--delay", "0", "--resume")
        assert run.code == 0, run.err
        asked = {domain for visit in here.visits for domain in visit.domains}
        assert asked == set(here.domains(40)) - set(before)
    assert names_in(out)[: len(before)] == before
    assert sorted(names_in(out)) == sorted(here.domains(40))


@contextmanager
def running(*command: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "checker_smtp", *map(str, command)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_refusals(dask: Tool, tool: Tool, tmp_path: Path) -> None:
    """One sentence, exit code 3, and nothing is written."""
    names, out = listed(tmp_path, ["a.example"]), tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
    dead = ["--resolver", DEAD_RESOLVER]
    scan = partial(tool, "scan", names)
    for run, words in (
        (scan("-o", out, *DASK, "--scheduler", gone), f"the scheduler '{gone}' cannot be reached: "),
        (scan("-o", out, *DASK, "--scheduler", "tls://127.0.0.1:1"), "TLS"),
        (scan("-o", out, "--scheduler", gone), "give --engine dask as well"),
        (scan("-o", out, *DASK, "--in-order"), "--in-order cannot be used"),
        (scan("-o", out, *DASK, "--backend", "trio"), "--backend cannot be used"),
        (dask(names, "-o", out, *dead), "the resolver does not answer: "),
    ):
        assert run.code == 3
        said = [line for line in run.err.splitlines() if not line.startswith("Dask's dashboard: ")]
        assert len(said) == 1, run.err
        assert said[0].startswith("checker-smtp: ")
        assert words in said[0]
    assert not out.exists()
