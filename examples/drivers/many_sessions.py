"""A driver for any number of sessions in one thread, without an event loop: one selector waits for all."""

import selectors
from collections.abc import Iterable
from typing import TypeVar

from checker_smtp.drivers import DeadlineExceeded, Readiness, Transport
from smtp_sansio import Script

T = TypeVar("T")
EVENTS = {Readiness.READABLE: selectors.EVENT_READ, Readiness.WRITABLE: selectors.EVENT_WRITE}


def run_all(scripts: Iterable[Script[T]]) -> list[T]:
    """Run all of `scripts` at once and return what they return, in their order."""
    sessions = [(transport := Transport(), transport.perform(script)) for script in scripts]
    waiting: dict[int, Readiness] = {}
    results: dict[int, T] = {}

    def advance(number: int, *, in_time: bool = True) -> None:
        steps = sessions[number][1]
        try:
            waiting[number] = next(steps) if in_time else steps.throw(DeadlineExceeded())
        except StopIteration as stop:
            results[number] = stop.value
            waiting.pop(number, None)

    try:
        for number in range(len(sessions)):
            advance(number)
        while waiting:
            with selectors.DefaultSelector() as selector:
                for number, readiness in waiting.items():
                    selector.register(sessions[number][0].socket, EVENTS[readiness], number)
                first = min(sessions[number][0].time_left for number in waiting)
                ready = {key.data for key, _ in selector.select(max(0, first))}
            for number in list(waiting):
                if number in ready or sessions[number][0].time_left <= 0:
                    advance(number, in_time=number in ready)
    finally:
        for _, steps in sessions:
            steps.close()
    return [results[number] for number in range(len(sessions))]
