"""The service with a recorded check for a network, and a browser that speaks ASGI: no sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

import pytest
from starlette.types import ASGIApp, Message

from checker_smtp.api import RunContext
from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.probes.ports import Backend
from checker_smtp.service.app import build
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.settings import ServiceSettings
from tests.report.page import parse, words

__all__ = ["FIXTURES", "StreamedResponse", "by_id", "replaying", "shown", "sound", "visiting"]

FIXTURES = Path(__file__).parents[3] / "fixtures"
_ACTIVE = {"object", "embed", "base", "img", "video", "audio", "style"}


def replaying(monkeypatch: pytest.MonkeyPatch, name: str, **settings: Any) -> Middleware:
    """Return the service over the recorded check `name`."""
    case = read_case(FIXTURES / name)
    # a random mailbox is in the record, so it must be the same again
    monkeypatch.setattr("checker_smtp.service.running_checks.RunContext", lambda: RunContext(seed=case.seed))
    return shown(lambda: Replay(case), allow_targets=case.options.allow_targets, **settings)


def shown(network: Callable[[], Backend], **settings: Any) -> Middleware:
    """Return the service with this network, and no rate limits."""
    return build(ServiceSettings(**{"rate_client": "none", "rate_domain": "none"} | settings), network)


def by_id(tree: Element) -> dict[str, Element]:
    """Return every element that has an id, by it."""
    return {element.attrib["id"]: element for element in tree.iter() if "id" in element.attrib}


def sound(page: str) -> Element:
    """Return the tree of a page; require no active content but its own, and a label on everything."""
    tree = parse(page)
    assert list(_faults(tree)) == []
    return tree


def _faults(tree: Element) -> Iterator[str]:
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    yield from (f"the id {name} is there twice" for name in ids if ids.count(name) > 1)
    labelled = {label.attrib["for"] for label in tree.iter("label")}
    for element in tree.iter():
        given = element.attrib
        if element.tag in _ACTIVE or (element.tag == "script" and (element.text or "src" not in given)):
            yield f"<{element.tag}> is active content"
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                yield f"<{element.tag} {name}>"
            if name in ("href", "src", "action") and not value.startswith(
                ("check", "../", "#", "data:image/")
            ):
                yield f"<{element.tag} {name}={value!r}> leads elsewhere"
            if name in ("aria-describedby", "aria-labelledby", "for"):
                yield from (f"there is no {target}" for target in value.split() if target not in ids)
        if element.tag == "input" and given.get("type") != "hidden" and given.get("id") not in labelled:
            yield f"a field without a label: {given}"
    for landmark, number in (("main", 1), ("h1", 1), ("title", 1)):
        if len(list(tree.iter(landmark))) != number:
            yield f"not one <{landmark}>"
    yield from (f"an empty {h}" for h in ("h1", "h2") for found in tree.iter(h) if not words(found))


class StreamedResponse:
    """One request, and its response so far."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.whole = False
        self._news = asyncio.Event()
        self._gone = asyncio.Event()

    async def until(self, text: str) -> None:
        """Wait until the response has this text."""
        while text not in self.text:
            self._news.clear()
            await self._news.wait()

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def gone(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.whole = not message.get("more_body", False)
        self._news.set()


@asynccontextmanager
async def visiting(
    app: ASGIApp, **fields: str
) -> AsyncIterator[tuple[StreamedResponse, "asyncio.Task[None]"]]:
    """Post the form; yield the response as it arrives, and the task that serves it."""
    visit = StreamedResponse()
    body = urlencode(fields).encode()
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/check",
        "raw_path": b"/check",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"checker.localhost"),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("198.51.100.7", 50000),
        "server": ("checker.localhost", 80),
    }

    async def receive() -> Message:
        return next(requests, None) or await visit.gone()

    serving = asyncio.create_task(app(scope, receive, visit.send))  # type: ignore[arg-type]
    try:
        yield visit, serving
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
