"""The whole application: errors of the router, refused checks, and the metrics."""

import asyncio
from typing import TypeVar

import pytest

from checker_smtp.probes.evidence_budget import CHECK_RESERVE, EvidenceBudget
from checker_smtp.probes.ports import Backend, DnsAnswer, DnsStatus
from checker_smtp.service.app import build
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.settings import ServiceSettings
from checker_smtp.testing import FakeNetwork, FakeResolver
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import sound

pytestmark = pytest.mark.anyio

T = TypeVar("T")
# may use the protocol
HOST = "10.0.0.2"
COLLECT = {"key": "smtp", "target": {}, "options": {"domain": "example.org"}}


class NullMxNetwork(FakeNetwork):
    """A domain that receives no mail; where `silent`, a resolver that never answers."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__(FakeResolver("example.org MX 0 ."))
        self._silent = silent
        self.asked_first = asyncio.Event()

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        self.asked_first.set()
        if self._silent:
            await asyncio.Event().wait()
        return await super().resolve(name, rdtype, unvalidated=unvalidated)


def dead() -> FakeNetwork:
    """Return a network whose resolver answers nothing."""
    return FakeNetwork(FakeResolver.failing(DnsStatus.TIMEOUT, "no answer"))


def service(world: Backend | None = None, **given: object) -> Middleware:
    return build(ServiceSettings(**given), lambda: world or NullMxNetwork())  # type: ignore[arg-type]


def counted(middleware: Middleware, name: str) -> dict[str, float]:
    metrics = (sample for metric in middleware.metrics.registry.collect() for sample in metric.samples)
    return {"".join(sample.labels.values()): sample.value for sample in metrics if sample.name == name}


@pytest.mark.parametrize(
    ("path", "status", "said", "form"),
    [
        ("/nowhere", 404, "This address does not exist: the page is /check.", "check"),
        ("/a/b/<b>", 404, "This address does not exist: the page is /check.", "../../check"),
        ("/collect", 405, "This address accepts POST only.", "check"),
        ("/check/static/no.css", 404, "This address does not exist: the page is /check.", "../../check"),
    ],
)
async def test_an_error_is_a_page_for_a_browser(path: str, status: int, said: str, form: str) -> None:
    async with client(service(), HOST) as http:
        answer = await http.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "Accept" in answer.headers["vary"]
        page = sound(answer.text)
        text = " ".join("".join(page.itertext()).split())
        assert said in text
        assert f"Error {status}, request {answer.headers['x-request-id']}." in text
        assert [
            link.attrib["href"] for link in page.iter() if link.tag.endswith("}a") or link.tag == "a"
        ] == [form]
        assert (await http.get(path)).json()["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/checks/none"), ("POST", "/evaluate")])
async def test_an_error_of_the_api_and_of_the_protocol_is_json_for_everybody(method: str, path: str) -> None:
    async with client(service(), HOST) as http:
        answer = await http.request(method, path, headers={"Accept": "text/html"})
        assert answer.status_code >= 400
        assert "error" in answer.json()


async def test_what_is_not_there() -> None:
    async with client(service(), HOST) as http:
        for path in ("/nowhere", "/collect/", "/check/nowhere", "/%2fevil.test/", "/%00", "/..%2fetc/passwd"):
            answer = await http.get(path)
            assert (answer.status_code, set(answer.json())) == (404, {"error"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/collect", {"POST"}),
        ("PUT", "/definition", {"GET", "HEAD", "POST"}),
        ("DELETE", "/check", {"GET", "HEAD", "POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("OPTIONS", "/report", {"POST"}),
        ("PUT", "/api/v1/checks/some", {"GET", "HEAD", "DELETE"}),
    ],
)
async def test_a_wrong_method(method: str, path: str, allowed: set[str]) -> None:
    async with client(service(), HOST) as http:
        answer = await http.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert answer.json() == {"error": f"this address accepts {answer.headers['Allow']} only"}


async def test_the_root_leads_to_the_page_by_no_host_of_its_own() -> None:
    async with client(service(allow_hosts=("evil.test",))) as http:
        answer = await http.get("/", headers={"Host": "evil.test"})
    assert (answer.status_code, answer.headers["Location"]) == (307, "check")


async def test_a_refused_check() -> None:
    middleware = service(rate_client="1/hour")
    async with client(middleware, HOST) as http:
        assert (await http.post("/collect", json=COLLECT)).status_code == 200
        answer = await http.post("/collect", json=COLLECT)
    assert answer.status_code == 429
    assert answer.json() == {"error": "more than 1 checks per hour for your address: try again later"}
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert counted(middleware, "checker_smtp_checks_refused_total") == {"client-rate": 1}
    assert counted(middleware, "checker_smtp_checks_total") == {"info": 1}


@pytest.mark.parametrize("path", ["/check", "/collect", "/report"])
async def test_at_the_end_of_the_evidence_a_request_gets_503(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checker_smtp.service.admission.EvidenceBudget", lambda: EvidenceBudget(1))
    middleware = service()
    async with client(middleware, HOST) as http:
        form = {"data": {"domain": "example.org"}} if path == "/check" else {"json": COLLECT}
        answer = await http.post(path, **form)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "as much evidence of other checks as it can" in answer.text
    assert counted(middleware, "checker_smtp_checks_refused_total") == {"evidence": 1}
    assert counted(middleware, "checker_smtp_evidence_limit_bytes") == {"": 1}


async def test_a_domain_that_is_not_checked_here() -> None:
    async with client(service(allow_domains=("example.net",)), HOST) as http:
        answer = await http.post("/collect", json=COLLECT)
    assert answer.status_code == 403
    assert answer.json() == {"error": "example.org is not one of the domains that this service checks"}
    assert "Retry-After" not in answer.headers


async def test_a_check_in_flight_is_seen_and_can_be_given_up() -> None:
    world = NullMxNetwork(silent=True)
    middleware = service(world, max_checks=1)
    async with client(middleware, HOST) as http:
        waiting = asyncio.create_task(http.post("/collect", json=COLLECT))
        await world.asked_first.wait()
        assert counted(middleware, "checker_smtp_checks_in_flight") == {"": 1}
        assert counted(middleware, "checker_smtp_evidence_bytes") == {"": CHECK_RESERVE}
        assert (await http.get("/health")).json()["inflight"] == 1
        answer = await http.post("/collect", json=COLLECT)
        assert (answer.status_code, int(answer.headers["Retry-After"])) == (503, 5)
        middleware.give_up()
        answer = await waiting
    assert (answer.status_code, set(answer.json())) == (503, {"error"})
    assert counted(middleware, "checker_smtp_checks_in_flight") == {"": 0}
    assert counted(middleware, "checker_smtp_evidence_bytes") == {"": 0}
    assert counted(middleware, "checker_smtp_checks_total") == {"cancelled": 1}
    assert counted(middleware, "checker_smtp_check_seconds_count") == {"": 1}


async def test_a_check_whose_time_is_over_keeps_what_it_knows() -> None:
    middleware = service(NullMxNetwork(silent=True), check_budget=0.05)
    async with client(middleware, HOST) as http:
        answer = await http.post("/collect", json=COLLECT)
    assert answer.status_code == 200
    assert answer.json()["data"]["mx"]["status"] == "check-budget"
    assert counted(middleware, "checker_smtp_checks_total") == {"unknown": 1}


async def test_a_check_without_a_resolver_has_no_verdict() -> None:
    middleware = service(dead())
    async with client(middleware, HOST) as http:
        answer = await http.post("/collect", json=COLLECT)
    assert answer.status_code >= 500
    assert set(answer.json()) == {"error"}
    assert counted(middleware, "checker_smtp_checks_total") == {"no-resolver": 1}
    assert counted(middleware, "checker_smtp_checks_refused_total") == {}


async def test_routes_are_not_handed_the_token() -> None:
    middleware = service(token="0123456789abcdef")
    async with client(middleware, HOST) as http:
        for path in ("/check", "/check/static/page.css", "/definition", "/", "/nowhere"):
            assert (await http.get(path)).status_code == 401
        assert (await http.get("/health")).status_code == 200
