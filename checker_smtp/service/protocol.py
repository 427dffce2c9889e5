"""The routes of happyDomain's protocol for external checkers.

Whatever is wrong with a request is one sentence in `error`. A check that could not be made is a 500, as the
host expects it. What takes time in proportion to a body is done in a thread, beside the event loop.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.options import OptionError

from .checks import CheckTimeout
from .collect import collect, precheck
from .definition import definition
from .evaluate import evaluate
from .forwarded import client_of
from .reporting import metrics, page, result_of
from .schemas import BodyError, CollectRequest, EvaluateRequest, PrecheckRequest, ReportRequest, decode

if TYPE_CHECKING:
    from .app import Service

__all__ = ["routes"]

_Work = Callable[[bytes], Awaitable[Response]]


def routes(service: "Service") -> list[BaseRoute]:
    """The routes; `/check`, which is for people, is the page's."""
    protocol = _Protocol(service)
    return [
        Route("/health", protocol.health, methods=["GET"]),
        Route("/definition", protocol.definition, methods=["GET", "POST"]),
        Route("/collect", protocol.collect, methods=["POST"]),
        Route("/evaluate", protocol.evaluate, methods=["POST"]),
        Route("/report", protocol.report, methods=["POST"]),
    ]


class _Protocol:
    """One method a route; POSTs are counted as work."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    async def health(self, _: Request) -> Response:
        return _json(self._service.load.health())

    async def definition(self, request: Request) -> Response:
        if request.method != "POST":
            return _json(definition())
        return await self._worked(request, self._described)

    async def collect(self, request: Request) -> Response:
        return await self._worked(request, partial(self._collected, client=client_of(request.scope)))

    async def evaluate(self, request: Request) -> Response:
        return await self._worked(request, _aside(_evaluated))

    async def report(self, request: Request) -> Response:
        as_page = "text/html" in request.headers.get("accept", "").lower()
        return await self._worked(request, _aside(partial(_reported, as_page=as_page)))

    async def _worked(self, request: Request, work: _Work) -> Response:
        with self._service.load.request():
            try:
                return await work(await request.body())
            except (BodyError, OptionError) as error:
                return _json({"error": str(error)}, 400)

    async def _described(self, body: bytes) -> Response:
        given = decode(body, PrecheckRequest).options if body.strip() else None
        return _json({**definition(), "precheck_failures": precheck(self._service.checks, given or {})})

    async def _collected(self, body: bytes, client: str) -> Response:
        try:
            return _answer(await collect(self._service.checks, decode(body, CollectRequest), client))
        except (ResolverError, CheckTimeout) as error:
            return _json({"error": str(error)}, 500)


def _aside(work: Callable[[bytes], Response]) -> _Work:
    """The same beside the event loop, in a thread."""
    return lambda body: run_sync(work, body)


def _evaluated(body: bytes) -> Response:
    try:
        return _json(evaluate(decode(body, EvaluateRequest)))
    except BodyError as error:
        return _json({"states": [], "error": str(error)}, 400)


def _reported(body: bytes, as_page: bool) -> Response:
    result = result_of(decode(body, ReportRequest))
    return HTMLResponse(page(result)) if as_page else _json(metrics(result, datetime.now(UTC)))


def _json(content: object, status: int = 200) -> Response:
    return _answer(msgspec.json.encode(content), status)


def _answer(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
