"""The time of a check under an event loop that `anyio` did not start, such as that of a web server."""

import asyncio
from contextvars import Context
from typing import TypeVar

import pytest

from checker_smtp.probes.bounded import BoundedRunner, TimeBudget
from checker_smtp.probes.evidence_budget import EvidenceBudget
from smtp_sansio import Receive, Script

T = TypeVar("T")


def test_a_driver_performs_effects_in_callbacks_of_a_loop_that_anyio_did_not_start() -> None:
    def receive() -> Script[object]:
        return (yield Receive(12))

    class InCallbacks:
        async def run(self, script: Script[T]) -> T:
            loop = asyncio.get_running_loop()
            ended = loop.create_future()

            def begin() -> None:
                try:
                    ended.set_result(next(script))
                except Exception as error:  # noqa: BLE001 - reported by the task
                    ended.set_exception(error)

            # as of a server that knows nothing of anyio
            loop.call_soon(begin, context=Context())
            effect = await ended
            script.close()
            raise Performed(effect)

    class Performed(Exception):  # noqa: N818 - ends the script
        pass

    async def bounded() -> None:
        await BoundedRunner(InCallbacks(), EvidenceBudget(), TimeBudget(120)).run(receive())

    with pytest.raises(Performed):
        asyncio.run(bounded())
