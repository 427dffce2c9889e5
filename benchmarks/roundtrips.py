"""How often one check of one endpoint waits for the other side of the world, and how long that takes.

Theory: on a real path a check is waiting, so what counts is how many round trips a session takes, and the
least is known. With PIPELINING and TLS 1.3 it is seven:

1. SYN, and SYN with ACK.
2. ACK, and the greeting: speaking before it breaks RFC 5321 §4.3.1.
3. EHLO, and what the server offers: EHLO has to be the last of a group (RFC 2920 §3.1).
4. STARTTLS, and 220: nothing may follow it in the clear.
5. ClientHello, and the server's flight.
6. Finished with EHLO behind it, and what the server offers now: what it offered before has to be forgotten
   (RFC 3207 §4.2).
7. Three transactions and QUIT in one write, and ten replies.

TLS 1.2 takes one more for its handshake, no TLS three less: eight and four. The rest of the
wall time is the client's own, in units of the round trip measured on the same path in each round.

`far_end` is the path and its server, `dialogues` what is said. Imports, contexts and event loops are ready
before the clock starts.
"""

import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import anyio

from .dialogues import Codes, hold_aiosmtplib, hold_ours, hold_smtplib, hold_smtpproto
from .far_end import DELAY, HOST
from .figures import Requirement, table

__all__ = ["run"]

_ROUNDS = 5
_NOOPS = 5
_ANSWERS: Codes = (250, 250, 550)
_MAX_WALL = 7.7
_TLS13, _TLS12, _PLAIN, _NO_PIPELINING = "TLS 1.3", "TLS 1.2", "plain", "TLS 1.3, no PIPELINING"
# The arguments of `far_end`, and the round trips a session may take.
_PATHS = {
    _TLS13: (("1.3", "yes"), 7),
    _TLS12: (("1.2", "yes"), 8),
    _PLAIN: (("none", "yes"), 4),
    _NO_PIPELINING: (("1.3", "no"), None),
}


def _on(loop: str, hold: Callable[[int], Awaitable[Codes]]) -> Callable[[int], float]:
    """Seconds of a session on an event loop that runs already."""

    async def timed(port: int) -> float:
        began = perf_counter()
        codes = await hold(port)
        took = perf_counter() - began
        _same(codes)
        return took

    return lambda port: anyio.run(timed, port, backend=loop)


def _blocking(hold: Callable[[int], Codes]) -> Callable[[int], float]:
    def timed(port: int) -> float:
        began = perf_counter()
        codes = hold(port)
        took = perf_counter() - began
        _same(codes)
        return took

    return timed


def _same(codes: Codes) -> None:
    if codes != _ANSWERS:
        raise RuntimeError(f"the recipients were answered {codes}, not {_ANSWERS}")


_OURS = {
    "checker-smtp, asyncio": _on("asyncio", hold_ours),
    "checker-smtp, trio": _on("trio", hold_ours),
}
_PEERS = {
    "smtplib": _blocking(hold_smtplib),
    "aiosmtplib": _on("asyncio", hold_aiosmtplib),
    "smtpproto, asyncio": _on("asyncio", hold_smtpproto),
}
_CLIENTS = _OURS | _PEERS
# Without PIPELINING one loop is enough to see the count, and the peers do what they always do.
_LOCK_STEP = dict([next(iter(_OURS.items()))])


@dataclass(frozen=True, slots=True)
class _Session:
    """One session's round trips by count, its seconds, and those of one round trip at the time."""

    trips: int
    seconds: float
    round_trip: float


class _FarEnd:
    """A `far_end` that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.near, self.far = map(int, self._line().split())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the far end is gone")
        return line

    def trips(self) -> int:
        """Return the round trips of the connection that just ended."""
        return int(self._line())

    def round_trip(self) -> float:
        """Seconds of one round trip now, as measured with NOOP."""
        took = []
        with socket.create_connection((HOST, self.far)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.recv(512)
            for _ in range(_NOOPS):
                began = perf_counter()
                sock.sendall(b"NOOP\r\n")
                sock.recv(512)
                took.append(perf_counter() - began)
        self.trips()
        return median(took)


@contextmanager
def _far_end(*arguments: str) -> Iterator[_FarEnd]:
    command = [sys.executable, "-m", "benchmarks.far_end", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _FarEnd(process)
        finally:
            process.terminate()


def run() -> list[Requirement]:
    """Print round trips and time for each client and path; judge ours."""
    measured = {path: _measure(path) for path in _PATHS}
    print(
        f"one session at a round trip of {2000 * DELAY:.0f} ms: round trips counted and, median of {_ROUNDS},"
    )
    print("wall time in round trips as measured on that path; the peers never pipeline")
    print(table(["client", *_PATHS], [[name, *_cells(name, measured)] for name in _CLIENTS]))
    return [*_judged_counts(measured), *_judged_walls(measured[_TLS13])]


def _measure(path: str) -> dict[str, list[_Session]]:
    """Return the sessions of each client over one path."""
    clients = _LOCK_STEP if path == _NO_PIPELINING else _CLIENTS
    sessions: dict[str, list[_Session]] = {name: [] for name in clients}
    with _far_end(*_PATHS[path][0]) as end:
        for session in clients.values():
            session(end.near)
        for _ in range(_ROUNDS):
            round_trip = end.round_trip()
            for name, session in clients.items():
                seconds = session(end.far)
                sessions[name].append(_Session(end.trips(), seconds, round_trip))
    return sessions


def _wall(sessions: list[_Session]) -> float:
    seconds = median(session.seconds for session in sessions)
    return seconds / median(session.round_trip for session in sessions)


def _trips(sessions: list[_Session]) -> str:
    return " or ".join(map(str, sorted({session.trips for session in sessions})))


def _cells(name: str, measured: dict[str, dict[str, list[_Session]]]) -> Iterator[str]:
    for path in _PATHS:
        sessions = measured[path].get(name)
        yield f"{_trips(sessions)} ({_wall(sessions):.2f})" if sessions else ""


def _judged_counts(measured: dict[str, dict[str, list[_Session]]]) -> Iterator[Requirement]:
    for path, (_, allowed) in _PATHS.items():
        if allowed is not None:
            ours = [session for name in _OURS for session in measured[path][name]]
            met = all(session.trips == allowed for session in ours)
            yield Requirement(f"{allowed} round trips, {path}", _trips(ours), met)


def _judged_walls(measured: dict[str, list[_Session]]) -> Iterator[Requirement]:
    for name in _OURS:
        wall = _wall(measured[name])
        what = f"wall time of at most {_MAX_WALL} round trips, {_TLS13}, {name}"
        yield Requirement(what, f"{wall:.2f}", wall <= _MAX_WALL)
