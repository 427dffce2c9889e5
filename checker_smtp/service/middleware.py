"""The ASGI middleware between the network and the routes, outermost first.

`Forwarded` (the client's address) · `_RequestLog` (log, metrics, security headers, errors of last resort) ·
`Auth` (Host, token, cross-site requests) · `RequestLimits` (body, timeouts, disconnects) · the application.
"""

import logging
import re
from collections.abc import Iterable
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checker_smtp.report.visible import visible

from .auth import Auth
from .forwarded import Forwarded, client_of
from .metrics import Metrics
from .request_limits import RequestLimits
from .responses import send_error
from .settings import ServiceSettings, SettingError

__all__ = ["BUG", "Middleware"]

BUG = "this is a bug in checker-smtp: see the log of the service"
"""The error message for a client after an unexpected exception."""

_logger = logging.getLogger("checker_smtp.service")
_access = logging.getLogger("checker_smtp.access")

# the status that nginx logs for a request whose client closed the connection
_CLIENT_CLOSED_REQUEST = 499
_MAX_PATH = 200
_ANCESTOR = re.compile(r"'self'|[a-z][a-z0-9+.-]*:|(https?://)?(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?")


class Middleware:
    """Wraps `app` in all layers of the middleware. Raises `SettingError`."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self.metrics = metrics
        self._limits = RequestLimits(app)
        inside = Auth(self._limits, settings.token)
        self._outermost = Forwarded(
            _RequestLog(inside, metrics, _headers(settings.frame_ancestors)), settings.trusted_proxies
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._outermost(scope, receive, send)

    def give_up(self) -> None:
        """Cancel all running requests, because the service is shutting down."""
        self._limits.give_up()


class _RequestLog:
    """Logs and counts each request, adds the security headers, and answers 500 after an exception."""

    def __init__(self, app: ASGIApp, metrics: Metrics, headers: list[tuple[bytes, bytes]]) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        started_at = monotonic()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._with_security_headers(message.get("headers", ()))}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _logger.exception("this is a bug in checker-smtp: please report it with this traceback")
            if not status:
                await send_error(send_with_headers, 500, BUG)
        finally:
            self._log(scope, status or _CLIENT_CLOSED_REQUEST, monotonic() - started_at)

    def _with_security_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = list(headers)
        names = {name.lower() for name, _ in given}
        # a route may set a stricter header of its own; policies (CSP) add up, so this one is always sent
        return given + [
            (name, value)
            for name, value in self._headers
            if name == b"content-security-policy" or name not in names
        ]

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        self._metrics.count_request(scope["method"], scope["path"], status)
        client = client_of(scope) or "-"
        # without the query, because the log must not contain the user's input
        path = visible(scope["path"][:_MAX_PATH])
        _access.info(
            '%s "%s %s" %d %.3fs',
            client,
            scope["method"],
            path,
            status,
            seconds,
            extra={
                "fields": {
                    "client": client,
                    "method": scope["method"],
                    "path": path,
                    "status": status,
                    "seconds": round(seconds, 3),
                }
            },
        )


def _headers(frame_ancestors: Iterable[str]) -> list[tuple[bytes, bytes]]:
    for ancestor in frame_ancestors:
        if not _ANCESTOR.fullmatch(ancestor):
            raise SettingError(
                f"{ancestor!r} is not a source for frame-ancestors: give for example https://happydomain.example"
            )
    # the page shows its reports in a frame; a report contains its style and no script
    ancestors = " ".join(dict.fromkeys(["'self'", *frame_ancestors]))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        # not no-referrer, because browsers would then omit the Origin that `Auth` checks
        (b"referrer-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]
