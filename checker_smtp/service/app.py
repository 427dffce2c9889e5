"""Build the service: one ASGI application out of its parts."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from checker_smtp.api import Backend
from checker_smtp.history.failures import HistoryError

from .admission import Admission
from .api import routes as api
from .checks import Checks
from .happydomain import routes as happydomain
from .http.errors import ErrorResponse
from .http.held_responses import HeldResponses
from .http.middleware import Middleware, bug_response
from .http.request_id import current_request_id
from .load import Load
from .metrics import Metrics
from .options import page_options
from .refusal import CheckRefused
from .results import ResultStore
from .running_checks import RunningChecks
from .settings import ServiceSettings, SettingError
from .web import about, page

__all__ = ["build"]

_logger = logging.getLogger("checker_smtp.service")


def build(settings: ServiceSettings, network: Callable[[], Backend] | None = None) -> Middleware:
    """Build the service as an ASGI application.

    `network` makes the backend of one check, by default a `RestrictedNetwork`. Raises `SettingError` for an
    invalid setting.
    """
    admission = Admission(settings)
    load = Load()
    metrics = Metrics(admission, load)
    # only the authentication layer gets the token
    checks = Checks(replace(settings, token=""), admission, network, on_end=metrics.count_check)
    try:
        results = ResultStore(settings.store, days=settings.keep_days, octets=settings.keep_octets)
    except HistoryError as error:
        raise SettingError(str(error)) from None
    running = RunningChecks(checks, results, load)
    options = page_options(settings)
    routes = [
        Route("/", _redirect_to_page),
        *happydomain.routes(checks, load),
        *page.routes(running, results, checks.options, options),
        *api.routes(running, results, checks, options),
        *about.routes(settings, checks),
        Route("/ready", partial(_ready, results)),
    ]
    handlers = {
        HTTPException: _on_http_error,
        CheckRefused: _on_refused,
        HistoryError: _on_unusable_store,
        Exception: _on_bug,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    # such a redirect would contain the Host header, which the client chooses
    app.router.redirect_slashes = False
    return Middleware(HeldResponses(app, admission), settings, metrics)


async def _ready(results: ResultStore, _: Request) -> Response:
    """Say if a check can be run and kept; `/health` says only that the process lives."""
    try:
        await results.require_writable()
    except HistoryError as error:
        return ErrorResponse(503, str(error))
    return JSONResponse({"status": "ready"})


async def _redirect_to_page(_: Request) -> Response:
    # relative, because a proxy may publish the service below a path of its own
    return RedirectResponse("check")


def _on_bug(_: Request, __: Exception) -> Response:
    # Starlette raises the exception again after this response, and the middleware logs it
    return bug_response()


def _on_http_error(_: Request, error: Exception) -> Response:
    """Return the router's error in the form of all other errors."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    messages = {
        404: "this address does not exist: the page is /check",
        405: f"this address accepts {(error.headers or {}).get('Allow', 'other methods')} only",
    }
    return ErrorResponse(error.status_code, messages.get(error.status_code, error.detail), error.headers)


def _on_unusable_store(_: Request, error: Exception) -> Response:
    # the message has the path of the file, which is for the operator
    _logger.error("%s", error)
    return ErrorResponse(
        503,
        "the service cannot read its results at the moment: try again later, or name request "
        f"{current_request_id()} to its operator",
    )


def _on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, CheckRefused)  # noqa: S101 - registered for this type only
    return ErrorResponse(error.status, str(error), error.headers)
