"""Fixtures of pytest for people who test an SMTP client: docs/testing-clients.md.

- `smtp_replay(recording)` plays a recorded server to the client, over loopback or a socket pair.
- `smtp_server(posture)` is a server that takes messages, healthy or with one fault.
- `--smtp-record DIR` writes what the client said in each test that uses one of them.

The plugin is loaded in every run of pytest where checker-smtp is installed, so it imports nothing of it
before a fixture is used.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from checker_smtp.testing import RuleServer
    from checker_smtp.testing.live_server import LiveServer, SessionSource
    from checker_smtp.testing.message_server import MessageServer
    from checker_smtp.testing.transcript_server import TranscriptServer
    from smtp_sansio import Transcript

__all__ = ["SmtpReplay", "SmtpServer"]

_OPTION = "--smtp-record"
_S = TypeVar("_S", bound="SessionSource")


class SmtpReplay(Protocol):
    """The fixture `smtp_replay`."""

    def __call__(
        self, recording: Path | str | Transcript, *, arguments: bool = False
    ) -> LiveServer[TranscriptServer]:
        """Return a server that replies as recorded; with `arguments` those of commands have to be the same.

        `recording` is the folder of a case, the file of one transcript, or a `Transcript`.
        """
        ...


class SmtpServer(Protocol):
    """The fixture `smtp_server`."""

    def __call__(self, posture: str | RuleServer | None = None) -> LiveServer[MessageServer]:
        """Return a server that takes messages, by default for everybody.

        `posture` is a domain of `checker-smtp demo` by its first label, as in `no-starttls`, or rules.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--smtp-record`."""
    parser.getgroup("smtp").addoption(
        _OPTION,
        metavar="DIR",
        type=Path,
        help="Write what the client said in each test with smtp_replay or smtp_server, one transcript for "
        "each connection; smtp_replay plays it.",
    )


@pytest.fixture
def smtp_replay(_smtp_servers: _Servers) -> SmtpReplay:
    """Start a server that replies as a recorded one did; see `SmtpReplay`."""

    def start(recording: Path | str | Transcript, *, arguments: bool = False) -> LiveServer[TranscriptServer]:
        from checker_smtp.testing.transcript_server import TranscriptServer

        source = TranscriptServer(*_transcripts(recording), arguments=arguments)
        _smtp_servers.departures.append(source.departures)
        return _smtp_servers.start(source)

    return start


@pytest.fixture
def smtp_server(_smtp_servers: _Servers) -> SmtpServer:
    """Start a server that takes messages; see `SmtpServer`."""

    def start(posture: str | RuleServer | None = None) -> LiveServer[MessageServer]:
        from checker_smtp.testing.message_server import MessageServer

        rules = _posture(posture) if isinstance(posture, str) else posture
        return _smtp_servers.start(MessageServer.like(rules) if rules else MessageServer(relays=True))

    return start


@pytest.fixture
def _smtp_servers(request: pytest.FixtureRequest) -> Iterator[_Servers]:
    servers = request.node.stash[_SERVERS] = _Servers()
    with servers.stack:
        yield servers
    folder: Path | None = request.config.getoption(_OPTION)
    if folder is not None:
        servers.write(folder, re.sub(r"[^0-9A-Za-z._-]+", "-", request.node.nodeid).strip("-"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test fail where its client departed from a recording, whatever the client made of that."""
    try:
        return (yield)
    finally:
        servers = item.stash.get(_SERVERS, None)
        if servers is not None and (departures := list(chain.from_iterable(servers.departures))):
            pytest.fail("\n".join(departures), pytrace=False)


class _Servers:
    """The servers of one test."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.departures: list[list[str]] = []
        self._servers: list[LiveServer[SessionSource]] = []

    def start(self, source: _S) -> LiveServer[_S]:
        from checker_smtp.testing.live_server import LiveServer

        server = self.stack.enter_context(LiveServer(source))
        self._servers.append(server)
        return server

    def write(self, folder: Path, name: str) -> None:
        """Write the transcript of each connection to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        transcripts = chain.from_iterable(server.transcripts for server in self._servers)
        for number, transcript in enumerate(transcripts, start=1):
            (folder / f"{name}-{number}.jsonl").write_text(transcript.dumps(), encoding="utf-8", newline="\n")


_SERVERS = pytest.StashKey[_Servers]()


def _transcripts(recording: Path | str | Transcript) -> tuple[Transcript, ...]:
    from checker_smtp.backends.recording.case import read_case
    from smtp_sansio import Transcript

    if isinstance(recording, Transcript):
        return (recording,)
    path = Path(recording)
    if not path.is_file():
        return read_case(path).sessions
    try:
        return (Transcript.loads(path.read_text(encoding="utf-8")),)
    except ValueError as error:
        raise ValueError(
            f"{path} is no transcript: {error}. Give the folder of a case, or its file of one connection"
        ) from None


def _posture(name: str) -> RuleServer:
    from checker_smtp.demo.postures import POSTURES

    servers = {one.domain.partition(".")[0]: one.server for one in POSTURES if one.server is not None}
    if name not in servers:
        raise ValueError(f"no posture is called {name!r}: give one of {', '.join(servers)}, or a RuleServer")
    return servers[name]
