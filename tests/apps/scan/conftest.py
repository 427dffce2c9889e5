"""Scans run on a fake clock, which advances to the next timer when every task waits: no test waits."""

from typing import Any

import pytest

from checker_smtp.testing import backend_options


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return str(request.param), backend_options(request.param)
