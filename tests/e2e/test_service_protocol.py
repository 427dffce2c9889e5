"""A host's conversation with a live `serve` over the lab: each answer, field by field."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec
import pytest

from checker_smtp.probes.rules import RULES
from tests.apps.service.hosted import (
    CheckState,
    Collected,
    Definition,
    Error,
    HealthDocument,
    Metric,
    Prechecked,
    States,
    folded,
)
from tests.e2e.lab import Lab
from tests.e2e.lab.table import PORT, PROBE, domain
from tests.e2e.served import IN_THE_LAB, Answer, Served, served
from tests.e2e.test_check import WANTED

T = TypeVar("T")
SEVERITY = {3: "warn", 4: "crit"}


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def service(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Served]:
    limits = ("--rate-client", "none", "--rate-domain", "none")
    with served(*IN_THE_LAB, *limits, "--backend", request.param) as here:
        yield here
        assert here.process.poll() is None
        assert "Traceback" not in here.log


def read(answer: Answer, kind: type[T], status: int = 200) -> T:
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json"), answer.body
    return msgspec.json.decode(answer.body, type=kind)


def collect(service: Served, name: str, **more: object) -> Collected:
    options = {"domain": domain(name), "helo_name": PROBE, "timeout": 5.0, **more.pop("options", {})}  # type: ignore[dict-item]
    target = {"userId": "u", "domainId": "d", "serviceId": "s", "serviceType": "svcs.MXs"}
    body = {"key": "smtp", "target": target, "options": options, **more}
    return read(service.ask("POST", "/collect", body), Collected)


def evaluate(service: Served, data: object, **more: object) -> list[CheckState]:
    body = {"observations": {"smtp": data}, "options": {}, **more}
    return read(service.ask("POST", "/evaluate", body), States).states


def serious(states: list[CheckState]) -> set[str]:
    return {f"{SEVERITY[state.status]} {state.code}" for state in states if state.status in SEVERITY}


@pytest.mark.parametrize("name", WANTED)
def test_conversation(service: Served, name: str) -> None:
    known = read(service.ask("GET", "/definition"), Definition)
    collected = collect(service, name)
    assert set(collected.data) >= {"domain", "run_at", "mx", "endpoints", "coverage"}
    assert collected.data["domain"] == domain(name)
    entries = [] if collected.entries is msgspec.UNSET else collected.entries
    targets = {record["target"] for record in collected.data["mx"].get("records", [])}
    assert {entry.payload.host for entry in entries} == targets
    for entry in entries:
        assert entry.ref == f"smtp:{entry.payload.host}:{PORT}"
        assert (entry.payload.port, entry.payload.starttls) == (PORT, "smtp")
        assert entry.payload.require_starttls is False
    again = collect(service, name).entries
    assert again == collected.entries

    states = evaluate(service, collected.data, enabledRules={rule.name: True for rule in known.rules})
    assert serious(states) == WANTED[name]
    rules = ["smtp.null_mx"] if name == "nullmx" else [rule.name for rule in known.rules]
    assert list(folded(states)) == rules

    report = {"key": "smtp", "data": collected.data, "states": msgspec.to_builtins(states)}
    page = service.ask("POST", "/report", report, {"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    html = page.body.decode()
    assert html.startswith("<!DOCTYPE html>")
    assert all(code.split(" ")[1] in html for code in WANTED[name])
    metrics = read(service.ask("POST", "/report", report, {"Accept": "application/json"}), list[Metric])
    found = {m.labels["severity"]: m.value for m in metrics if m.name == "checker_smtp_findings"}  # type: ignore[index]
    assert found["crit"] == sum(state.status == 4 for state in states)
    assert found["warn"] == sum(state.status == 3 for state in states)


def test_a_zone_before_it_is_published(service: Served) -> None:
    records = [
        {"Hdr": {"Name": "", "Rrtype": 15, "Class": 1, "Ttl": 3600}, "Preference": 10, "Mx": mx}
        for mx in (f"mx.{domain('openrelay')}.", "mx")
    ]
    given = {"_svctype": "svcs.MXs", "Service": {"mx": records}}
    data = collect(service, "healthy", options={"service": given}).data
    assert [record["target"] for record in data["mx"]["records"]] == [
        f"mx.{domain('healthy')}",
        f"mx.{domain('openrelay')}",
    ]
    assert serious(evaluate(service, data)) == {"crit smtp.open_relay"}


def test_rules_that_are_off_cost_nothing(service: Served) -> None:
    off = dict.fromkeys(RULES.keys() - {"smtp.mx_present", "smtp.mx_sanity"}, False)
    data = collect(service, "openrelay", enabledRules=off).data
    assert all(s["purpose"] == "not-held" for e in data["endpoints"] for s in e["sessions"])
    states = evaluate(service, data, enabledRules=off)
    assert {state.rule: state.status for state in states} == {"smtp.mx_present": 1, "smtp.mx_sanity": 1}


def test_what_the_tls_checker_says_is_folded_in(service: Served) -> None:
    collected = collect(service, "healthy")
    (entry,) = collected.entries  # type: ignore[misc]
    probe = {"host": entry.payload.host, "port": PORT, "chain_valid": False, "tls_version": "TLS 1.3"}
    seen = {"probes": {entry.ref: probe}, "collected_at": collected.data["run_at"]}
    one = {"checkerId": "tls", "key": "tls_probes", "data": seen, "ref": entry.ref}
    report = {"key": "smtp", "data": collected.data, "related": {"tls_probes": [one]}}
    page = service.ask("POST", "/report", report, {"Accept": "text/html"}).body.decode()
    assert "smtp.tls.chain_invalid" in page
    del report["related"]
    assert (
        "chain_invalid" not in service.ask("POST", "/report", report, {"Accept": "text/html"}).body.decode()
    )


def test_invalid_options_are_reported_before_anything_is_sent(service: Served) -> None:
    options = {"domain": domain("healthy"), "helo_name": "probe\r\nRSET"}
    reply = read(service.ask("POST", "/definition", {"options": options}), Prechecked)
    assert set(reply.precheck_failures) == set(RULES)
    refused = service.ask("POST", "/collect", {"key": "smtp", "options": options})
    assert read(refused, Error, 400).error in reply.precheck_failures.values()


def test_health(service: Served) -> None:
    before = read(service.ask("GET", "/health"), HealthDocument)
    service.ask("POST", "/definition", {"options": {}})
    after = read(service.ask("GET", "/health"), HealthDocument)
    assert (after.inflight, after.total_requests) == (0, before.total_requests + 1)
