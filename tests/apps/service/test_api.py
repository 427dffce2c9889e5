"""The JSON API: what a program sends, gets, polls and deletes."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from checker_smtp.probes.policy import FindingPolicy
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import Acceptance, Severity
from checker_smtp.report.document import load
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.testing import FakeNetwork, FakeResolver
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import replaying, shown
from tests.apps.service.test_page_run import SilentServer, waiting

pytestmark = pytest.mark.anyio
CHECKS = "/api/v1/checks"
DOMAIN = "dev-openrelay.test"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Middleware:
    return replaying(
        monkeypatch, "postfix-open-relay", helo_name="probe.dev-probe.test", store=tmp_path / "r.sqlite"
    )


async def post(app: Middleware, body: Any, query: str = "", **headers: str) -> httpx.Response:
    async with client(app) as program:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await program.post(
            f"{CHECKS}{query}", content=content, headers={"content-type": "application/json"} | headers
        )


async def test_one_request_gives_the_document(app: Middleware) -> None:
    answer = await post(app, {"domain": DOMAIN}, "?wait=60")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    result = load(answer.content)
    assert "smtp.open_relay" in {finding.code for finding in result.findings}
    async with client(app) as program:
        page = await program.get(
            f"/check/results/{answer.headers['location'].removeprefix('checks/')}/report.json"
        )
        assert page.content == answer.content


async def test_the_document_has_the_decisions_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is the one that `check` gives with the same configuration."""
    accepted = Acceptance(code="smtp.open_relay", domain=DOMAIN, reason="a lab")
    policy = FindingPolicy(severities={"smtp.ipv6.none": Severity.WARN}, acceptances=(accepted,))
    app = replaying(monkeypatch, "postfix-open-relay", helo_name="probe.dev-probe.test", policy=policy)
    result = load((await post(app, {"domain": DOMAIN}, "?wait=60")).content)
    assert result.status == "warning"
    severities = {one.code: (one.severity, one.acceptance) for one in result.findings}
    assert severities == {
        "smtp.ipv6.none": (Severity.WARN, None),
        "smtp.open_relay": (Severity.CRIT, accepted),
    }


async def test_a_check_is_started_and_asked_for() -> None:
    world = SilentServer()
    app = waiting(world)
    async with client(app) as program:
        started = await program.post(CHECKS, json={"domain": "example.org"})
        assert started.status_code == 202
        name = started.json()["id"]
        assert started.headers["location"] == f"checks/{name}"
        assert re.fullmatch(r"[\w-]{22}", name)
        state: dict[str, Any] = {}
        while "192.0.2.7:25" not in {step["subject"] for step in state.get("progress", ())}:
            state = (await program.get(f"{CHECKS}/{name}")).json()
            await asyncio.sleep(0)
        assert (state["state"], state["domain"]) == ("running", "example.org")
        assert {"subject": "192.0.2.7:25", "what": "connecting"}.items() <= state["progress"][-1].items()
        assert "document" not in state
        # the program need not stay connected
        assert not world.cancelled
        world.released.set()
        while state["state"] == "running":
            state = (await program.get(f"{CHECKS}/{name}")).json()
            await asyncio.sleep(0)
        assert state["state"] == "failed"
        assert state["error"] == "an error in this service ended the check; the log has the details"


async def test_a_finished_check_has_its_document(app: Middleware) -> None:
    name = (await post(app, {"domain": DOMAIN}, "?wait=60")).headers["location"]
    async with client(app) as program:
        state = (await program.get(f"/api/v1/{name}")).json()
    assert state["state"] == "finished"
    assert state["document"]["observation"]["domain"] == DOMAIN


async def test_a_wait_that_is_too_short_is_no_error() -> None:
    answer = await post(waiting(SilentServer()), {"domain": "example.org"}, "?wait=0")
    assert (answer.status_code, answer.json()["state"]) == (202, "running")


async def test_a_check_without_a_resolver_fails_in_a_sentence() -> None:
    app = shown(lambda: FakeNetwork(FakeResolver.failing(DnsStatus.TIMEOUT, "timeout")))
    answer = await post(app, {"domain": "example.org"}, "?wait=60")
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("the DNS resolver of this service cannot be used (timeout)")


async def test_a_refusal_after_the_lookups_has_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    app = replaying(
        monkeypatch, "postfix-open-relay", helo_name="probe.dev-probe.test", rate_address="1/hour"
    )
    assert (await post(app, {"domain": DOMAIN}, "?wait=60")).status_code == 200
    answer = await post(app, {"domain": DOMAIN}, "?wait=60")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["state"] == "failed"


@pytest.mark.parametrize(
    ("body", "query", "told"),
    [
        (b"", "", "the body is not a check: Input data was truncated."),
        (b"[]", "", "the body is not a check: Expected `object`, got `array`."),
        ({}, "", "the body is not a check: Object missing required field `domain`."),
        ({"domain": 7}, "", "the body is not a check: Expected `str`, got `int` - at `$.domain`."),
        ({"domain": "a.test", "x": 1}, "", "the body is not a check: Object contains unknown field `x`."),
        ({"domain": "a@b.test"}, "", "'a@b.test' is an e-mail address: give a host name such as example.com"),
        ({"domain": "a.test", "timeout": 99}, "", "timeout is 99: give at most 30 seconds here"),
        (
            {"domain": "a.test", "helo_name": "b.test"},
            "",
            "helo_name is set by the operator of this service: leave it out",
        ),
        ({"domain": "a.test"}, "?wait=111", "wait is out of range: give seconds from 0 to 110"),
        ({"domain": "a.test"}, "?wait=-1", "wait is out of range: give seconds from 0 to 110"),
        ({"domain": "a.test"}, "?wait=soon", "wait is out of range: give seconds from 0 to 110"),
        # more digits than Python makes a number of
        ({"domain": "a.test"}, f"?wait={'9' * 5000}", "wait is out of range: give seconds from 0 to 110"),
    ],
)
async def test_bad_input_is_one_sentence(app: Middleware, body: Any, query: str, told: str) -> None:
    answer = await post(app, body, query)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(told)


async def test_a_body_is_json_by_its_content_type(app: Middleware) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await post(app, {"domain": DOMAIN}, **{"content-type": kind})
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.json()["error"]


async def test_a_page_of_another_site_starts_nothing(app: Middleware) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await post(app, {"domain": DOMAIN}, **headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    async with client(app) as program:
        assert (await program.options(CHECKS, headers={"origin": "https://evil.example"})).status_code == 405


async def test_a_get_starts_nothing(app: Middleware) -> None:
    async with client(app) as program:
        assert (await program.get(f"{CHECKS}?domain={DOMAIN}")).status_code == 405


async def test_with_a_token_it_is_needed_and_allows_the_operators_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = replaying(monkeypatch, "postfix-open-relay", token="0123456789abcdef")
    assert (await post(app, {"domain": DOMAIN})).status_code == 401
    body = {"domain": DOMAIN, "helo_name": "probe.dev-probe.test"}
    answer = await post(app, body, "?wait=60", authorization="Bearer 0123456789abcdef")
    assert answer.status_code == 200
    assert answer.json()["observation"]["settings"]["helo_name"] == "probe.dev-probe.test"


async def test_only_the_client_that_made_a_check_deletes_it(app: Middleware) -> None:
    async with client(app) as program, client(app) as other:
        started = await program.post(f"{CHECKS}?wait=60", json={"domain": DOMAIN})
        path = f"/api/v1/{started.headers['location']}"
        assert (await other.delete(path)).status_code == 403
        assert (await program.delete(path)).status_code == 204
        assert (await program.delete(path)).status_code == 404
        gone = await program.get(path)
        assert gone.status_code == 404
        assert gone.json()["error"].startswith("there is no such check: ")


async def test_refusals_of_admission_are_json(app: Middleware) -> None:
    app = shown(FakeNetwork, allow_domains=("example.org",))
    answer = await post(app, {"domain": "example.net"})
    assert answer.status_code == 403
    assert "example.net" in answer.json()["error"]


async def test_the_description_is_valid_and_fits_the_answers(app: Middleware) -> None:
    async with client(app) as program:
        described = (await program.get("/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    document = (await post(app, {"domain": DOMAIN}, "?wait=60")).json()
    schemas = described["components"]["schemas"]
    whole = {"$ref": "#/components/schemas/Document", "components": described["components"]}
    validator = jsonschema.Draft202012Validator(whole)
    validator.check_schema(whole)
    validator.validate(document)
    # what a client of the description follows to the check that it started
    links = described["paths"]["/api/v1/checks"]["post"]["responses"]["202"]["links"]
    assert {link["operationId"] for link in links.values()} == {"getCheck", "deleteCheck"}
    # every reference leads somewhere
    references = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert references <= set(schemas)
    paths = {path: sorted(set(methods) - {"parameters"}) for path, methods in described["paths"].items()}
    assert paths == {"/api/v1/checks": ["post"], "/api/v1/checks/{id}": ["delete", "get"]}
