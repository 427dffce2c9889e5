"""`/report`: a stored observation as a page and as metrics, with the results of the TLS checker."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from checker_smtp.probes.observation import Mx, Observation
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import RULES
from checker_smtp.report.document import load_observation
from checker_smtp.report.formats.html import render_html
from checker_smtp.report.formats.prometheus import render_prometheus
from checker_smtp.testing import FakeResolver
from tests.apps.service.hosted import HappyDomain, Metric, service
from tests.probes.observations import endpoint, observation, session
from tests.report.results import DATA, POSTURES

pytestmark = pytest.mark.anyio

REF = "smtp:mx.example.org:25"
RELAY = observation(endpoint(session(relay="250 ok"), session("relay-control", control="250 ok")))
OLDER = {
    "host": "mx.example.org",
    "port": 25,
    "issues": [{"code": "hostname_mismatch", "severity": "critical", "message": "it is for www.example.org"}],
}
NEWER = {"host": "mx.example.org", "port": 25, "chain_valid": True, "hostname_match": False}


@pytest.fixture
def host() -> HappyDomain:
    return HappyDomain(service(FakeResolver()))  # type: ignore[arg-type]


def plain(seen: Observation) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(seen))
    return read


def tls(data: object, **more: object) -> dict[str, object]:
    one = {"checkerId": "tls", "key": "tls_probes", "data": data, "collectedAt": "2026-11-22T09:00:00Z"}
    return {"tls_probes": [{**one, "ref": REF, **more}]}


def states(*off: str) -> list[dict[str, object]]:
    return [{"status": 1, "message": "ok", "rule": name} for name in RULES if name not in off]


def findings(metrics: list[Metric]) -> dict[str, float]:
    found = [m for m in metrics if m.name == "checker_smtp_findings"]
    return {m.labels["severity"]: m.value for m in found if m.labels is not msgspec.UNSET}


@pytest.mark.parametrize("posture", POSTURES)
async def test_the_page_is_that_of_the_command_line(host: HappyDomain, posture: str) -> None:
    data = plain(POSTURES[posture]().observation)
    assert await host.page(data) == render_html(evaluate(load_observation(json.dumps(data))))


async def test_the_observation_of_an_old_document_is_shown(host: HappyDomain) -> None:
    old = json.loads((DATA / "before-versions.json").read_bytes())
    page = await host.page(old["observation"])
    assert "dev-conn421.test" in page
    assert "The server refuses this checker" in page


@pytest.mark.parametrize("posture", POSTURES)
async def test_the_metrics_are_those_of_prometheus(host: HappyDomain, posture: str) -> None:
    seen = POSTURES[posture]().observation
    exposed = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render_prometheus(evaluate(seen)))
        for sample in family.samples
    }
    metrics = await host.metrics(plain(seen))
    assert exposed == {
        (metric.name, tuple(sorted(metric.labels.items()))): metric.value  # type: ignore[union-attr]
        for metric in metrics
    }
    for metric in metrics:
        in_seconds = metric.name.endswith("_seconds")
        assert metric.unit == ("seconds" if in_seconds else msgspec.UNSET)


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("application/json;q=0.5, TEXT/HTML;q=0.1", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("application/json", False),
        ("*/*", False),
        ("text/plain", False),
        ("", False),
    ],
)
async def test_the_shape_is_as_accepted(host: HappyDomain, accept: str, html: bool) -> None:
    answer = await host.request("POST", "/report", {"key": "smtp", "data": plain(RELAY)}, accept)
    assert answer.status_code == 200
    expected = "text/html; charset=utf-8" if html else "application/json"
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    ("run_at", "expected"),
    [
        ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        ("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00Z"),
        ("20261122T090000.5Z", "2026-11-22T09:00:00.500000Z"),
        ("yesterday", None),
        ("2026-11-22T09:00:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
async def test_a_timestamp_is_one_that_go_can_read(
    host: HappyDomain, run_at: str, expected: str | None
) -> None:
    body = {"key": "smtp", "data": plain(replace(RELAY, run_at=run_at))}
    stamps = {metric["timestamp"] for metric in (await host.request("POST", "/report", body)).json()}
    (stamp,) = stamps
    assert stamp.endswith("Z")
    if expected is not None:
        assert stamp == expected
    else:
        assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize("probe", [OLDER, NEWER])
@pytest.mark.parametrize("as_text", [False, True])
async def test_what_the_tls_checker_found_is_folded_in(
    host: HappyDomain, probe: object, as_text: bool
) -> None:
    data: object = {"probes": {REF: probe}, "collected_at": "2026-11-22T09:00:00.5Z"}
    related = tls(json.dumps(data) if as_text else data)
    seen = plain(observation(endpoint()))
    page = await host.page(seen, related=related)
    assert "smtp.tls.hostname_mismatch" in page
    assert ("www.example.org" in page) is (probe is OLDER)
    assert findings(await host.metrics(seen, related=related))["crit"] == 1
    assert findings(await host.metrics(seen))["crit"] == 0


@pytest.mark.parametrize(
    "related",
    [
        {},
        None,
        {"tls_probes": None},
        {"tls_probes": {}},
        {"tls_probes": [None, 3, "x", [], {"data": None}]},
        {"other": [{"data": {"probes": {REF: OLDER}}}]},
        tls("{"),
        tls("[" * 100_000),
        tls("\ufffd"),
        tls({"probes": {"other": {"host": "www.example.org", "port": 443, "chain_valid": False}}}),
        tls({"probes": {REF: {"issues": [3]}}}),
    ],
)
async def test_what_others_say_is_optional(host: HappyDomain, related: object) -> None:
    seen = plain(observation(endpoint()))
    assert findings(await host.metrics(seen, related=related)) == findings(await host.metrics(seen))


async def test_words_of_the_tls_checker_are_escaped(host: HappyDomain) -> None:
    issue = {"code": "<b>x", "severity": "<i>", "message": "<script>alert(1)</script>\x1b[31m", "fix": "<u>"}
    page = await host.page(
        plain(observation(endpoint())), related=tls({"probes": {REF: {"issues": [issue]}}})
    )
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in page


async def test_a_disabled_rule_is_not_reported(host: HappyDomain) -> None:
    assert "OPEN RELAY" in await host.page(plain(RELAY))
    assert await host.page(plain(RELAY), states=states()) == await host.page(plain(RELAY))
    page = await host.page(plain(RELAY), states=states("smtp.open_relay"))
    assert "OPEN RELAY" not in page
    assert "smtp.open_relay" not in page
    assert findings(await host.metrics(plain(RELAY), states=states("smtp.open_relay")))["crit"] == 0


@pytest.mark.parametrize("expected", [None, [], [{"status": 1}], [{"status": 1, "rule": "of others"}]])
async def test_states_that_name_no_rule_say_nothing(host: HappyDomain, expected: object) -> None:
    assert findings(await host.metrics(plain(RELAY), states=expected))["crit"] == 1


async def test_a_null_mx_is_reported_as_before(host: HappyDomain) -> None:
    seen = observation(mx=Mx(status=DnsStatus.ANSWER, null_mx=True, null_preferences=(0,)))
    off = [name for name in RULES if name != "smtp.null_mx"]
    assert await host.page(plain(seen), states=states(*off)) == await host.page(plain(seen))


async def test_a_reduced_observation(host: HappyDomain) -> None:
    clear = "250-mx.example.org|250-PIPELINING|250 8BITMIME"
    everything = observation(
        endpoint(session(relay="250 ok", ehlo=clear), session("relay-control", control="250 ok"))
    )
    assert findings(await host.metrics(plain(everything), states=states()))["crit"] == 2
    seen = replace(everything, rules=("smtp.mx_present", "smtp.open_relay"))
    assert findings(await host.metrics(plain(seen), states=states("smtp.mx_present")))["crit"] == 1
    assert findings(await host.metrics(plain(seen), states=states("smtp.open_relay")))["crit"] == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b'{"key": "smtp"', "the body is not JSON"),
        (b"3", "Expected `object`, got `int`"),
        ({}, "not an observation of checker-smtp"),
        ({"key": "tls_probes", "data": {}}, "the key 'tls_probes' is not reported here"),
        ({"key": 3}, "Expected `str`, got `int`"),
        ({"key": "smtp", "data": None}, "got `null`"),
        ({"key": "smtp", "data": []}, "got `array`"),
        ({"key": "smtp", "data": {"domain": "x"}}, "missing required field"),
        ({"key": "smtp", "data": {}, "states": {}}, "Expected `array | null`"),
        ({"key": "smtp", "data": {}, "states": [1]}, "Expected `object`"),
        ({"key": "smtp", "data": {}, "related": []}, "Expected `object | null`"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_invalid_report_requests(host: HappyDomain, body: object, says: str, accept: str) -> None:
    answer = await host.request("POST", "/report", body, accept)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert says in answer.json()["error"]


async def test_a_document_beyond_a_check_is_refused_in_one_sentence(host: HappyDomain) -> None:
    data = plain(RELAY)
    data["endpoints"] = [{**data["endpoints"][0], "address": f"192.0.2.{n}"} for n in range(33)]
    wanted = "this is not an observation of checker-smtp: it has 33 endpoints, and a check has at most 32"
    assert await host.refused("/report", {"key": "smtp", "data": data}) == wanted
    answer = await host.request("POST", "/evaluate", {"observations": {"smtp": data}})
    assert (answer.status_code, answer.json()["error"]) == (400, wanted)


async def test_a_host_sends_as_many_documents_as_it_may_ask_for_checks() -> None:
    middleware = service(FakeResolver(), rate_client="2/hour")  # type: ignore[arg-type]
    host = HappyDomain(middleware)
    await host.metrics(plain(RELAY))
    await host.evaluate(plain(RELAY))
    answer = await host.request("POST", "/report", {"key": "smtp", "data": plain(RELAY)})
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
    refused = 'checker_smtp_checks_refused_total{reason="client-rate"} 1.0'
    assert refused in generate_latest(middleware.metrics.registry).decode()
