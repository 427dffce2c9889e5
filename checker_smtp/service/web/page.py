"""The routes of the web page: the form, the running check, and the files of its result.

    GET  /check                       the form, filled in from the query; a GET never starts a check, because
                                      crawlers, previews and prefetching browsers follow links
    POST /check                       one page that is streamed: its beginning at once, each step when it
                                      starts, the verdict and the report at the end
    GET  /check/results/NAME/FILE     report.html, report.json and case.zip, until they expire
    GET  /check/static/FILE           the style sheet and the script of all these pages

The page works without its script. The report is in a frame, in which no script runs. The frame loads it by
its address, because links in a `srcdoc` document refer to the page around it. If a client closes the
connection, `RequestLimits` cancels its check.
"""

from collections.abc import Mapping
from functools import partial

from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.probes.options import Options
from checker_smtp.service.admission import CheckRefused
from checker_smtp.service.checks import Checks
from checker_smtp.service.http.forwarded import client_of
from checker_smtp.service.load import Load

from . import form, rendering
from .live_checks import CompletedCheck, FailedCheck, LiveCheck, start_check
from .results import CASE, DOCUMENT, REPORT, ResultStore, result_files, result_title

__all__ = ["routes"]

_FORM_TYPE = "application/x-www-form-urlencoded"
_TYPES = {REPORT: "text/html; charset=utf-8", DOCUMENT: "application/json", CASE: "application/zip"}
# The report is a frame of the page or a document of its own; in both it runs no script and loads nothing.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-same-origin"
)


def routes(checks: Checks, load: Load) -> list[BaseRoute]:
    """Return the routes of the page."""
    page = _Page(checks, load)
    return [
        Route("/check", page.check, methods=["GET", "POST"]),
        Route("/check/results/{name}/{file}", page.result),
        Route("/check/static/{file}", page.static),
    ]


class _Page:
    def __init__(self, checks: Checks, load: Load) -> None:
        self._checks = checks
        self._load = load
        self._results = ResultStore()
        self._defaults = form.default_fields(checks.options)

    async def check(self, request: Request) -> ASGIApp:
        """Serve the form, or run the check that it requests."""
        if request.method != "POST":
            query = request.scope["query_string"].decode("latin-1")
            return self._form(200, given=form.parse_fields(query))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return self._form(415, message=f"the request is not a form: send it as {_FORM_TYPE}")
        given = form.parse_fields((await request.body()).decode("utf-8", "replace"))
        options = form.parse_options(given, self._checks.options)
        if isinstance(options, dict):
            return self._form(400, given=given, errors=options)
        return partial(self._run_check, given, options, client_of(request.scope))

    async def result(self, request: Request) -> Response:
        """Serve a file of a stored result."""
        file = request.path_params["file"]
        stored = self._results.find(request.path_params["name"], file)
        if stored is None:
            return HTMLResponse(rendering.render_expired(lifetime=self._results.lifetime), 404)
        title, body = stored
        extension = file.partition(".")[2]
        if file == REPORT:
            headers = {
                "Content-Disposition": f'inline; filename="{title}.{extension}"',
                "Content-Security-Policy": _REPORT_POLICY,
            }
        else:
            headers = {"Content-Disposition": f'attachment; filename="{title}.{extension}"'}
        return Response(body, media_type=_TYPES[file], headers=headers)

    async def static(self, request: Request) -> Response:
        """Serve a file that all pages load; its URL changes with its content."""
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
        filled = form.Form(defaults=self._defaults, given=given or {}, errors=errors or {}, message=message)
        return HTMLResponse(rendering.render_form(filled), status, headers)

    async def _run_check(
        self,
        given: dict[str, str],
        options: Options,
        client: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Stream the page of a check while it runs, or serve the form with the reason for a refusal."""
        with self._load.request():
            try:
                async with start_check(self._checks, options, client=client) as check:
                    await self._stream(given, options, check, send)
            except CheckRefused as refusal:
                response = self._form(
                    refusal.status, given=given, message=str(refusal), headers=refusal.headers
                )
                await response(scope, receive, send)

    async def _stream(self, given: dict[str, str], options: Options, check: LiveCheck, send: Send) -> None:
        link = form.check_query(options, self._defaults)
        head = HTMLResponse(headers={"X-Accel-Buffering": "no"})
        headers = [(name, value) for name, value in head.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def send_text(text: str, *, last: bool = False) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})

        filled = form.Form(defaults=self._defaults, given=given)
        await send_text(rendering.render_progress(filled, domain=options.domain, link=link))
        async for step in check.steps:
            await send_text(rendering.render_step(step))
        await send_text(await self._render_outcome(check.outcome, link), last=True)

    async def _render_outcome(self, outcome: CompletedCheck | FailedCheck, link: str) -> str:
        """Return the end of the page."""
        if isinstance(outcome, FailedCheck):
            return rendering.render_failure(outcome.message)
        # in threads, because both take long enough to delay other requests
        files = await run_sync(result_files, outcome)
        name = self._results.keep(result_title(outcome), files)
        render = partial(
            rendering.render_result,
            outcome,
            name=name,
            files=files,
            link=link,
            lifetime=self._results.lifetime,
        )
        return await run_sync(render)
