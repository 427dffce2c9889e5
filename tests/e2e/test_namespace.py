"""examples/namespace.py: the checker is here, the mail server in a network namespace of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from checker_smtp import DnsResolver, Network
from examples.namespace import dial_in
from smtp_sansio import Connect, Failed, FailureKind, Outcome, Receive, Received, Script

SERVER = """
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.create_server(("127.9.5.1", 2525))
print("ready", flush=True)
while True:
    server.accept()[0].sendall(b"220 inside\\r\\n")
"""


@pytest.fixture
def namespace() -> Iterator[Path]:
    command = ["unshare", "--net", sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield Path(f"/proc/{process.pid}/ns/net")
        finally:
            process.kill()


def greeting() -> Script[Outcome]:
    outcome = yield Connect("127.9.5.1", 2525, 20)
    return outcome if isinstance(outcome, Failed) else (yield Receive(20))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_connections_begin_in_the_namespace(namespace: Path, backend: str) -> None:
    resolver = DnsResolver("127.0.0.1")
    here = anyio.run(Network(resolver).run, greeting(), backend=backend)
    there = anyio.run(Network(resolver, dial=dial_in(namespace)).run, greeting(), backend=backend)
    assert isinstance(here, Failed)
    assert here.kind is FailureKind.REFUSED
    assert isinstance(there, Received)
    assert there.data == b"220 inside\r\n"


def test_a_namespace_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        dial_in(tmp_path / "plain")
    with pytest.raises(FileNotFoundError):
        dial_in(tmp_path / "none")
