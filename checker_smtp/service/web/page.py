"""The routes of the web page: the form, and the running check.

    GET  /check                form, filled in from the query; a GET never starts a check, because crawlers,
                               previews and prefetching browsers follow links
    POST /check                one page that is streamed: its beginning at once, each step when it starts, the
                               verdict and the report at the end
    GET  /check/static/FILE    the style sheet and the script of all these pages

The page works without its script. The report is in a frame, in which no script runs. The frame loads it by
its address, because links in a `srcdoc` document refer to the page around it. If a client closes the
connection, `RequestLimits` cancels its check. `result_pages` has the result from then on.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.history.store import KeptCheck
from checker_smtp.probes.options import Options
from checker_smtp.service.http.errors import ErrorResponse
from checker_smtp.service.http.forwarded import client_of
from checker_smtp.service.options import RequestOption
from checker_smtp.service.refusal import CheckRefused
from checker_smtp.service.results import ResultStore, owner_of
from checker_smtp.service.running_checks import RunningCheck, RunningChecks

from . import form, result_pages
from .form import MakeOptions
from .owner import remember_owner, secret_for
from .rendering import STATIC, render, render_outcome, static_file

__all__ = ["routes"]

_FORM_TYPE = "application/x-www-form-urlencoded"
_API = "the page is HTML: programs send POST to /api/v1/checks"


def routes(
    running: RunningChecks, results: ResultStore, make: MakeOptions, options: Iterable[RequestOption]
) -> list[BaseRoute]:
    """Return the routes of the page, whose form has these `options`; `make` builds a check's from values."""
    defaults = form.default_fields([option.name for option in options], make)
    page = _Page(running, results, make, defaults)
    return [
        Route("/check", page.check, methods=["GET", "POST"]),
        Route("/check/static/{file}", page.static),
        *result_pages.routes(results, defaults),
    ]


@dataclass(frozen=True, slots=True)
class _Page:
    running: RunningChecks
    results: ResultStore
    make: MakeOptions
    defaults: Mapping[str, str]

    async def check(self, request: Request) -> ASGIApp:
        """Serve the form, or run the check that it requests."""
        if request.method != "POST":
            if not _wants_page(request):
                return ErrorResponse(406, _API, {"Link": '<api/v1/checks>; rel="alternate"'})
            query = request.scope["query_string"].decode("latin-1")
            # no text of the query, or a link from elsewhere could put any words on the page
            deleted = request.query_params.get("deleted") == "true"
            return self._form(200, form.parse_fields(query, self.defaults), deleted=deleted)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return self._form(415, {}, message=f"the request is not a form: send it as {_FORM_TYPE}")
        given = form.parse_fields((await request.body()).decode("utf-8", "replace"), self.defaults)
        options = form.parse_options(given, self.make)
        if isinstance(options, dict):
            return self._form(400, given, errors=options)
        return partial(self._run_check, request, given, options)

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
        deleted: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Serve the form as it was filled in; errors are shown above it and at each field."""
        filled = form.Form(defaults=self.defaults, given=given, errors=errors or {}, message=message)
        title = f"{'Error: ' if errors or message else ''}Can this domain receive mail?"
        page = render(
            "form_page",
            title=title,
            form=filled,
            narrow=True,
            deleted=deleted,
            lifetime=self.results.lifetime,
        )
        return HTMLResponse(page, status, headers)

    async def _run_check(
        self,
        request: Request,
        given: dict[str, str],
        options: Options,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Stream the page of a check while it runs, or serve the form with the reason for a refusal."""
        response: Response
        secret = secret_for(request)
        try:
            async with self.running.attached(
                options, client=client_of(scope), owner=owner_of(secret)
            ) as check:
                page = self._progress(given, check)
                response = StreamingResponse(
                    page, media_type="text/html", headers={"X-Accel-Buffering": "no", "Vary": "Cookie"}
                )
                remember_owner(response, request, secret)
                await response(scope, receive, send)
        except CheckRefused as refusal:
            response = self._form(refusal.status, given, message=str(refusal), headers=refusal.headers)
            await response(scope, receive, send)

    async def _progress(self, given: dict[str, str], check: RunningCheck) -> AsyncIterator[str]:
        """Yield the page piece by piece: its beginning, each step, and the result."""
        domain = check.options.domain
        link = form.form_query(given, self.defaults)
        filled = form.Form(defaults=self.defaults, given=given)
        title = f"{domain} – inbound mail"
        yield render("progress", title=title, form=filled, domain=domain, link=link)
        async for step in check.steps():
            yield render("step", step=step)
        if not isinstance(check.outcome, KeptCheck):
            assert check.outcome is not None  # noqa: S101 - the steps have ended, and so has the check
            yield render("failure", message=check.outcome.message)
            return
        yield await render_outcome(self.results, check.outcome, self.defaults)


def _wants_page(request: Request) -> bool:
    """Return whether a client takes HTML; one that names nothing does."""
    accepted = request.headers.get("accept", "*/*").lower()
    return any(kind in accepted for kind in ("text/html", "text/*", "*/*", "application/xhtml"))
