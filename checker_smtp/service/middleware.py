"""What stands between the network and the routes: one request goes through here from outside to inside.

Forwarded (who asks) · Observed (log, figures, headers, last resort) · Gate (may it come in) · Intake (its
body, its time, its client's patience) · the application.
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

BUG = "this is a bug in checker-smtp: its log tells more"
"""What a client is told where something went wrong that must not."""

_logger = logging.getLogger("checker_smtp.service")
_access = logging.getLogger("checker_smtp.access")

# what nginx calls a request whose client did not wait for the answer
_CLIENT_GONE = 499
_MAX_PATH = 200
_ANCESTOR = re.compile(r"'self'|[a-z][a-z0-9+.-]*:|(https?://)?(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?")


class Middleware:
    """`app` as the network may have it. Raises `SettingError`."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self.metrics = metrics
        self._intake = RequestLimits(app)
        inside = Auth(self._intake, settings.token)
        self._outermost = Forwarded(
            _Observed(inside, metrics, _headers(settings.frame_ancestors)), settings.trusted_proxies
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._outermost(scope, receive, send)

    def give_up(self) -> None:
        """Cancel whatever runs: the service ends."""
        self._intake.give_up()


class _Observed:
    """Logs and counts each request, and answers where nobody else could."""

    def __init__(self, app: ASGIApp, metrics: Metrics, headers: list[tuple[bytes, bytes]]) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        began = monotonic()

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._secured(message.get("headers", ()))}
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except Exception:
            _logger.exception("a bug in checker-smtp: please report it with all of this")
            if not status:
                await send_error(observed_send, 500, BUG)
        finally:
            self._note(scope, status or _CLIENT_GONE, monotonic() - began)

    def _secured(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = list(headers)
        names = {name.lower() for name, _ in given}
        # a route may say something stricter of its own; policies (CSP) add up, so that one is always said
        return given + [
            (name, value)
            for name, value in self._headers
            if name == b"content-security-policy" or name not in names
        ]

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        self._metrics.count_request(scope["method"], scope["path"], status)
        client = client_of(scope) or "-"
        # the query is left out: what people type there is no business of whoever reads logs
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
                f"{ancestor!r} is no site that may show this one in a frame: give such as https://happydomain.example"
            )
    # the page frames its own reports; they bring their style along, and no script
    ancestors = " ".join(dict.fromkeys(["'self'", *frame_ancestors]))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        # not no-referrer: browsers would then leave the Origin out that the gate looks at
        (b"referrer-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]
