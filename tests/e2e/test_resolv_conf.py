"""The system's resolvers over real sockets, in a network namespace with a resolv.conf of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = "nameserver 127.0.10.53\n"


@pytest.fixture
def resolved(tmp_path: Path) -> Any:
    """Return what becomes of a question where resolv.conf has this text."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")

    def resolve(text: str) -> dict[str, Any]:
        path = tmp_path / "resolv.conf"
        path.write_text(text)
        namespaces = ["unshare", "-n", "-m", "--propagation", "private"]
        command = [*namespaces, sys.executable, "-m", "tests.e2e.resolv_conf", str(path)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    return resolve


def test_a_scoped_link_local_server(resolved: Any) -> None:
    result = resolved("nameserver fe80::53%lnk0\n")
    assert (result["status"], result["notes"]) == ("answer", [])


@pytest.mark.parametrize("line", ["fe80::53", "fe80::53%wlan9", "localhost", "127.0.10.53:53"])
def test_a_bad_line_beside_a_good_one(resolved: Any, line: str) -> None:
    result = resolved(f"nameserver {line}\n{GOOD}")
    assert (result["status"], len(result["notes"])) == ("answer", 1)


def test_a_silent_first_server_costs_half_a_second_once(resolved: Any) -> None:
    result = resolved(f"nameserver 127.0.10.58\n{GOOD}")
    first, *later = result["seconds"]
    assert result["status"] == "answer"
    assert 0.5 <= first < 2
    assert max(later) < 0.5


@pytest.mark.parametrize("text", ["nameserver 127.0.10.99\n", ""])
def test_no_server_listens(resolved: Any, text: str) -> None:
    result = resolved(text)
    assert result["status"] == "unusable"
    assert max(result["seconds"]) < 1
