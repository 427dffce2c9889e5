"""A whole conversation with the host, over every recorded check, field by field."""

from datetime import UTC, datetime

import msgspec
import pytest

import checker_smtp
from checker_smtp.backends.recording.case import read_case
from checker_smtp.probes.rules import RULES
from checker_smtp.testing import FakeResolver
from tests.apps.service.hosted import (
    FIXTURES,
    Definition,
    HappyDomain,
    HealthDocument,
    Prechecked,
    folded,
    recorded,
    service,
)

pytestmark = pytest.mark.anyio

# a second visit after minutes is nothing a host can ask for
NAMES = sorted(
    path.parent.name
    for path in FIXTURES.glob("*/case.toml")
    if not read_case(path.parent).options.retry_deferred
)
STATUS = {"info": 2, "warn": 3, "crit": 4}
MINUTE = 60 * 10**9


@pytest.fixture
def host() -> HappyDomain:
    return HappyDomain(service(FakeResolver()))  # type: ignore[arg-type]


async def test_health(host: HappyDomain) -> None:
    answer = await host.request("GET", "/health")
    health = msgspec.json.decode(answer.content, type=HealthDocument)
    assert (answer.status_code, health.inflight, health.total_requests) == (200, 0, 0)
    assert len(health.loadavg) == 3
    for path in ("/definition", "/collect", "/evaluate", "/report"):
        await host.request("POST", path, b"{")
    await host.request("GET", "/definition")
    again = msgspec.json.decode((await host.request("GET", "/health")).content, type=HealthDocument)
    assert (again.inflight, again.total_requests) == (0, 4)


async def test_definition(host: HappyDomain) -> None:
    answer = await host.request("GET", "/definition")
    assert answer.status_code == 200
    reply = msgspec.json.decode(answer.content, type=Definition)
    assert (reply.id, reply.version) == ("smtp", checker_smtp.__version__)
    assert msgspec.to_builtins(reply.availability) == {
        "applyToService": True,
        "limitToServices": ["svcs.MXs"],
    }
    assert [rule.name for rule in reply.rules] == list(RULES)
    assert len(reply.rules) == 16
    assert all(rule.description for rule in reply.rules)
    assert msgspec.to_builtins(reply.interval) == {
        "min": 5 * MINUTE,
        "max": 7 * 24 * 60 * MINUTE,
        "default": 24 * 60 * MINUTE,
    }
    assert reply.has_html_report is reply.has_metrics is True
    assert reply.observationKeys == ["smtp"]


async def test_options_of_the_definition(host: HappyDomain) -> None:
    answer = msgspec.json.decode((await host.request("GET", "/definition")).content, type=Definition)
    groups = msgspec.to_builtins(answer.options)
    reply = {
        field["id"]: (group, field["type"], field["default"], field.get("autoFill"))
        for group, fields in groups.items()
        for field in fields
    }
    assert reply == {
        "domain": ("runOpts", "string", None, "domain_name"),
        "timeout": ("userOpts", "number", 12.0, None),
        "helo_name": ("adminOpts", "string", "mx-checker.happydomain.org", None),
        "test_null_sender": ("userOpts", "bool", True, None),
        "test_postmaster": ("userOpts", "bool", True, None),
        "test_open_relay": ("userOpts", "bool", True, None),
        "test_probe_address": ("adminOpts", "string", "postmaster@example.com", None),
        "service": ("serviceOpts", "string", None, "service"),
    }
    for field in (field for fields in groups.values() for field in fields):
        assert field["label"]
        assert field["description"]
        assert field.get("required", False) is (field["id"] == "domain")


@pytest.mark.parametrize("body", [None, b"", b" \n", {}, {"options": None}, {"options": {}}])
async def test_definition_with_nothing_to_check(host: HappyDomain, body: object) -> None:
    answer = await host.request("POST", "/definition", body)
    reply = msgspec.json.decode(answer.content, type=Prechecked)
    assert answer.status_code == 200
    assert reply.precheck_failures == {}
    plain = (await host.request("GET", "/definition")).json()
    assert answer.json() == {**plain, "precheck_failures": {}}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"domain": "example.org", "timeout": 5.0, "helo_name": "", "of the future": 1}, ""),
        ({"domain": None, "test_open_relay": False}, ""),
        ({"domain": "http://example.org/"}, "is a URL"),
        ({"helo_name": "a b"}, "no host name has"),
        ({"test_probe_address": "nobody"}, "is not an address"),
        ({"timeout": 3600}, "at most 30 seconds"),
        ({"timeout": True}, "give a number"),
        ({"service": {"_svctype": "svcs.SPF"}}, "svcs.MXs"),
    ],
)
async def test_bad_options_stop_every_rule(host: HappyDomain, options: dict[str, object], says: str) -> None:
    reply = await host.post("/definition", {"options": options}, Prechecked)
    assert set(reply.precheck_failures) == (set(RULES) if says else set())
    assert all(says in failure for failure in reply.precheck_failures.values())


@pytest.mark.parametrize("name", NAMES)
async def test_conversation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, options, case = recorded(name, monkeypatch)
    collected = await host.collect(options)
    data = collected.data
    assert set(data) >= {"domain", "run_at", "mx", "endpoints", "coverage"}
    assert data["domain"] == case.options.domain
    assert datetime.fromisoformat(data["run_at"]).tzinfo == UTC
    for record in data["mx"].get("records", []):
        assert set(record) >= {"preference", "target"}
        assert record.get("ipv4", ["?"])
        assert record.get("ipv6", ["?"])
    entries = [] if collected.entries is msgspec.UNSET else collected.entries
    assert len({entry.ref for entry in entries}) == len(entries)
    for entry in entries:
        target = entry.payload
        assert (target.port, target.starttls, target.require_starttls) == (case.options.port, "smtp", False)
        assert target.sni is msgspec.UNSET
        assert not target.host.endswith(".")
    hosts = [record["target"] for record in data["mx"].get("records", []) if not record.get("literal")]
    assert {entry.payload.host for entry in entries} <= set(hosts)

    states = folded(await host.evaluate(data))
    assert list(states) == (["smtp.null_mx"] if data["mx"].get("null_mx") else list(RULES))
    found = [
        state for rule_states in states.values() for state in rule_states if state.code is not msgspec.UNSET
    ]
    reply = [(state.code, "" if state.subject is msgspec.UNSET else state.subject) for state in found]
    assert sorted(reply) == sorted(case.expected)
    for rule, of_rule in states.items():
        assert all(state.message for state in of_rule)
        if all(state.code is msgspec.UNSET for state in of_rule):
            (state,) = of_rule
            assert state.status in (0, 1), rule

    page = await host.page(data)
    assert page.startswith("<!DOCTYPE html>")
    assert case.options.domain in page
    assert "<script" not in page
    metrics = await host.metrics(data)
    assert all(metric.timestamp == datetime.fromisoformat(data["run_at"]) for metric in metrics)
    assert {"checker_smtp_status", "checker_smtp_findings", "checker_smtp_endpoints"} <= {
        metric.name for metric in metrics
    }
    (status,) = [m.labels for m in metrics if m.name == "checker_smtp_status" and m.value == 1.0]
    assert status is not msgspec.UNSET
    assert status["domain"] == case.options.domain
