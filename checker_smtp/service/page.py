"""The routes of the web page: the form, the check that is watched, and what is kept of it.

    GET  /check                       the form, filled in from the query; a GET never starts a check, because
                                      crawlers, previews and prefetching browsers follow links
    POST /check                       one page that grows: its beginning at once, each step as it is taken,
                                      the verdict and the report at the end
    GET  /check/results/NAME/FILE     report.html, report.json and case.zip, for a while
    GET  /check/static/FILE           the style sheet and the script of all these pages

The page is whole without its script. The report stands in a frame of its own, in which no script runs. It
is fetched by its address rather than written into the page: links inside a `srcdoc` lead to the page around.
A client that goes away takes its check with it: what serves it is cancelled (see `intake`).
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.probes.options import Options

from . import form, rendering
from .admission import CheckRefused
from .forwarded import client_of
from .live_checks import CompletedCheck, FailedCheck, LiveCheck, start_check
from .results import CASE, DOCUMENT, REPORT, ResultStore, result_files, result_title

if TYPE_CHECKING:
    from .app import Service

__all__ = ["routes"]

_FORM_TYPE = "application/x-www-form-urlencoded"
_TYPES = {REPORT: "text/html; charset=utf-8", DOCUMENT: "application/json", CASE: "application/zip"}
# The report is the page's own frame, or a document by itself: no script either way, and nothing loaded.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-same-origin"
)


def routes(service: "Service") -> list[BaseRoute]:
    """The routes of the page."""
    page = _Page(service)
    return [
        Route("/check", page.check, methods=["GET", "POST"]),
        Route("/check/results/{name}/{file}", page.result),
        Route("/check/static/{file}", page.static),
    ]


class _Page:
    def __init__(self, service: "Service") -> None:
        self._service = service
        self._results = ResultStore()
        self._usual = form.default_fields(service.checks.options)

    async def check(self, request: Request) -> ASGIApp:
        """The form, or the check it asks for."""
        if request.method != "POST":
            query = request.scope["query_string"].decode("latin-1")
            return self._form(200, given=form.parse_fields(query))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return self._form(415, message=f"a form is wanted, sent as {_FORM_TYPE}")
        given = form.parse_fields((await request.body()).decode("utf-8", "replace"))
        options = form.parse_options(given, self._service.checks.options)
        if isinstance(options, dict):
            return self._form(400, given=given, errors=options)
        return partial(self._watched, given, options, client_of(request.scope))

    async def result(self, request: Request) -> Response:
        """A file of a result that is kept."""
        file = request.path_params["file"]
        found = self._results.find(request.path_params["name"], file)
        if found is None:
            return HTMLResponse(rendering.render_expired(lifetime=self._results.lifetime), 404)
        title, body = found
        ending = file.partition(".")[2]
        if file == REPORT:
            headers = {
                "Content-Disposition": f'inline; filename="{title}.{ending}"',
                "Content-Security-Policy": _REPORT_POLICY,
            }
        else:
            headers = {"Content-Disposition": f'attachment; filename="{title}.{ending}"'}
        return Response(body, media_type=_TYPES[file], headers=headers)

    async def static(self, request: Request) -> Response:
        """A file that all pages load; its address changes with it."""
        file = request.path_params["file"]
        if file not in rendering.STATIC:
            raise HTTPException(404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(rendering.static_file(file), media_type=rendering.STATIC[file], headers=headers)

    def _form(
        self,
        status: int,
        *,
        given: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        message: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        shown = form.Form(usual=self._usual, given=given or {}, errors=errors or {}, message=message)
        return HTMLResponse(rendering.render_form(shown), status, headers)

    async def _watched(
        self,
        given: dict[str, str],
        options: Options,
        client: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer with the page of a check that is made meanwhile, or with why it is not made."""
        with self._service.load.request():
            try:
                async with start_check(self._service.checks, options, client=client) as run:
                    await self._told(given, options, run, send)
            except CheckRefused as refusal:
                said = str(refusal)
                answer = self._form(refusal.status, given=given, message=said, headers=refusal.headers)
                await answer(scope, receive, send)

    async def _told(self, given: dict[str, str], options: Options, run: LiveCheck, send: Send) -> None:
        link = form.check_query(options, self._usual)
        head = HTMLResponse(headers={"X-Accel-Buffering": "no"})
        headers = [(name, value) for name, value in head.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def say(text: str, *, last: bool = False) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})

        shown = form.Form(usual=self._usual, given=given)
        await say(rendering.render_progress(shown, domain=options.domain, link=link))
        async for step in run.steps:
            await say(rendering.render_step(step))
        await say(await self._ending(run.outcome, link), last=True)

    async def _ending(self, end: CompletedCheck | FailedCheck, link: str) -> str:
        """The last piece of the page."""
        if isinstance(end, FailedCheck):
            return rendering.render_failure(end.message)
        # both take long enough to be felt by those who wait meanwhile
        files = await run_sync(result_files, end)
        name = self._results.keep(result_title(end), files)
        tell = partial(
            rendering.render_result, end, name=name, files=files, link=link, lifetime=self._results.lifetime
        )
        return await run_sync(tell)
