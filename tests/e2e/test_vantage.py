"""`vantage` and `check --control` against the lab: who is knocked at, and what is concluded."""

import json

import pytest

from tests.e2e.conftest import ASKED, Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import RESOLVER


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_control_that_answers_shows_that_the_port_leaves(lab: Lab, tool: Tool, backend: str) -> None:
    done = tool(
        "vantage", *ASKED, "--resolver", RESOLVER, "--control", "mx.healthy.e2e.test", "--backend", backend
    )
    told = " ".join(done.out.decode().split())
    assert done.err == ""
    assert "mx.healthy.e2e.test (127." in told
    assert "the port is open from here over IPv4" in told


def test_a_control_that_refuses_stands_in_the_way(lab: Lab, tool: Tool) -> None:
    done = tool("vantage", *ASKED, "--resolver", RESOLVER, "--control", "mx.refused.e2e.test")
    assert done.code == 1
    assert "does not accept connections (refused)" in " ".join(done.out.decode().split())


def test_a_control_is_left_alone_where_everything_answers(lab: Lab, tool: Tool) -> None:
    done = tool(
        "check",
        "healthy.e2e.test",
        *ASKED,
        "--resolver",
        RESOLVER,
        "--control",
        "mx.openrelay.e2e.test",
        "--format",
        "json",
    )
    assert json.loads(done.out)["observation"]["controls"] == []
