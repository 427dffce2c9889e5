"""Scans run on a clock of their own, which jumps to whatever is waited for next: no test waits."""

import asyncio
import selectors
from typing import Any

import pytest
from trio.testing import MockClock


class _Jumping(selectors.DefaultSelector):
    """A selector that lets no time pass, and counts the time it was asked to wait."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.waited += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """asyncio as trio's MockClock makes trio: when all tasks wait, it is that much later."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.waited


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    clock: dict[str, dict[str, Any]] = {
        "asyncio": {"loop_factory": JumpingLoop},
        "trio": {"clock": MockClock(autojump_threshold=0)},
    }
    return str(request.param), clock[request.param]
