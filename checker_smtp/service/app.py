"""The parts of the service, put together as one ASGI application."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from checker_smtp.api import Backend

from . import page, protocol
from .admission import Admission, CheckRefused
from .checks import Checks
from .counted import CountedChecks
from .load import Load
from .metrics import Metrics
from .middleware import BUG, Middleware
from .settings import ServiceSettings

__all__ = ["Service", "build"]


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes are handed."""

    settings: ServiceSettings
    checks: Checks
    admission: Admission
    load: Load


def build(settings: ServiceSettings, network: Callable[[], Backend] | None = None) -> Middleware:
    """The service as an ASGI application.

    `network` makes the backend of one check; by default it is the network. Raises `SettingError` where a
    setting cannot be.
    """
    admission = Admission(settings)
    load = Load()
    metrics = Metrics(admission, load)
    checks = CountedChecks(settings, admission, network, metrics=metrics)
    # the token is the gate's: nobody else is handed it
    service = Service(replace(settings, token=""), checks, admission, load)
    routes = [Route("/", _to_the_page), *protocol.routes(service), *page.routes(service)]
    handlers = {HTTPException: _told, CheckRefused: _refused, Exception: _bug}
    app = Starlette(routes=routes, exception_handlers=handlers)
    # the address of a redirect would be made from the Host header, which anybody can write
    app.router.redirect_slashes = False
    return Middleware(app, settings, metrics)


def _bug(_: Request, __: Exception) -> Response:
    # it is raised again behind this answer, and logged by the guard
    return JSONResponse({"error": BUG}, 500)


async def _to_the_page(_: Request) -> Response:
    # relative: a proxy may have put the service below a path of its own
    return RedirectResponse("check")


def _told(_: Request, error: Exception) -> Response:
    """What the router says, in the form of all other errors."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    said = {
        404: "there is nothing here: the page is /check",
        405: f"this path takes {(error.headers or {}).get('Allow', 'other methods')} only",
    }
    return JSONResponse(
        {"error": said.get(error.status_code, error.detail)}, error.status_code, error.headers
    )


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, CheckRefused)  # noqa: S101 - it is registered for nothing else
    return JSONResponse({"error": str(error)}, error.status, error.headers)
