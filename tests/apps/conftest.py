"""Everything that awaits runs on both event loops and on a fake clock, so that no test waits.

The clock advances to the next timer when every task waits.
"""

from typing import Any

import pytest

from checker_smtp.testing import backend_options


@pytest.fixture(autouse=True)
def _without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration of the person who runs the tests has no effect on them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/no-such-folder")


@pytest.fixture
def anyio_backend(loop: str) -> tuple[str, dict[str, Any]]:
    return loop, backend_options(loop)
