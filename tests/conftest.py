"""For every test: both event loops, steady examples of hypothesis, and which are measured for coverage.

Hypothesis tries the same examples each time, so that a run that passed passes again; new ones are looked for
with `pytest --hypothesis-profile=explore`.

The tests of smtp_sansio and of the probes cover these packages alone, without their slow ones. Only they are
measured, because a traced test takes two to three times as long. They run apart from the others, because the
marker `no_cover` of pytest-cov 7.1 has no effect in the workers of pytest-xdist, which have two collectors.
"""

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("explore", deadline=None)
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# The probes are tested elsewhere as well where a test needs more than them: the state of the mail with its
# sentence in the report, every situation of the DNS in a check, rules of others in a command, and
# sessions of a scan that a server limits.
COVERING = [
    Path(__file__).parent / name
    for name in (
        *("sansio", "probes", "report/test_mail_state.py"),
        *("apps/test_dns_situations.py", "apps/test_rules_of_others.py", "apps/scan/test_session_limits.py"),
    )
]


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> str:
    """Return the name of an event loop of anyio, each in turn."""
    return str(request.param)


@pytest.fixture
def anyio_backend(loop: str) -> str:
    """Run a test that awaits on each event loop."""
    return loop


@cache
def is_covering(path: Path) -> bool:
    return any(map(path.is_relative_to, COVERING))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the modules without a test to run in the run for coverage, which saves a third of its time."""
    if config.option.markexpr == "measured" and collection_path.suffix == ".py":
        return not is_covering(collection_path) or None
    return None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return a worker for each processor, and one more for tests that wait for silent servers."""
    processors = os.cpu_count() or 1
    return processors if config.option.markexpr == "measured" else processors + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_covering(item.path) and not item.get_closest_marker("slow"):
            item.add_marker("measured")
