"""Everything that awaits runs on both event loops and on a fake clock, so that no test waits.

The clock advances to the next timer when every task waits.
"""

from typing import Any

import pytest

from checker_smtp.testing import backend_options


@pytest.fixture
def anyio_backend(loop: str) -> tuple[str, dict[str, Any]]:
    return loop, backend_options(loop)
