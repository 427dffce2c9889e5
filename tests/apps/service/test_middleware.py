"""Headers of all responses, the log, the metrics, and the handling of bugs."""

import asyncio
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.settings import ServiceSettings, SettingError
from tests.apps.service.middleware_app import client, wrapped

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef-secret"


async def own_headers(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [
        (b"cache-control", b"max-age=3600"),
        (b"content-security-policy", b"sandbox"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("said by a stranger:\n2026 INFO all is well\x1b[31m")


async def broken_later(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise LookupError


BODY = {"type": "http.request", "body": b"", "more_body": False}


async def exchange(middleware: Middleware, *messages: Message) -> list[Message]:
    """Return the messages that the application sends in reply to these `messages`."""
    left = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return left.pop(0) if left else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/check",
        "query_string": b"",
        "headers": [],
        "client": None,
    }
    await middleware(scope, receive, send)
    return sent


def samples(middleware: Middleware, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for metric in middleware.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == name
    }


async def test_the_headers_of_every_answer() -> None:
    middleware = wrapped(ServiceSettings(token=TOKEN))
    async with client(middleware) as http:
        known = {"Authorization": f"Bearer {TOKEN}"}
        answers = [
            await http.get("/check", headers=known),
            await http.get("/check"),
            await http.get("/", headers={"Host": "<"}),
            await http.post("/check", headers=known | {"Origin": "http://evil.test"}),
            await http.post("/collect", headers=known, content=b"x" * (1024 * 1024 + 1)),
        ]
    assert [answer.status_code for answer in answers] == [200, 401, 400, 403, 413]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'; style-src 'self' 'unsafe-inline';" in policy
        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith("base-uri 'none'; frame-ancestors 'self'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
    for answer in answers[1:]:
        assert set(answer.json()) == {"error"}


async def test_a_bug_has_them_too() -> None:
    async with client(wrapped(app=broken)) as http:
        answer = await http.get("/check")
    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (500, "nosniff")


async def test_a_route_may_say_more() -> None:
    async with client(wrapped(app=own_headers)) as http:
        answer = await http.get("/check/style.css")
    assert answer.headers.get_list("Cache-Control") == ["max-age=3600"]
    assert [policy.split(";")[0] for policy in answer.headers.get_list("Content-Security-Policy")] == [
        "sandbox",
        "default-src 'none'",
    ]


async def test_who_may_frame_the_page() -> None:
    sites = ("https://happydomain.example", "https://*.example.net:8443", "'self'", "https:")
    async with client(wrapped(ServiceSettings(frame_ancestors=sites))) as http:
        policy = (await http.get("/")).headers["Content-Security-Policy"]
    assert policy.endswith(
        "frame-ancestors 'self' https://happydomain.example https://*.example.net:8443 https:"
    )


@pytest.mark.parametrize("wrong", ["", "a b", "https://a.test; script-src *", "'unsafe-inline'", "x\r\nY: z"])
def test_what_is_no_site_is_refused(wrong: str) -> None:
    with pytest.raises(SettingError, match="is not a source for frame-ancestors"):
        wrapped(ServiceSettings(frame_ancestors=(wrong,)))


async def test_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "checker_smtp")
    proxied = ServiceSettings(trusted_proxies=("198.51.100.7",), token=TOKEN)
    async with client(wrapped(proxied)) as http:
        headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {TOKEN}", "Cookie": "secret"}
        await http.get("/check?domain=private.example", headers=headers)
        await http.get("/a%0aINFO%20all%20is%20well%1b[31m/" + "x" * 5000, headers=headers)
        await http.get("/check", headers={"Authorization": "Bearer wrong-secret"})
    lines = [record.getMessage() for record in caplog.records if record.name == "checker_smtp.access"]
    assert lines[0].startswith('192.0.2.1 "GET /check" 200 0.')
    assert lines[1].startswith('192.0.2.1 "GET /a\\nINFO all is well\\x1b[31m/xxx')
    assert lines[2].startswith('198.51.100.7 "GET /check" 401 ')
    assert all(len(line) < 300 for line in lines)
    assert "secret" not in caplog.text
    assert "private.example" not in caplog.text
    fields = caplog.records[0].fields  # type: ignore[attr-defined]
    assert fields | {"seconds": 0} == {
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/check",
        "status": 200,
        "seconds": 0,
    }


async def test_a_bug_is_logged_and_not_shown_to_clients(caplog: pytest.LogCaptureFixture) -> None:
    async with client(wrapped(app=broken)) as http:
        answer = await http.get("/check")
    request_id = answer.headers["x-request-id"]
    told = f"this is a bug in checker-smtp: see request {request_id} in the log of the service"
    assert answer.json() == {"error": told}
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None


async def test_a_bug_in_the_middle_of_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    middleware = wrapped(app=broken_later)
    sent = await exchange(middleware, BODY)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert "please report it" in caplog.text
    assert samples(middleware, "checker_smtp_http_requests_total") == {("POST", "/check", "200"): 1}


async def test_requests_are_counted_under_few_names() -> None:
    middleware = wrapped()
    async with client(middleware) as http:
        for path in ("/check", "/check/7/report", "/check/8", "/checks", "/x", "/health", "/health/"):
            await http.get(path)
        await http.request("BREW", "/check")
    assert samples(middleware, "checker_smtp_http_requests_total") == {
        ("GET", "/check", "200"): 1,
        ("GET", "/check/*", "200"): 2,
        ("GET", "/health", "200"): 1,
        ("GET", "other", "200"): 3,
        ("other", "/check", "200"): 1,
    }


async def test_who_did_not_wait_is_counted_as_such() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    middleware = wrapped(app=slow)
    assert await exchange(middleware, BODY, {"type": "http.disconnect"}) == []
    assert samples(middleware, "checker_smtp_http_requests_total") == {("POST", "/check", "499"): 1}
