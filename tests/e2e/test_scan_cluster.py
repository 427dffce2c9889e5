"""A scan on a Dask cluster of two worker processes says what one process says, and behaves as well."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from report.document import load
from tests.apps.scan.comparing import told
from tests.e2e.conftest import Run, Tool
from tests.e2e.crowd import Crowd, crowd
from tests.e2e.lab import Lab
from tests.e2e.scans import BRISK, arguments, domain_of, lines, listed
from tests.e2e.test_scan import ALL

DASK = ["--engine", "dask"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs="CRITICAL"
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


def test_each_address_is_visited_once(dask: Tool, tmp_path: Path) -> None:
    """Though each of its domains is looked up in another part."""
    with crowd([0, 0, 0, 1, 1, 1, 2, 2, 2]) as here:
        run = dask(listed(tmp_path, here.domains(20)), "-o", tmp_path / "out", *BRISK, *here.arguments)
        assert (run.code, run.err.splitlines()[-1].split(":")[0]) == (0, "180 domains, 9 connections")
        assert sorted(visit.host for visit in here.visits) == list(range(9))
        assert sorted(sum((visit.domains for visit in here.visits), [])) == sorted(here.domains(20))
    assert names_in(tmp_path / "out") == here.domains(20)


def test_all_limits_hold_across_workers(dask: Tool, tmp_path: Path) -> None:
    providers = [0, 1, 2, 0, 1, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10]
    limits = {"concurrency": 7, "per-session": 3, "per-address": 2, "per-network": 3, "per-provider": 4}
    with crowd(providers, seconds=0.05) as here:
        run = dask(
            *(listed(tmp_path, here.domains(12)), "-o", tmp_path / "out", *here.arguments),
            *(f"--{name}={value}" for name, value in limits.items()),
            *("--pause", "0.1", "--backoff", "0.1", "--window", "50"),
        )
        assert run.code == 0, run.err
        assert here.most(lambda host: host) == limits["per-address"]
        assert here.most(here.network) == limits["per-network"]
        assert here.most(lambda host: providers[host]) == limits["per-provider"]
        assert here.most(lambda _: 0) in (limits["concurrency"], limits["concurrency"] - 1)
        assert min(here.rests()) > 0.09
    assert names_in(tmp_path / "out") == here.domains(12)


def test_who_wants_to_be_left_alone_is_and_who_wants_to_be_asked_again_is(dask: Tool, tmp_path: Path) -> None:
    with crowd([0, 1, 2], busy=0, grey=1) as here:
        run = dask(
            *(listed(tmp_path, here.domains(5)), "-o", tmp_path / "out", *here.arguments),
            *("--pause", "0", "--backoff", "1", "--revisit", str(1 / 60)),
        )
        assert run.code == 0, run.err
        assert Counter(visit.host for visit in here.visits) == {0: 2, 1: 2, 2: 1}
        assert min(here.rests()) > 0.9
    for line in in_parts(tmp_path / "out"):
        assert not {finding["code"] for finding in line["findings"]} & {
            *("smtp.banner.deferred", "smtp.null_sender.deferred", "smtp.postmaster.deferred")
        }


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.5])
def test_a_worker_that_is_killed_takes_nothing_with_it(
    dask: Tool, cluster: LocalCluster, tmp_path: Path, moment: float
) -> None:
    with crowd(range(12), seconds=0.2) as here, Client(cluster) as client:
        names = listed(tmp_path, here.domains(30))
        command = [
            *("scan", names, "-o", tmp_path / "out", *here.arguments, *DASK),
            *("--scheduler", cluster.scheduler_address, "--pause", "0.1", "--per-session", "5"),
        ]
        with subprocess.Popen([sys.executable, "-m", "checker_smtp", *map(str, command)]) as process:
            try:
                while not here.visits:
                    time.sleep(0.01)
                time.sleep(moment)
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
                assert process.poll() is None
                assert process.wait(60) == 0
            finally:
                process.kill()
        asked = Counter(domain for visit in here.visits for domain in visit.domains)
        assert set(asked) == set(here.domains(30))
        assert max(asked.values()) <= 2
        assert here.most(lambda host: host) <= 2
    assert names_in(tmp_path / "out") == here.domains(30)
    assert {line["status"] for line in in_parts(tmp_path / "out")} == {
        in_parts(tmp_path / "out")[0]["status"]
    }
