"""A scan on a Dask cluster of two workers reports the same as one process, within the same limits."""

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
from tests.apps.scan.comparing import comparable
from tests.e2e.conftest import Run, Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import DEAD_RESOLVER
from tests.e2e.load_servers import load_servers
from tests.e2e.scans import BRISK, arguments, domain_of, lines, listed
from tests.e2e.test_scan import ALL

DASK = ["--engine", "dask"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs="CRITICAL"
    ) as local_cluster:
        yield local_cluster


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


def test_each_result_equals_that_of_one_process(
    lab: Lab, tool: Tool, cluster: LocalCluster, tmp_path: Path
) -> None:
    """For all kinds of domains, in the order of the list, invalid names among them, and compressed."""
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
        assert comparable(load(json.dumps(line))) == comparable(load(alone[domain_of(line)]))
    assert f"{len(ALL)} domains" in tool("summary", tmp_path / "r.zst").out.decode()


def test_each_address_is_probed_once(dask: Tool, tmp_path: Path) -> None:
    """Even if each of its domains is resolved in another part."""
    with load_servers([0, 0, 0, 1, 1, 1, 2, 2, 2]) as servers:
        run = dask(listed(tmp_path, servers.domains(20)), "-o", tmp_path / "out", *BRISK, *servers.arguments)
        assert (run.code, run.err.splitlines()[-1].split(":")[0]) == (0, "180 domains, 9 connections")
        assert sorted(session.host for session in servers.sessions) == list(range(9))
        assert sorted(domain for session in servers.sessions for domain in session.domains) == sorted(
            servers.domains(20)
        )
    assert names_in(tmp_path / "out") == servers.domains(20)


def test_all_limits_hold_across_workers(dask: Tool, tmp_path: Path) -> None:
    providers = [0, 1, 2, 0, 1, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10]
    limits = {"concurrency": 7, "per-session": 3, "per-address": 2, "per-network": 3, "per-provider": 4}
    with load_servers(providers, seconds=0.05) as servers:
        run = dask(
            *(listed(tmp_path, servers.domains(12)), "-o", tmp_path / "out", *servers.arguments),
            *(f"--{name}={value}" for name, value in limits.items()),
            *("--delay", "0.1", "--retry-delay", "0.1", "--batch-size", "50"),
        )
        assert run.code == 0, run.err
        assert servers.most(lambda host: host) == limits["per-address"]
        assert servers.most(servers.network) == limits["per-network"]
        assert servers.most(lambda host: providers[host]) == limits["per-provider"]
        assert servers.most(lambda _: 0) in (limits["concurrency"], limits["concurrency"] - 1)
    assert names_in(tmp_path / "out") == servers.domains(12)


def test_a_batch_that_ends_early_is_continued(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each domain has its line, although a task holds the results of a few domains only."""
    monkeypatch.setattr("checker_smtp.scan.dask.tasks._MAX_PACKED", 16 * 1024)
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            processes=False,
            protocol="tcp://",
            dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as in_this_process,
        load_servers([0, 1, 2]) as servers,
    ):
        run = tool(
            *("scan", listed(tmp_path, servers.domains(60)), "-o", tmp_path / "out", *servers.arguments),
            *(*BRISK, *DASK, "--scheduler", in_this_process.scheduler_address, "--per-session", "4"),
        )
        assert run.code == 0, run.err
    assert len(list((tmp_path / "out").glob("part-*"))) > 4
    assert sorted(names_in(tmp_path / "out")) == sorted(servers.domains(60))


def test_throttled_servers_and_deferred_domains_are_retried(dask: Tool, tmp_path: Path) -> None:
    with load_servers([0, 1, 2], busy=0, grey=1) as servers:
        run = dask(
            *(listed(tmp_path, servers.domains(4)), "-o", tmp_path / "out", *servers.arguments),
            *("--delay", "0", "--retry-delay", "1", "--retry-deferred", str(1 / 60)),
        )
        assert run.code == 0, run.err
        assert Counter(session.host for session in servers.sessions) == {0: 2, 1: 2, 2: 1}
        assert min(servers.pauses()) > 0.9
    for line in in_parts(tmp_path / "out"):
        assert not {finding["code"] for finding in line["findings"]} & {
            *("smtp.banner.deferred", "smtp.null_sender.deferred", "smtp.postmaster.deferred")
        }


@pytest.mark.parametrize("ended", [0, 20])
def test_a_killed_worker_loses_nothing(cluster: LocalCluster, tmp_path: Path, ended: int) -> None:
    """Its sessions are repeated, within the same limits."""
    with load_servers(range(12), seconds=0.2) as servers, Client(cluster) as client:
        command = [
            *("scan", listed(tmp_path, servers.domains(20)), "-o", tmp_path / "out", *servers.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address),
            *("--delay", "0.1", "--per-session", "4", "--per-address", "1"),
        ]
        with running(*command) as process:
            wait_for(lambda: servers.sessions and len(servers.ended) >= ended)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            assert process.poll() is None
            assert process.wait(60) == 0
        asked = Counter(domain for session in servers.sessions for domain in session.domains)
        assert set(asked) == set(servers.domains(20))
        assert max(asked.values()) <= 2
        assert servers.most(lambda host: host) == 1
        assert min(servers.pauses()) > 0.09
    assert names_in(tmp_path / "out") == servers.domains(20)
    assert len({line["findings"][0]["code"] for line in in_parts(tmp_path / "out")}) == 1


def test_a_host_that_moved_when_a_worker_was_killed_is_probed_at_its_new_address(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    """The worker's lookups are repeated, and no task has probed the address that is found then."""
    with load_servers(range(12), seconds=0.2) as servers, Client(cluster) as client:
        command = [
            *("scan", listed(tmp_path, servers.domains(4)), "-o", tmp_path / "out", *servers.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address, "--delay", "0.1", "--no-reuse"),
        ]
        with running(*command) as process:
            wait_for(lambda: servers.sessions)
            servers.moved = True
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            assert process.wait(60) == 0
        assert any(session.moved for session in servers.sessions)
    assert sorted(names_in(tmp_path / "out")) == sorted(servers.domains(4))
    for line in in_parts(tmp_path / "out"):
        assert {
            session["purpose"] for e in line["observation"]["endpoints"] for session in e["sessions"]
        } == {"main"}


def test_a_client_that_is_killed_ends_the_sessions(cluster: LocalCluster, tmp_path: Path) -> None:
    with load_servers(range(12), seconds=0.1) as servers, Client(cluster) as client:
        command = [
            *("scan", listed(tmp_path, servers.domains(200)), "-o", tmp_path / "out", *servers.arguments),
            *(*DASK, "--scheduler", cluster.scheduler_address, "--delay", "0.5", "--per-address", "1"),
        ]
        with running(*command) as process:
            wait_for(lambda: servers.sessions)
            process.kill()
        # without a task nobody is left to begin another session
        wait_for(lambda: not any(client.run(lambda dask_worker: len(dask_worker.state.tasks)).values()))
        assert len(servers.sessions) < 12 * 200 / 20
        wait_for(lambda: len(servers.ended) == len(servers.sessions))


def test_a_local_cluster_is_interrupted_and_continued(dask: Tool, tmp_path: Path) -> None:
    names, out = tmp_path / "names", tmp_path / "out"
    with load_servers(range(6), seconds=0.1) as servers:
        listed(tmp_path, servers.domains(40))
        with running(
            *("scan", names, "-o", out, *servers.arguments, *DASK, "--delay", "0.2", "--batch-size", "20")
        ) as process:
            wait_for(lambda: list(out.glob("part-*")))
            # as a terminal does, which signals the workers as well
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert err.endswith(b"interrupted; repeat the command with --resume to continue\n")
        assert b"Traceback" not in err
        before = names_in(out)
        assert 0 < len(before) < 240
        wait_for(lambda: len(servers.ended) == len(servers.sessions))
        servers.sessions.clear()
        run = dask(names, "-o", out, *servers.arguments, "--delay", "0", "--resume")
        assert run.code == 0, run.err
        asked = {domain for session in servers.sessions for domain in session.domains}
        assert asked == set(servers.domains(40)) - set(before)
    assert names_in(out)[: len(before)] == before
    assert sorted(names_in(out)) == sorted(servers.domains(40))


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


def test_usage_errors(dask: Tool, tool: Tool, tmp_path: Path) -> None:
    """One message, exit code 3, and nothing is written."""
    names, out = listed(tmp_path, ["a.example"]), tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
    dead = ["--resolver", DEAD_RESOLVER]
    scan = partial(tool, "scan", names)
    for run, words in (
        (scan("-o", out, *DASK, "--scheduler", gone), f"the scheduler '{gone}' cannot be reached: "),
        (scan("-o", out, *DASK, "--scheduler", "tls://127.0.0.1:1"), "TLS"),
        (scan("-o", out, "--scheduler", gone), "Give --engine dask as well"),
        (scan("-o", out, *DASK, "--in-order"), "--in-order cannot be used"),
        (scan("-o", out, *DASK, "--backend", "trio"), "--backend cannot be used"),
        (dask(names, "-o", out, *dead), "the resolver cannot be used: "),
    ):
        assert run.code == 3
        errors = [line for line in run.err.splitlines() if not line.startswith("Dask's dashboard: ")]
        assert len(errors) == 1, run.err
        assert errors[0].startswith("checker-smtp: ")
        assert words in errors[0]
    assert not out.exists()
