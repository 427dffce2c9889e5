"""The host's side of the protocol: its types, stricter than Go's, and its four requests.

A field that is `UNSET` by default is one that Go leaves out when it is empty; so it must not be there and
empty. Unknown fields are refused, though a host passes them over.
"""

# ruff: noqa: N815 - the names are the protocol's

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import msgspec
import pytest
from msgspec import UNSET, UnsetType

import checker_smtp.api
from checker_smtp.backends.recording.case import Case, read_case
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.probes.ports import Backend
from checker_smtp.service.app import build
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.options import OPTIONS
from checker_smtp.service.settings import ServiceSettings
from tests.apps.service.middleware_app import client

T = TypeVar("T")
FIXTURES = Path(__file__).parents[3] / "fixtures"
NO_LIMITS = {"rate_client": "none", "rate_domain": "none"}


class _Exact(msgspec.Struct, forbid_unknown_fields=True):
    """A type of the protocol."""

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            if field.default is UNSET:
                value = getattr(self, field.name)
                assert value not in ("", [], {}, None, False), f"{field.name} is there and empty"


class HealthDocument(_Exact):
    status: Literal["ok"]
    uptime_seconds: float
    num_cpu: int
    inflight: int
    total_requests: int
    loadavg: list[float]


class Field(_Exact):
    id: str
    type: Literal["string", "number", "uint", "bool"]
    label: str | UnsetType = UNSET
    placeholder: str | UnsetType = UNSET
    # a pointer in Go: false is a value
    default: str | float | bool | None = None
    choices: list[str] | UnsetType = UNSET
    required: bool | UnsetType = UNSET
    secret: bool | UnsetType = UNSET
    hide: bool | UnsetType = UNSET
    textarea: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET
    autoFill: (
        Literal["domain_name", "subdomain", "zone", "service_type", "service", "discovery_entries"]
        | UnsetType
    ) = UNSET
    noOverride: bool | UnsetType = UNSET


class Fields(_Exact):
    adminOpts: list[Field] | UnsetType = UNSET
    userOpts: list[Field] | UnsetType = UNSET
    domainOpts: list[Field] | UnsetType = UNSET
    serviceOpts: list[Field] | UnsetType = UNSET
    runOpts: list[Field] | UnsetType = UNSET


class Availability(_Exact):
    applyToDomain: bool | UnsetType = UNSET
    applyToZone: bool | UnsetType = UNSET
    applyToService: bool | UnsetType = UNSET
    limitToProviders: list[str] | UnsetType = UNSET
    limitToServices: list[str] | UnsetType = UNSET


class RuleDefinition(_Exact):
    name: str
    description: str
    options: Fields | UnsetType = UNSET


class Interval(_Exact):
    min: int
    max: int
    default: int


class Definition(_Exact):
    id: str
    name: str
    availability: Availability
    options: Fields
    rules: list[RuleDefinition]
    version: str | UnsetType = UNSET
    interval: Interval | UnsetType = UNSET
    has_html_report: bool | UnsetType = UNSET
    has_metrics: bool | UnsetType = UNSET
    observationKeys: list[str] | UnsetType = UNSET


class Prechecked(Definition):
    precheck_failures: dict[str, str] = msgspec.field(default_factory=dict)
    eligible: bool | None = None
    eligibility_reason: str | UnsetType = UNSET


class Target(_Exact):
    host: str
    port: int
    require_starttls: bool
    sni: str | UnsetType = UNSET
    starttls: str | UnsetType = UNSET


class DiscoveryEntry(_Exact):
    type: Literal["tls.endpoint.v1"]
    ref: str
    payload: Target


class Collected(_Exact):
    data: dict[str, Any]
    entries: list[DiscoveryEntry] | UnsetType = UNSET


class CheckState(_Exact):
    status: Literal[0, 1, 2, 3, 4, 5]
    message: str
    rule: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    meta: dict[str, Any] | UnsetType = UNSET


class States(_Exact):
    states: list[CheckState]


class Metric(_Exact):
    name: str
    value: float
    timestamp: datetime
    unit: str | UnsetType = UNSET
    labels: dict[str, str] | UnsetType = UNSET


class Error(_Exact):
    error: str

    def __post_init__(self) -> None:
        assert self.error.strip()
        assert "\n" not in self.error


class HappyDomain:
    """Asks the service `middleware` as happyDomain does."""

    def __init__(self, middleware: Middleware) -> None:
        self._middleware = middleware

    async def request(
        self, method: str, path: str, body: object = None, accept: str = "application/json"
    ) -> httpx.Response:
        """`body` is sent as it is where it is bytes, else as JSON; None is no body."""
        raw = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        async with client(self._middleware, peer="10.0.0.2") as http:
            return await http.request(method, path, content=raw, headers={"accept": accept})

    async def post(self, path: str, body: object, kind: type[T]) -> T:
        answer = await self.request("POST", path, body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return msgspec.json.decode(answer.content, type=kind)

    async def refused(self, path: str, body: object, status: int = 400) -> str:
        """Post a request that is refused; return its one sentence."""
        answer = await self.request("POST", path, body)
        assert answer.status_code == status, answer.text
        return msgspec.json.decode(answer.content, type=Error).error

    async def collect(self, options: dict[str, object], **more: object) -> Collected:
        body = {"key": "smtp", "target": {"userId": "u", "serviceType": "svcs.MXs"}, "options": options}
        return await self.post("/collect", {**body, **more}, Collected)

    async def evaluate(self, data: object, **more: object) -> list[CheckState]:
        body = {"observations": {"smtp": data}, "options": {}, **more}
        return (await self.post("/evaluate", body, States)).states

    async def metrics(self, data: object, **more: object) -> list[Metric]:
        return await self.post("/report", {"key": "smtp", "data": data, **more}, list[Metric])

    async def page(self, data: object, **more: object) -> str:
        body = {"key": "smtp", "data": data, **more}
        answer = await self.request("POST", "/report", body, accept="text/html,application/xhtml+xml,*/*")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.text


def service(network: Backend, **given: object) -> Middleware:
    """Return the service over this network; documentation networks count as public."""
    usual: dict[str, object] = {
        "allow_targets": ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"),
        **NO_LIMITS,
    }
    return build(ServiceSettings(**(usual | given)), lambda: network)  # type: ignore[arg-type]


def recorded(
    name: str, monkeypatch: pytest.MonkeyPatch, **given: object
) -> tuple[HappyDomain, dict[str, object], Case]:
    """Return a host whose checker replays a fixture, and the options of its request."""
    case = read_case(FIXTURES / name)
    # what is random in a check is as it was then
    monkeypatch.setattr(checker_smtp.api.secrets, "randbits", lambda _: case.seed)
    network = {"port": case.options.port, "allow_targets": case.options.allow_targets}
    middleware = build(ServiceSettings(**(NO_LIMITS | network | given)), lambda: Replay(case))  # type: ignore[arg-type]
    return (
        HappyDomain(middleware),
        {option.name: getattr(case.options, option.name) for option in OPTIONS},
        case,
    )


def folded(states: list[CheckState]) -> dict[str, list[CheckState]]:
    """Return the states by their rule."""
    found: dict[str, list[CheckState]] = {}
    for state in states:
        assert isinstance(state.rule, str)
        found.setdefault(state.rule, []).append(state)
    return found
