"""The cost of an octet, in three shapes of input that make careless parsers quadratic.

Theory: time on octets received is linear if an octet costs the same in a small input and in a large one of
the same shape. So each shape is measured at several sizes, and the dearest octet may cost three times the
cheapest. Everything goes through `Connection` as a driver uses it: `receive_data`, then `next_event` until
it needs more. Limits are raised, commands are outstanding for all that is answered, and making the
connection is not part of the time. The least of several runs counts: a busy machine only ever adds, and it
adds more to a long run than to a short one.

Comparing the shapes with each other says something only where an octet stands for about the same work. Cost
is per call, per line and per octet, in that order: octets that come alone cost a call each, those of a long
line next to nothing. So the shapes are compared at their dearest, with the shortest lines and replies there
can be (`250-`, `250 `), and once more as servers speak, where only growth is judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time

from smtp_sansio import Connection, Ehlo, Need, Policy, Rset

from .figures import Requirement, in_turns, table

__all__ = ["run"]

_ROUNDS = 7
_FACTOR = 3.0
# Small inputs are repeated up to about this many octets, or the clock would decide.
_LEAST_OCTETS = 7_000
_ROOMY = Policy(max_line=1 << 30, max_reply=1 << 30, max_reply_lines=1 << 30, max_session=1 << 30)


@dataclass(frozen=True, slots=True)
class _Input:
    """Octets read by read, and the number of their replies."""

    reads: Sequence[bytes]
    replies: int

    @property
    def octets(self) -> int:
        return sum(map(len, self.reads))


def _lines(line: bytes, count: int) -> _Input:
    return _Input([b"250-" + line + b"\r\n"] * (count - 1) + [b"250 " + line + b"\r\n"], 1)


def _one_line(octets: int) -> _Input:
    line = b"250 " + b"x" * (octets - 6) + b"\r\n"
    return _Input([line[at : at + 1] for at in range(octets)], 1)


def _replies(reply: bytes, octets: int) -> _Input:
    count = octets // len(reply)
    return _Input([reply * count], count)


_COUNTS = (50, 500, 5_000)
_LENGTHS = (70, 700, 7 * 1024)
_SIZES = (20_000, 200_000, 2_000_000)
_FEWER = (7_000, 70_000, 700_000)

_SHORTEST = {
    "a reply of 5,000 lines `250-`, a line a read": [_lines(b"", count) for count in _COUNTS],
    "a line of 7 KiB, an octet a read": [_one_line(length) for length in _LENGTHS],
    "2 MB of replies `250 `, in one read": [_replies(b"250 \r\n", size) for size in _SIZES],
}
_COMMON = {
    "a reply of 5,000 lines of 40 octets, a line a read": [_lines(b"X" * 34, count) for count in _COUNTS],
    "700 kB of replies `250 2.1.5 Ok`, in one read": [_replies(b"250 2.1.5 Ok\r\n", n) for n in _FEWER],
}


def run() -> list[Requirement]:
    """Print nanoseconds per octet for each shape and size; judge growth, and the shapes by each other."""
    shapes = _SHORTEST | _COMMON
    measures: dict[tuple[str, int], Callable[[], float]] = {
        (shape, number): partial(_nanoseconds, given)
        for shape, inputs in shapes.items()
        for number, given in enumerate(inputs)
    }
    cost = in_turns(_ROUNDS, measures, min)
    print(f"nanoseconds of CPU time per octet, least of {_ROUNDS} runs")
    print(
        table(
            ["what arrives", "1/100", "1/10", "full", "growth"],
            [
                [
                    shape,
                    *(f"{cost[shape, n]:.0f}" for n in range(3)),
                    f"{_spread([cost[shape, n] for n in range(3)]):.2f}",
                ]
                for shape in shapes
            ],
        )
    )
    growth = max(_spread([cost[shape, n] for n in range(3)]) for shape in shapes)
    between = _spread([cost[shape, 2] for shape in _SHORTEST])
    return [
        Requirement(
            f"an octet costs the same at every size, within a factor of {_FACTOR:g}",
            f"{growth:.2f} at most",
            growth <= _FACTOR,
        ),
        Requirement(
            f"and in the three shapes at their shortest, within a factor of {_FACTOR:g}",
            f"{between:.2f}",
            between <= _FACTOR,
        ),
    ]


def _spread(costs: Sequence[float]) -> float:
    return max(costs) / min(costs)


def _nanoseconds(given: _Input) -> float:
    times = max(1, _LEAST_OCTETS // given.octets)
    seconds = sum(_seconds(given, _asked(given.replies)) for _ in range(times))
    return seconds / (times * given.octets) * 1e9


def _asked(replies: int) -> Connection:
    """Return a connection with `number` commands outstanding."""
    connection = Connection(_ROOMY)
    connection.receive_data(b"220 mx\r\n")
    connection.next_event()
    connection.send(Ehlo("probe.example.org"))
    connection.receive_data(b"250-mx\r\n250 PIPELINING\r\n")
    connection.next_event()
    connection.send(*[Rset()] * replies)
    return connection


def _seconds(given: _Input, connection: Connection) -> float:
    receive, next_event, need = connection.receive_data, connection.next_event, Need.DATA
    heard = 0
    began = process_time()
    for data in given.reads:
        receive(data)
        while next_event() is not need:
            heard += 1
    took = process_time() - began
    if heard != given.replies:
        raise RuntimeError(f"heard {heard} replies where {given.replies} were sent")
    return took
