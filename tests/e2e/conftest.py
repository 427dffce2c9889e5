"""One lab for the whole session, and the command line tool run against it as a user would: as a process."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e import browsers
from tests.e2e.lab import Lab, install
from tests.e2e.lab import lab as running_lab
from tests.e2e.lab.table import PORT, PROBE, RESOLVER, SILENT_ADDRESS, TARGETS

_LIMIT = 60
# the whole of what a check must know of the lab
ASKED = ["--port", str(PORT), "--helo-name", PROBE, "--allow-target", TARGETS]


@dataclass(frozen=True, slots=True)
class Run:
    """What a user gets from one run."""

    code: int
    out: bytes
    err: str


Tool = Callable[..., Run]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # the first test's time includes the lab's start, and on a fresh machine what apt takes
    for item in items:
        item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("the lab needs root (Postfix and nsd start as nobody else): run make e2e as root")
    install()
    with running_lab() as here:
        yield here


@pytest.fixture(scope="session")
def tool() -> Tool:
    """Runs checker-smtp with these arguments; `offline=True` takes even the loopback network away."""

    def run(*arguments: str | Path, offline: bool = False) -> Run:
        prefix = _no_network() if offline else []
        command = [*prefix, sys.executable, "-m", "checker_smtp", *map(str, arguments)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT, check=False
        )
        return Run(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    return run


@pytest.fixture(scope="session")
def check(lab: Lab, tool: Tool) -> Tool:
    """`checker-smtp check DOMAIN` with what it needs to find the lab."""

    def run(domain: str, *arguments: str | Path, resolver: str = RESOLVER) -> Run:
        return tool("check", domain, "--resolver", resolver, *ASKED, *arguments)

    return run


@pytest.fixture
def silence(lab: Lab) -> Iterator[socket.socket]:
    """A listener that accepts and never says a word: the only MX of silent.e2e.test."""
    with socket.create_server((SILENT_ADDRESS, PORT)) as listener:
        listener.settimeout(20)
        yield listener


# of a module, because Playwright has a running event loop, in which no other one can start
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browsers.install()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    browsers.install()
    folder = tmp_path_factory.mktemp("axe")
    browsers.npm(folder, browsers.AXE)
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def _no_network() -> list[str]:
    unshare = shutil.which("unshare")
    # a container may have root and still not this right: the replay is the same then, only less proven
    if (
        unshare is None
        or subprocess.run([unshare, "-n", "true"], capture_output=True, check=False).returncode
    ):
        return []
    return [unshare, "-n"]
