"""The routes of the API.

    POST   /api/v1/checks          202 and the address of the check; with ?wait=SECONDS, 200 and the finished
                                   document, if it is finished by then
    GET    /api/v1/checks/NAME     its state, its progress, and the document when it is finished
    DELETE /api/v1/checks/NAME     deletes the result, for the client that has the cookie of the POST
    GET    /openapi.json           the description of all this

A body is JSON by its content type: a page of another site cannot send one without asking first, and no such
question (CORS) is ever granted.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from checker_smtp.history.store import KeptCheck
from checker_smtp.probes.options import OptionError
from checker_smtp.report.document import dump, dump_line
from checker_smtp.service.checks import Checks
from checker_smtp.service.http.errors import ErrorResponse
from checker_smtp.service.http.forwarded import client_of
from checker_smtp.service.options import RequestOption
from checker_smtp.service.results import ResultStore, owner_of
from checker_smtp.service.running_checks import FailedCheck, RunningCheck, RunningChecks
from checker_smtp.service.web.owner import is_owner, remember_owner, secret_for

from .openapi import description
from .schemas import CheckRequest, CheckState

__all__ = ["MAX_WAIT", "routes"]

MAX_WAIT = 110
"""The longest `wait`, in seconds."""

_GONE = "there is no such check: it was deleted, it has expired, or the name is wrong"


def routes(
    running: RunningChecks, results: ResultStore, checks: Checks, options: tuple[RequestOption, ...]
) -> list[BaseRoute]:
    """Return the routes; `options` are those that a client may set."""
    api = _Api(running, results, checks, {option.name for option in options})
    return [
        Route("/api/v1/checks", api.start, methods=["POST"]),
        # one route, so that the Allow of a response 405 has both methods
        Route("/api/v1/checks/{name}", api.check, methods=["GET", "DELETE"]),
        Route("/openapi.json", api.description, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    running: RunningChecks
    results: ResultStore
    checks: Checks
    settable: Container[str]

    async def start(self, request: Request) -> Response:
        """Start a check, and wait for its end if the client asks for that."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return ErrorResponse(415, "the body is not JSON: send it with Content-Type: application/json")
        wait = _wait_of(request.query_params)
        if wait is None:
            return ErrorResponse(400, f"wait is out of range: give seconds from 0 to {MAX_WAIT}")
        try:
            given = msgspec.json.decode(await request.body(), type=CheckRequest)
            options = self.checks.options(self._settable_only(given))
        except msgspec.DecodeError as error:
            return ErrorResponse(400, f'the body is not a check: {error}. Send {{"domain": "example.org"}}')
        except OptionError as error:
            return ErrorResponse(400, str(error))
        secret = secret_for(request)
        check = await self.running.start(options, client=client_of(request.scope), owner=owner_of(secret))
        with anyio.move_on_after(wait):
            await check.ended.wait()
        response = await self._started(request, check)
        # relative, because a proxy may publish the service below a path of its own
        response.headers["Location"] = f"checks/{check.name}"
        remember_owner(response, request, secret)
        return response

    async def check(self, request: Request) -> Response:
        """Return a check, or delete its result."""
        return await (self._delete(request) if request.method == "DELETE" else self._state(request))

    async def description(self, _: Request) -> Response:
        """Return the description of the API."""
        return Response(description(MAX_WAIT), media_type="application/json")

    async def _state(self, request: Request) -> Response:
        """Return a check as it is now."""
        name = request.path_params["name"]
        if (check := self.running.find(name)) is not None:
            return _json(_state_of(check))
        if (kept := await self.results.find(name)) is None:
            return ErrorResponse(404, _GONE)
        document = msgspec.Raw(await self.results.work_on(kept, dump_line))
        return _json(CheckState(id=kept.name, state="finished", domain=kept.domain, document=document))

    async def _delete(self, request: Request) -> Response:
        """Delete the result, for its owner."""
        kept = await self.results.find(request.path_params["name"])
        if kept is None:
            return ErrorResponse(404, _GONE)
        if not is_owner(request, kept):
            return ErrorResponse(403, "only the client that made this check can delete it: send its cookie")
        await self.results.delete(kept)
        return Response(status_code=204)

    def _settable_only(self, given: CheckRequest) -> Mapping[str, object]:
        values = {name: value for name, value in msgspec.to_builtins(given).items() if value is not None}
        for name in values:
            if name not in self.settable:
                raise OptionError(name, f"{name} is set by the operator of this service: leave it out")
        return values

    async def _started(self, request: Request, check: RunningCheck) -> Response:
        """Return the document of a check that was waited for, else its state."""
        if isinstance(check.outcome, KeptCheck) and check.ended.is_set() and "wait" in request.query_params:
            document = await self.results.work_on(check.outcome, dump)
            return Response(document, media_type="application/json")
        response = _json(_state_of(check), 202)
        if isinstance(check.outcome, FailedCheck) and check.ended.is_set():
            response.status_code = check.outcome.status
            response.headers.update(check.outcome.headers)
        return response


def _wait_of(query: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, None for an invalid number."""
    text = query.get("wait", "0")
    # `int` raises for thousands of digits
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_WAIT))
    return float(text) if is_number and int(text) <= MAX_WAIT else None


def _state_of(check: RunningCheck) -> CheckState:
    progress = tuple(check.latest.values())
    state = CheckState(id=check.name, state="running", domain=check.options.domain, progress=progress)
    if check.ended.is_set() and isinstance(check.outcome, FailedCheck):
        state.state, state.error = "failed", check.outcome.message
    return state


def _json(content: CheckState, status: int = 200) -> Response:
    headers = {"Cache-Control": "private, no-store"}
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")
