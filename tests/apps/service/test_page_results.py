"""Stored results: limits in number, octets and time, and access by their random name only."""

from checker_smtp.service.web.results import ResultStore
from checker_smtp.testing import FakeClock


def kept(results: ResultStore, *names: str) -> list[bool]:
    return [results.find(name, "a") is not None for name in names]


def test_what_was_kept_is_found_by_its_name_alone() -> None:
    results = ResultStore()
    one, two = (results.keep("title", {"a": content}) for content in (b"1", b"2"))
    assert one != two
    assert min(len(one), len(two)) >= 20
    assert results.find(one, "a") == ("title", b"1")
    assert results.find(two, "a") == ("title", b"2")
    assert results.find(one, "b") is None
    assert results.find("", "a") is None


def test_the_oldest_goes_where_there_are_too_many() -> None:
    results = ResultStore(count=2)
    names = [results.keep("title", {"a": b""}) for _ in range(3)]
    assert kept(results, *names) == [False, True, True]


def test_the_oldest_go_where_there_are_too_many_octets() -> None:
    results = ResultStore(octets=10)
    names = [results.keep("title", {"a": b"1234", "b": b"5"}) for _ in range(2)]
    assert kept(results, *names) == [True, True]
    names.append(results.keep("title", {"a": b"1"}))
    assert kept(results, *names) == [False, True, True]
    names.append(results.keep("title", {"a": b"1" * 10}))
    assert kept(results, *names) == [False, False, False, True]


def test_one_that_has_more_octets_than_all_may_have_is_alone() -> None:
    results = ResultStore(octets=10)
    names = [results.keep("title", {"a": b"1" * size}) for size in (1, 11)]
    assert kept(results, *names) == [False, True]
    names.append(results.keep("title", {"a": b"1"}))
    assert kept(results, *names) == [False, False, True]


def test_results_expire_and_give_their_octets_back() -> None:
    clock = FakeClock()
    results = ResultStore(octets=10, lifetime=60.0, clock=clock)
    old = results.keep("title", {"a": b"12345"})
    clock.now = 30.0
    young = results.keep("title", {"a": b"1234"})
    clock.now = 59.9
    assert kept(results, old, young) == [True, True]
    clock.now = 60.0
    assert kept(results, old, young) == [False, True]
    new = results.keep("title", {"a": b"123456"})
    assert kept(results, young, new) == [True, True]
