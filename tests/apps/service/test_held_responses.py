"""Large responses take their part of the budget of evidence until they are sent."""

from collections.abc import AsyncIterator

import anyio
import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Scope

from checker_smtp.service.admission import Admission
from checker_smtp.service.http import held_responses
from checker_smtp.service.http.held_responses import HeldResponses
from checker_smtp.service.settings import ServiceSettings

pytestmark = pytest.mark.anyio

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
LARGE = 1024 * 1024


class Client:
    """Reads nothing of a response before `reads` is set, except for what fits into one message."""

    def __init__(self) -> None:
        self.reads = anyio.Event()
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        if any(one.get("body") for one in self.messages):
            await self.reads.wait()
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", False)


async def receive() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.fixture
def admission() -> Admission:
    return Admission(ServiceSettings())


def app_of(body: bytes, admission: Admission) -> ASGIApp:
    return HeldResponses(Response(body), admission)


async def test_a_large_response_is_held_until_its_client_reads(admission: Admission) -> None:
    client, body = Client(), b"x" * LARGE
    async with anyio.create_task_group() as group:
        group.start_soon(app_of(body, admission), SCOPE, receive, client.send)
        await anyio.wait_all_tasks_blocked()
        assert admission.evidence.in_use == 2 * LARGE
        client.reads.set()
    assert admission.evidence.in_use == 0
    assert (client.status, client.body, client.is_complete) == (200, body, True)


async def test_without_room_it_is_a_503_and_others_are_not_affected(admission: Admission) -> None:
    assert admission.evidence.take(admission.evidence.limit - 2 * LARGE + 1)
    large, small = Client(), Client()
    large.reads.set()
    await app_of(b"x" * LARGE, admission)(SCOPE, receive, large.send)
    assert (large.status, large.is_complete) == (503, True)
    assert b"try again soon" in large.body
    await app_of(b"x" * 1000, admission)(SCOPE, receive, small.send)
    assert (small.status, small.body) == (200, b"x" * 1000)


async def test_a_client_that_is_lost_leaves_nothing_in_use(admission: Admission) -> None:
    client = Client()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(app_of(b"x" * LARGE, admission), SCOPE, receive, client.send)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    assert admission.evidence.in_use == 0


async def test_a_response_without_a_length_is_sent_as_it_is(admission: Admission) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * held_responses._SMALL

    client = Client()
    client.reads.set()
    await HeldResponses(StreamingResponse(pieces()), admission)(SCOPE, receive, client.send)
    assert len(client.body) == 3 * held_responses._SMALL
    assert admission.evidence.in_use == 0
