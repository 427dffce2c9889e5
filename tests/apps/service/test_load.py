"""The averages are those of samples taken every five seconds."""

import math

import pytest

from checker_smtp.service.load import Load
from checker_smtp.testing import FakeClock


def sampled(inflight: list[int], window: float) -> float:
    """The average as the protocol defines it, of one sample each five seconds."""
    alpha = 1 - math.exp(-5 / window)
    average = 0.0
    for number in inflight:
        average += alpha * (number - average)
    return average


def test_what_health_says() -> None:
    clock = FakeClock(1000.0)
    load = Load(clock)
    with load.request(), load.request():
        clock.now += 7.5
        health = load.health()
    assert (health["status"], health["uptime_seconds"], health["inflight"], health["total_requests"]) == (
        "ok",
        7.5,
        2,
        2,
    )
    assert health["num_cpu"] >= 1
    assert load.health()["inflight"] == 0
    assert load.health()["total_requests"] == 2


def test_a_request_that_fails_is_over() -> None:
    load = Load(FakeClock(1000.0))
    with pytest.raises(RuntimeError), load.request():
        raise RuntimeError
    assert load.inflight == 0


def test_averages_are_those_of_regular_samples() -> None:
    clock = FakeClock(1000.0)
    load = Load(clock)
    clock.now += 4  # nothing yet
    with load.request():
        clock.now += 7  # samples at 5 and 10
        with load.request(), load.request():
            clock.now += 20  # at 15, 20, 25, 30
    clock.now += 10  # at 35, 40
    samples = [1, 1, 3, 3, 3, 3, 0, 0]
    assert load.loadavg == pytest.approx([sampled(samples, window) for window in (60, 300, 900)])


def test_reading_changes_nothing() -> None:
    clock = FakeClock(1000.0)
    load = Load(clock)
    with load.request():
        clock.now += 5
        first = load.loadavg
        for _ in range(10):
            clock.now += 0.4
            assert load.loadavg == first
