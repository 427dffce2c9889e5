"""Bodies that are too large or too slow, clients that go away, and the end of the service."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from checker_smtp.service.http.hosts import Hosts
from checker_smtp.service.http.open_connections import MAX_CONNECTIONS_PER_CLIENT
from checker_smtp.service.http.request_limits import MAX_BODY, MAX_FORM, RequestLimits
from checker_smtp.service.settings import ServiceSettings

pytestmark = pytest.mark.anyio

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/report", "headers": []}
HOSTS = Hosts(ServiceSettings())
GONE: Message = {"type": "http.disconnect"}


def chunk(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """A client that sends these messages, then nothing until it disconnects."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self._gone = asyncio.Event()
        self.sent: list[Message] = []

    def hang_up(self) -> None:
        self._gone.set()

    async def receive(self) -> Message:
        if self._messages:
            await asyncio.sleep(0)
            return self._messages.pop(0)
        await self._gone.wait()
        return GONE

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._gone.set()

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


async def answer(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, (await receive())["body"])


class Waiting:
    """An application that waits for ever, and knows how it ended."""

    def __init__(self, before: Callable[[Receive, Send], Awaitable[None]] | None = None) -> None:
        self.begun = asyncio.Event()
        self.ended: str = ""
        self._before = before

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        if self._before is not None:
            await self._before(receive, send)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def test_a_body_in_pieces_arrives_whole() -> None:
    client = Client(chunk(b"a", more=True), chunk(b"", more=True), chunk(b"b", more=True), chunk(b"c"))
    await RequestLimits(echo, HOSTS)(SCOPE, client.receive, client.send)
    assert client.sent[1]["body"] == b"abc"


async def test_as_much_as_may_be() -> None:
    client = Client(chunk(b"x" * (MAX_BODY - 1), more=True), chunk(b"x"))
    await RequestLimits(echo, HOSTS)(SCOPE, client.receive, client.send)
    assert client.sent[1]["body"] == b"x" * MAX_BODY


async def test_a_body_that_grows_too_large() -> None:
    client = Client(chunk(b"x" * MAX_BODY, more=True), chunk(b"x", more=True))
    await RequestLimits(echo, HOSTS)(SCOPE, client.receive, client.send)
    assert client.status == 413


@pytest.mark.parametrize("announced", [str(MAX_BODY + 1), "9" * 20])
async def test_a_body_that_is_announced_too_large_is_not_read(announced: str) -> None:
    client = Client()  # would wait for ever
    scope = SCOPE | {"headers": [(b"content-length", announced.encode())]}
    await RequestLimits(echo, HOSTS)(scope, client.receive, client.send)
    assert client.status == 413


@pytest.mark.parametrize("path", ["/check", "/", "/report/", "/nowhere"])
async def test_the_body_of_a_stranger_is_a_form_at_most(path: str) -> None:
    for size, status in ((MAX_FORM, 200), (MAX_FORM + 1, 413)):
        client = Client(chunk(b"x" * size))
        await RequestLimits(echo, HOSTS)({**SCOPE, "path": path}, client.receive, client.send)
        assert client.status == status
    assert b"send at most 65536 octets" in client.sent[1]["body"]


async def test_a_body_that_never_ends() -> None:
    client = Client(chunk(b"x", more=True))
    await RequestLimits(echo, HOSTS, body_timeout=0.01)(SCOPE, client.receive, client.send)
    assert client.status == 408
    assert (b"connection", b"close") in client.sent[0]["headers"]


async def test_a_client_that_leaves_while_it_sends() -> None:
    client = Client(chunk(b"x", more=True), GONE)
    await RequestLimits(echo, HOSTS)(SCOPE, client.receive, client.send)
    assert client.sent == []


async def test_a_client_that_leaves_cancels_what_was_done_for_it() -> None:
    app = Waiting()
    client = Client(chunk(b""))
    request = asyncio.create_task(RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send))
    await app.begun.wait()
    client.hang_up()
    await request
    assert (app.ended, client.sent) == ("cancelled", [])


async def test_a_client_that_leaves_in_the_middle_of_its_answer() -> None:
    async def begin(_: Receive, send: Send) -> None:
        await answer(send, b"first", more=True)

    app = Waiting(begin)
    client = Client(chunk(b""))
    request = asyncio.create_task(RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send))
    await app.begun.wait()
    client.hang_up()
    await request
    assert app.ended == "cancelled"


async def test_what_goes_on_after_the_answer_is_not_cancelled() -> None:
    done = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"all")
        for _ in range(5):
            await asyncio.sleep(0)
        done.set()

    client = Client(chunk(b""))
    await RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send)
    assert done.is_set()


async def test_who_reads_on_hears_that_the_client_left() -> None:
    heard: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(await receive())
        try:
            heard.append(await receive())
        except asyncio.CancelledError:
            heard.append(await receive())

    client = Client(chunk(b"body"))
    request = asyncio.create_task(RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send))
    await asyncio.sleep(0.01)
    client.hang_up()
    await request
    assert heard == [chunk(b"body"), GONE]


async def test_what_fails_fails_outside_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    client = Client(chunk(b""))
    with pytest.raises(LookupError):
        await RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send)


async def test_the_end_of_the_service_answers_who_still_waits() -> None:
    app = Waiting()
    intake = RequestLimits(app, HOSTS)
    clients = [Client(chunk(b"")) for _ in range(3)]
    requests = [asyncio.create_task(intake(SCOPE, each.receive, each.send)) for each in clients]
    await app.begun.wait()
    await asyncio.sleep(0)
    intake.give_up()
    await asyncio.gather(*requests)
    assert [each.status for each in clients] == [503] * 3
    assert (b"retry-after", b"10") in clients[0].sent[0]["headers"]


async def test_at_the_end_nobody_begins_any_more() -> None:
    app = Waiting()
    intake = RequestLimits(app, HOSTS)
    intake.give_up()
    client = Client(chunk(b""))
    await intake(SCOPE, client.receive, client.send)
    assert (client.status, app.begun.is_set()) == (503, False)


async def test_a_server_that_cancels_takes_the_handler_along() -> None:
    app = Waiting()
    client = Client(chunk(b""))
    request = asyncio.create_task(RequestLimits(app, HOSTS)(SCOPE, client.receive, client.send))
    await app.begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert app.ended == "cancelled"


async def test_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    client = Client(chunk(b""))
    await RequestLimits(echo, HOSTS)(SCOPE, client.receive, client.send)
    assert asyncio.all_tasks() == before


async def test_a_client_behind_a_proxy_has_so_many_requests_at_a_time() -> None:
    limits = RequestLimits(Waiting(), HOSTS)

    def request(client: Client, peer: str, path: str = "/check") -> Awaitable[None]:
        scope = {**SCOPE, "method": "GET", "path": path, "client": (peer, 50000)}
        return limits(scope, client.receive, client.send)

    held = [Client(chunk(b"")) for _ in range(MAX_CONNECTIONS_PER_CLIENT)]
    tasks = [asyncio.create_task(request(each, f"2001:db8:7:{n:x}::1")) for n, each in enumerate(held)]  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    late = Client(chunk(b""))
    await request(late, "2001:db8:7:ffff::1")
    assert late.status == 429
    assert (b"retry-after", b"5") in late.sent[0]["headers"]
    for peer, path in (("2001:db8:8::1", "/check"), ("192.0.2.1", "/check"), ("2001:db8:7::1", "/health")):
        other = Client(chunk(b""))
        tasks.append(asyncio.create_task(request(other, peer, path)))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        assert other.status is None
    for each in held:
        each.hang_up()
    await asyncio.gather(*tasks[: len(held)])
    again = Client(chunk(b""))
    again.hang_up()
    await request(again, "2001:db8:7::1")
    assert again.status is None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not limits._clients
