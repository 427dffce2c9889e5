"""The checker as an operator sees it who finds it in a log: its addresses, its names, and a contact.

GET  /about                       a page
GET  /.well-known/security.txt    the contact, where the operator gave one (RFC 9116)
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from checker_smtp.api import selftest
from checker_smtp.probes.selftest import SelfTest
from checker_smtp.report.selftest import Remark, build_remarks
from checker_smtp.service.checks import Checks
from checker_smtp.service.settings import ServiceSettings

from .rendering import render

__all__ = ["routes"]

# Seconds for which a self-test holds, and for which a visitor waits for one.
_FRESH, _PATIENCE = 3600.0, 10.0
# security.txt has to say until when it holds, at most a year
_EXPIRES = timedelta(days=90)


def routes(
    settings: ServiceSettings, checks: Checks, clock: Callable[[], float] = monotonic
) -> list[BaseRoute]:
    """Return the routes."""
    about = _About(settings, checks, clock)
    return [Route("/about", about.page), Route("/.well-known/security.txt", about.security)]


class _About:
    def __init__(self, settings: ServiceSettings, checks: Checks, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._checks = checks
        self._clock = clock
        self._lock = anyio.Lock()
        self._tested: SelfTest | None = None
        self._tested_at = 0.0

    async def page(self, _: Request) -> Response:
        """Serve the page."""
        tested = await self._selftest()
        addresses = [view.address for view in tested.families if view.address] if tested else []
        remarks: tuple[Remark, ...] = build_remarks(tested) if tested else ()
        page = render(
            "about",
            title="About this checker",
            narrow=True,
            addresses=addresses,
            remarks=remarks,
            helo_name=self._settings.helo_name,
            contact=self._settings.contact,
        )
        return HTMLResponse(page, headers={"Cache-Control": "private, max-age=300"})

    async def security(self, _: Request) -> Response:
        """Serve security.txt."""
        if not self._settings.contact:
            raise HTTPException(404)
        expires = (datetime.now(UTC) + _EXPIRES).strftime("%Y-%m-%dT%H:%M:%SZ")
        return PlainTextResponse(f"Contact: {self._settings.contact}\nExpires: {expires}\n")

    async def _selftest(self) -> SelfTest | None:
        """Return the self-test, a new one where it is old; None where it took too long."""
        async with self._lock:
            if self._tested is None or self._clock() >= self._tested_at + _FRESH:
                options = self._checks.options({"domain": self._settings.helo_name})
                with anyio.move_on_after(_PATIENCE):
                    self._tested = await selftest(options, self._checks.network(options))
                    self._tested_at = self._clock()
            return self._tested
