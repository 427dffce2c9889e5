"""Counters are exact while there is room, and right about what they do not know when there is none."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.report.summary.counters import SAMPLES, Frequent, Slowest


def test_counts_and_samples() -> None:
    counted = Frequent()
    for number in range(9):
        counted.add("often", f"a{number}.example")
    counted.add("once", "b.example")
    (often, first), (once, second) = counted.top(5)
    assert (often, first.count, first.missed) == ("often", 9, 0)
    assert first.samples == [f"a{number}.example" for number in range(SAMPLES)]
    assert (once, second.count, second.samples) == ("once", 1, ["b.example"])


def test_equal_counts_are_sorted_by_name() -> None:
    counted = Frequent()
    for value in ("b", "c", "a"):
        counted.add(value, "x.example")
    assert [value for value, _ in counted.top(2)] == ["a", "b"]


@given(st.lists(st.integers(0, 40).map(str), max_size=400), st.integers(2, 30))
def test_no_count_is_too_high_nor_lower_than_it_says(values: list[str], capacity: int) -> None:
    counted, exact = Frequent(capacity), Counter(values)
    for value in values:
        counted.add(value, "x.example")
    assert len(counted) <= capacity
    held = dict(counted.top(capacity))
    for value, times in exact.items():
        if value in held:
            assert held[value].count <= times <= held[value].count + held[value].missed
        else:
            assert times <= counted.max_dropped
    assert counted.max_dropped <= 2 * len(values) / capacity


def test_what_is_frequent_stays_exact_among_fifty_thousand_others() -> None:
    choice = random.Random(7)  # noqa: S311 - no secret
    values = ["google.com"] * 20_000 + ["outlook.com"] * 10_000 + [f"own-{n}.example" for n in range(50_000)]
    choice.shuffle(values)
    counted = Frequent(1_000)
    for value in values:
        counted.add(value, "x.example")
        assert len(counted) <= 1_000
    assert [(value, b.count, b.missed) for value, b in counted.top(2)] == [
        ("google.com", 20_000, 0),
        ("outlook.com", 10_000, 0),
    ]


def test_the_slowest_are_exact_however_many_there_are() -> None:
    choice = random.Random(7)  # noqa: S311 - no secret
    visits = [(f"192.0.2.{n % 256}", n // 256, choice.uniform(0, 60)) for n in range(5_000) for _ in range(3)]
    choice.shuffle(visits)
    slowest = Slowest(200)
    longest: dict[tuple[str, int], float] = {}
    for address, port, took in visits:
        slowest.add(address, port, "mx.example.org", took, "x.example")
        longest[address, port] = max(took, longest.get((address, port), 0.0))
        assert len(slowest) <= 200
    reported = [(server.address, server.port, server.seconds) for server in slowest.top(50)]
    expected = sorted(((*where, took) for where, took in longest.items()), key=lambda row: -row[2])
    assert reported == expected[:50]
    for server in slowest.top(50):
        assert server.count <= 3 <= server.count + server.missed


def test_servers_that_are_all_as_slow_do_not_vanish() -> None:
    slowest = Slowest(10)
    for number in range(100):
        slowest.add(f"192.0.2.{number}", 25, "mx.example.org", 12.0, "x.example")
    assert len(slowest.top(5)) == 5


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_a_server_has_its_longest_wait(seconds: float) -> None:
    slowest = Slowest()
    for took in (seconds, 3.0, 2.0):
        slowest.add("2001:db8::1", 25, "mx.example.org", took, "x.example")
    (server,) = slowest.top(3)
    assert (server.subject, server.seconds, server.count, server.missed) == ("[2001:db8::1]:25", 3.0, 3, 0)
