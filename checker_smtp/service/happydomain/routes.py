"""The routes of happyDomain's protocol for external checkers.

An invalid request gets one sentence in `error`. A check without a result is a 500, as the host expects it.
Work whose time grows with the size of a body runs in a thread, beside the event loop.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.options import OptionError
from checker_smtp.report.document import DocumentError
from checker_smtp.report.formats.html import render_html
from checker_smtp.service.checks import Checks
from checker_smtp.service.http.errors import ErrorResponse
from checker_smtp.service.http.forwarded import client_of
from checker_smtp.service.load import Load

from .collect import collect, precheck
from .definition import definition
from .evaluate import evaluate
from .report import metric_samples, read_result
from .schemas import BodyError, CollectRequest, EvaluateRequest, PrecheckRequest, ReportRequest, decode

__all__ = ["routes"]

_Work = Callable[[bytes], Awaitable[Response]]


def routes(checks: Checks, load: Load) -> list[BaseRoute]:
    """Return the routes of the protocol; `load` counts their POSTs."""
    protocol = _Protocol(checks, load)
    return [
        Route("/health", protocol.health, methods=["GET"]),
        Route("/definition", protocol.definition, methods=["GET", "POST"]),
        Route("/collect", protocol.collect, methods=["POST"]),
        Route("/evaluate", protocol.evaluate, methods=["POST"]),
        Route("/report", protocol.report, methods=["POST"]),
    ]


class _Protocol:
    def __init__(self, checks: Checks, load: Load) -> None:
        self._checks = checks
        self._load = load

    async def health(self, _: Request) -> Response:
        return _json(self._load.health())

    async def definition(self, request: Request) -> Response:
        if request.method != "POST":
            return _json(definition(self._checks.settings))
        return await self._respond(request, self._precheck)

    async def collect(self, request: Request) -> Response:
        return await self._respond(request, partial(self._collect, client=client_of(request.scope)))

    async def evaluate(self, request: Request) -> Response:
        return await self._respond(request, self._on_document(request, _evaluate))

    async def report(self, request: Request) -> Response:
        as_page = "text/html" in request.headers.get("accept", "").lower()
        return await self._respond(request, self._on_document(request, partial(_report, as_page=as_page)))

    async def _respond(self, request: Request, work: _Work) -> Response:
        with self._load.request():
            try:
                return await work(await request.body())
            except (BodyError, DocumentError, OptionError) as error:
                return ErrorResponse(400, str(error))

    def _on_document(self, request: Request, work: Callable[[bytes], Response]) -> _Work:
        """Return `work` on the body of the request as a function that runs it in a thread."""
        client = client_of(request.scope)
        return partial(self._checks.evaluate, work, client=client)

    async def _precheck(self, body: bytes) -> Response:
        given = decode(body, PrecheckRequest).options if body.strip() else None
        return _json(
            {**definition(self._checks.settings), "precheck_failures": precheck(self._checks, given or {})}
        )

    async def _collect(self, body: bytes, client: str) -> Response:
        try:
            return _json_response(await collect(self._checks, decode(body, CollectRequest), client))
        except ResolverError as error:
            return ErrorResponse(500, str(error))


def _evaluate(body: bytes) -> Response:
    try:
        return _json(evaluate(decode(body, EvaluateRequest)))
    except (BodyError, DocumentError) as error:
        return _json({"states": [], "error": str(error)}, 400)


def _report(body: bytes, as_page: bool) -> Response:
    result = read_result(decode(body, ReportRequest))
    return HTMLResponse(render_html(result)) if as_page else _json(metric_samples(result, datetime.now(UTC)))


def _json(content: object, status: int = 200) -> Response:
    return _json_response(msgspec.json.encode(content), status)


def _json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
