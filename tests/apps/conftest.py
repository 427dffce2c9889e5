"""Everything that awaits runs on both event loops and on a fake clock, so that no test waits.

The clock advances to the next timer when every task waits.
"""

from typing import Any

import pytest

from checker_smtp.testing import backend_options


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return str(request.param), backend_options(request.param)
