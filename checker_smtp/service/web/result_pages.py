"""The pages and files of kept results.

    GET  /check/results/NAME          the result as a page, with its downloads
    GET  /check/results/NAME/FILE     report.html, report.json, case.zip, and compare.html: the difference to
                                      the check before
    POST /check/results/NAME/delete   deletes it, for the browser that made it

A name is the only credential. No search engine indexes these pages, and no shared cache keeps them.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from checker_smtp.history.store import KeptCheck
from checker_smtp.report.diff.html import render_difference_html
from checker_smtp.report.document import dump
from checker_smtp.report.formats.html import render_html
from checker_smtp.service.results import ResultStore, file_title

from . import form
from .owner import is_owner
from .rendering import render, render_outcome

__all__ = ["routes"]

REPORT, DOCUMENT, CASE, COMPARISON = "report.html", "report.json", "case.zip", "compare.html"
_TYPES = {
    REPORT: "text/html; charset=utf-8",
    DOCUMENT: "application/json",
    CASE: "application/zip",
    COMPARISON: "text/html; charset=utf-8",
}
# A report is a frame of the page or a document of its own; in both it runs no script and loads nothing.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-same-origin"
)
_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Cookie", "X-Robots-Tag": "noindex"}
# the form, relative to a result and to a file of it
_FROM_RESULT, _FROM_FILE = "../../check", "../../../check"


def routes(results: ResultStore, defaults: Mapping[str, str]) -> list[BaseRoute]:
    """Return the routes; `defaults` are those of the form's fields."""
    pages = _ResultPages(results, defaults)
    return [
        Route("/check/results/{name}", pages.page),
        Route("/check/results/{name}/delete", pages.delete, methods=["POST"]),
        Route("/check/results/{name}/{file}", pages.file),
    ]


class _ResultPages:
    def __init__(self, results: ResultStore, defaults: Mapping[str, str]) -> None:
        self._results = results
        self._defaults = defaults

    async def page(self, request: Request) -> Response:
        """Serve a result as a page."""
        kept = await self._results.find(request.path_params["name"])
        if kept is None:
            return self._expired(_FROM_RESULT)
        page = await render_outcome(
            self._results,
            kept,
            self._defaults,
            base=_FROM_RESULT,
            template="result_page",
            title=f"{kept.domain} – inbound mail",
            form=form.Form(defaults=self._defaults, given={"domain": kept.domain}),
            is_owner=is_owner(request, kept),
        )
        return HTMLResponse(page, headers=_PRIVATE)

    async def file(self, request: Request) -> Response:
        """Serve a file of a result."""
        file = request.path_params["file"]
        kept = await self._results.find(request.path_params["name"])
        body = await self._body(kept, file) if kept is not None else None
        if kept is None or body is None:
            return self._expired(_FROM_FILE)
        is_page = file in (REPORT, COMPARISON)
        title = f"{file_title(kept.domain, kept.run_at)}.{file.partition('.')[2]}"
        headers = {"Content-Disposition": f'{"inline" if is_page else "attachment"}; filename="{title}"'}
        if is_page:
            headers["Content-Security-Policy"] = _REPORT_POLICY
        return Response(body, media_type=_TYPES[file], headers=_PRIVATE | headers)

    async def delete(self, request: Request) -> Response:
        """Delete a result, if the client made it."""
        kept = await self._results.find(request.path_params["name"])
        if kept is None:
            return self._expired(_FROM_FILE)
        if not is_owner(request, kept):
            at = f"{_FROM_FILE}/results/{kept.name}"
            page = render("not_deleted", base=_FROM_FILE, at=at, title="Not deleted", narrow=True)
            return HTMLResponse(page, 403, headers=_PRIVATE)
        await self._results.delete(kept)
        return RedirectResponse(f"{_FROM_FILE}?deleted=true", 303, headers=_PRIVATE)

    async def _body(self, kept: KeptCheck, file: str) -> str | bytes | None:
        if file == CASE:
            return await self._results.recording(kept)
        if file not in _TYPES:
            return None
        if file != COMPARISON:
            return await self._results.work_on(kept, render_html if file == REPORT else dump)
        if (previous := await self._results.previous(kept)) is None:
            return None
        return render_difference_html(await self._results.compare(previous, kept))

    def _expired(self, base: str) -> Response:
        title = "This result does not exist"
        page = render("expired", base=base, title=title, narrow=True, results=self._results)
        return HTMLResponse(page, 404, headers=_PRIVATE)
