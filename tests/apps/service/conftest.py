"""The service runs on asyncio, whatever its checks run on."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
