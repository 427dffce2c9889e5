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

from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial

from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.probes.options import Options
from checker_smtp.service.checks import Checks
from checker_smtp.service.http.forwarded import client_of
from checker_smtp.service.load import Load
from checker_smtp.service.options import RequestOption
from checker_smtp.service.refusal import CheckRefused

from . import form
from .live_checks import FailedCheck, LiveCheck, start_check
from .rendering import STATIC, render, render_result, static_file
from .results import CASE, DOCUMENT, REPORT, ResultStore, result_files, result_title

__all__ = ["routes"]

_FORM_TYPE = "application/x-www-form-urlencoded"
_TYPES = {REPORT: "text/html; charset=utf-8", DOCUMENT: "application/json", CASE: "application/zip"}
# The report is a frame of the page or a document of its own; in both it runs no script and loads nothing.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-same-origin"
)


def routes(checks: Checks, load: Load, options: Iterable[RequestOption]) -> list[BaseRoute]:
    """Return the routes of the page, whose form has these `options`."""
    page = _Page(checks, load, options)
    return [
        Route("/check", page.check, methods=["GET", "POST"]),
        Route("/check/results/{name}/{file}", page.result),
        Route("/check/static/{file}", page.static),
    ]


class _Page:
    def __init__(self, checks: Checks, load: Load, options: Iterable[RequestOption]) -> None:
        self._checks = checks
        self._load = load
        self._results = ResultStore()
        self._minutes = round(self._results.lifetime / 60)
        self._defaults = form.default_fields([option.name for option in options], checks.options)

    async def check(self, request: Request) -> ASGIApp:
        """Serve the form, or run the check that it requests."""
        if request.method != "POST":
            query = request.scope["query_string"].decode("latin-1")
            return self._form(200, form.parse_fields(query, self._defaults))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return self._form(415, {}, message=f"the request is not a form: send it as {_FORM_TYPE}")
        given = form.parse_fields((await request.body()).decode("utf-8", "replace"), self._defaults)
        options = form.parse_options(given, self._checks.options)
        if isinstance(options, dict):
            return self._form(400, given, errors=options)
        return partial(self._run_check, given, options, client_of(request.scope))

    async def result(self, request: Request) -> Response:
        """Serve a file of a stored result."""
        file = request.path_params["file"]
        stored = self._results.find(request.path_params["name"], file)
        if stored is None:
            title = "This result has expired"
            # the address of a result is two levels below the form
            page = render("expired", base="../../../check", title=title, narrow=True, minutes=self._minutes)
            return HTMLResponse(page, 404)
        title, body = stored
        shown = "inline" if file == REPORT else "attachment"
        headers = {"Content-Disposition": f'{shown}; filename="{title}.{file.partition(".")[2]}"'}
        if file == REPORT:
            headers["Content-Security-Policy"] = _REPORT_POLICY
        return Response(body, media_type=_TYPES[file], headers=headers)

    async def static(self, request: Request) -> Response:
        """Serve a file that all pages load; its URL changes with its content."""
        file = request.path_params["file"]
        if file not in STATIC:
            raise HTTPException(404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(static_file(file), media_type=STATIC[file], headers=headers)

    def _form(
        self,
        status: int,
        given: Mapping[str, str],
        *,
        errors: Mapping[str, str] | None = None,
        message: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Serve the form as it was filled in; errors are shown above it and at each field."""
        filled = form.Form(defaults=self._defaults, given=given, errors=errors or {}, message=message)
        title = f"{'Error: ' if errors or message else ''}Can this domain receive mail?"
        return HTMLResponse(render("form_page", title=title, form=filled, narrow=True), status, headers)

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
        response: Response
        with self._load.request():
            try:
                async with start_check(self._checks, options, client=client) as check:
                    page = self._progress(given, options, check)
                    response = StreamingResponse(
                        page, media_type="text/html", headers={"X-Accel-Buffering": "no"}
                    )
                    await response(scope, receive, send)
            except CheckRefused as refusal:
                response = self._form(refusal.status, given, message=str(refusal), headers=refusal.headers)
                await response(scope, receive, send)

    async def _progress(
        self, given: dict[str, str], options: Options, check: LiveCheck
    ) -> AsyncIterator[str]:
        """Yield the page piece by piece: its beginning, each step, and the result."""
        link = form.check_query(options, self._defaults)
        filled = form.Form(defaults=self._defaults, given=given)
        title = f"{options.domain} – inbound mail"
        yield render("progress", title=title, form=filled, domain=options.domain, link=link)
        async for step in check.steps:
            yield render("step", step=step)
        if isinstance(check.outcome, FailedCheck):
            yield render("failure", message=check.outcome.message)
            return
        # in threads, because both take long enough to delay other requests
        files = await run_sync(result_files, check.outcome)
        name = self._results.keep(result_title(check.outcome), files)
        yield await run_sync(
            partial(render_result, check.outcome, name=name, files=files, link=link, minutes=self._minutes)
        )
