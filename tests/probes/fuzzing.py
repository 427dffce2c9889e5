"""Fuzz servers whose replies and faults hypothesis draws."""

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from checker_smtp.testing import CHECKER_VERBS, FuzzServer, NetworkFaults
from smtp_sansio import Failed, FailureKind

T = TypeVar("T")

KEYWORDS = st.lists(st.sampled_from(["STARTTLS", "PIPELINING", "AUTH PLAIN"]), max_size=2, unique=True)
FAILURES = st.builds(
    Failed, st.just(0.0), st.sampled_from(FailureKind), st.sampled_from(["", "tlsv1 unrecognized name"])
)
NETWORK_FAULTS = st.builds(
    NetworkFaults,
    odd_verbs=st.frozensets(st.sampled_from(["", *sorted(CHECKER_VERBS)]), max_size=3),
    keywords=KEYWORDS.map(tuple),
    failures=st.dictionaries(st.integers(0, 30), FAILURES, max_size=2),
    seconds_per_step=st.sampled_from([0.0, 0.1, 1.7]),
)


def fuzz_server(data: st.DataObject, faults: NetworkFaults) -> FuzzServer:
    """Return a server whose odd replies are drawn from `data`."""

    def draw(options: Sequence[T]) -> T:
        return data.draw(st.sampled_from(options))

    return FuzzServer(draw, faults)


def result_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the value of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("the coroutine waits")
