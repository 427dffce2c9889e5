"""The ASGI middleware between the network and the routes, outermost first.

`Forwarded` (the client's address) · `_RequestLog` (log, metrics, security headers, errors of last resort) ·
`RequestHead` (framing, size, Host) · `Auth` (token, cross-site requests) · `refuse_strangers` (hosts) ·
`RequestLimits` (body, timeouts, disconnects) · the application.
"""

import logging
import re
from collections.abc import Iterable
from functools import partial
from time import monotonic

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checker_smtp.report.visible import visible
from checker_smtp.service.metrics import Metrics
from checker_smtp.service.settings import ServiceSettings, SettingError

from .auth import Auth
from .errors import ErrorResponse, refusing
from .forwarded import Forwarded, client_of
from .hosts import Hosts
from .protocol_access import refuse_strangers
from .request_head import RequestHead
from .request_id import HEADER, current_request_id, new_request_id
from .request_limits import RequestLimits

__all__ = ["Middleware", "bug_response"]


_logger = logging.getLogger("checker_smtp.service")
_access = logging.getLogger("checker_smtp.access")

# the status that nginx logs for a request whose client closed the connection
_CLIENT_CLOSED_REQUEST = 499
_MAX_PATH = 200
_ANCESTOR = re.compile(r"'self'|[a-z][a-z0-9+.-]*:|(https?://)?(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?")
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    # not no-referrer, because browsers would then omit the Origin that `Auth` checks
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


def bug_response() -> ErrorResponse:
    """Return the response after an unexpected exception; the log has its lines by the id of the request."""
    return ErrorResponse(
        500, f"this is a bug in checker-smtp: see request {current_request_id()} in the log of the service"
    )


class Middleware:
    """Wraps `app` in all layers of the middleware. Raises `SettingError`."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self.metrics = metrics
        self._hosts = Hosts(settings)
        self._limits = RequestLimits(app, self._hosts)
        inside: ASGIApp = self._limits
        if not settings.token:
            inside = refusing(partial(refuse_strangers, self._hosts), inside)
        inside = refusing(Auth(settings.token).refusal, inside)
        inside = refusing(RequestHead(settings).refusal, inside)
        self._outermost = Forwarded(
            _RequestLog(inside, metrics, _policy(settings.frame_ancestors)), settings.trusted_proxies
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._outermost(scope, receive, send)

    def may_hold_all_connections(self, peer: str) -> bool:
        """Return whether this address is the one of a trusted proxy or of a host."""
        return self._outermost.trusts(peer) or self._hosts.include(peer)

    def give_up(self) -> None:
        """Cancel all running requests, because the service is shutting down."""
        self._limits.give_up()


class _RequestLog:
    """Logs and counts each request, adds the security headers, and answers 500 after an exception."""

    def __init__(self, app: ASGIApp, metrics: Metrics, policy: str) -> None:
        self._app = app
        self._metrics = metrics
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        started_at = monotonic()
        request_id = new_request_id()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                # a route may set a stricter policy of its own, because policies add up
                headers.append("Content-Security-Policy", self._policy)
                headers[HEADER] = request_id
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _logger.exception("this is a bug in checker-smtp: please report it with this traceback")
            if not status:
                await bug_response()(scope, receive, send_with_headers)
        finally:
            self._log(scope, status or _CLIENT_CLOSED_REQUEST, monotonic() - started_at)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        self._metrics.count_request(scope["method"], scope["path"], status)
        fields = {
            "client": client_of(scope) or "-",
            "method": scope["method"],
            # without the query, because the log must not contain the user's input
            "path": visible(scope["path"][:_MAX_PATH]),
            "status": status,
            "seconds": round(seconds, 3),
        }
        line = '%(client)s "%(method)s %(path)s" %(status)d %(seconds).3fs'
        _access.info(line, fields, extra={"fields": fields})


def _policy(frame_ancestors: Iterable[str]) -> str:
    """Return the Content-Security-Policy of all responses. Raises `SettingError`."""
    for ancestor in frame_ancestors:
        if not _ANCESTOR.fullmatch(ancestor):
            raise SettingError(
                f"{ancestor!r} is not a source for frame-ancestors: give for example https://happydomain.example"
            )
    # the page shows its reports in a frame; a report contains its style and no script
    ancestors = " ".join(dict.fromkeys(["'self'", *frame_ancestors]))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
