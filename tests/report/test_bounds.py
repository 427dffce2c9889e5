"""Documents that are larger than a check can make them are refused; one as large as a check is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.dns import MAX_PTR_NAMES, MAX_TARGETS
from checker_smtp.probes.observation import Mx, MxTarget
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import Result
from checker_smtp.probes.tls_checker import MAX_ISSUES
from checker_smtp.report.bounds import MAX_FINDINGS, MAX_SESSIONS
from checker_smtp.report.document import DocumentError, dump, load, load_observation
from checker_smtp.report.model.endpoint_index import EndpointIndex
from tests.report.results import endpoint, finding, observation, result, session


def whole() -> Result:
    """Return a result with one of each list."""
    target = MxTarget(preference=10, target="mx.test", ipv4=("192.0.2.1",))
    seen = observation(
        endpoint("192.0.2.1", session()),
        mx=Mx(status=DnsStatus.ANSWER, records=(target,)),
        dns=(DnsAnswer(name="a.test", rdtype="MX", status=DnsStatus.ANSWER),),
    )
    return result(seen, (finding("smtp.ipv6.none"),))


Change = Callable[[dict[str, Any], int], None]


def of_observation(change: Callable[[dict[str, Any], dict[str, Any], int], None]) -> Change:
    """Return a change of a document; `change` gets the observation and its first endpoint."""
    return lambda document, n: change(document["observation"], document["observation"]["endpoints"][0], n)


def endpoints(o: dict[str, Any], e: dict[str, Any], n: int) -> None:
    o["endpoints"] = [{**e, "address": f"192.0.2.{k}"} for k in range(n)]


def sessions(_: dict[str, Any], e: dict[str, Any], n: int) -> None:
    e["sessions"] = e["sessions"][:1] * n


def findings(document: dict[str, Any], n: int) -> None:
    document["findings"] = document["findings"][:1] * n


def targets(o: dict[str, Any], _: dict[str, Any], n: int) -> None:
    o["mx"]["records"] = o["mx"]["records"][:1] * n


def names(_: dict[str, Any], e: dict[str, Any], n: int) -> None:
    e["reverse"] = {"status": "answer", "names": [f"n{k}.test" for k in range(n)]}


def issues(o: dict[str, Any], _: dict[str, Any], n: int) -> None:
    issue = {"code": "expired", "severity": "crit", "message": "m"}
    o["tls_probes"] = [{"endpoint": "mx.test:25", "issues": [issue] * k} for k in (n // 2, n - n // 2)]


ROWS: tuple[tuple[Change, int, str], ...] = (
    (of_observation(endpoints), MAX_ENDPOINTS, "endpoints"),
    (of_observation(sessions), MAX_SESSIONS, "sessions of an endpoint"),
    (findings, MAX_FINDINGS, "findings"),
    (of_observation(targets), MAX_TARGETS, "MX targets"),
    (of_observation(lambda _, e, n: e.update(targets=["mx.test"] * n)), MAX_TARGETS, "names of an endpoint"),
    (of_observation(names), MAX_PTR_NAMES, "names of an address"),
    (of_observation(issues), MAX_ISSUES, "issues of the TLS checker"),
    (of_observation(lambda o, _, n: o.update(dns=o["dns"][:1] * n)), 2000, "DNS answers"),
    (
        of_observation(lambda o, _, n: o["mx"]["records"][0].update(ipv4=["192.0.2.1"] * n)),
        2000,
        "addresses",
    ),
    (
        of_observation(
            lambda _, e, n: e["sessions"][0].update(transactions=e["sessions"][0]["transactions"][:1] * n)
        ),
        32,
        "transactions of a session",
    ),
)


@pytest.mark.parametrize(("change", "most", "what"), ROWS, ids=[row[2] for row in ROWS])
def test_a_document_beyond_a_bound_is_refused_in_one_sentence(change: Change, most: int, what: str) -> None:
    document = json.loads(dump(whole()))
    change(document, most)
    load(json.dumps(document))
    change(document, most + 1)
    sentence = f"it has {most + 1} {what}, and a check has at most {most}$"
    with pytest.raises(DocumentError, match=sentence):
        load(json.dumps(document))
    if what != "findings":
        with pytest.raises(DocumentError, match=sentence):
            load_observation(json.dumps(document["observation"]))


def test_an_endpoint_that_is_repeated_is_found_once() -> None:
    seen = whole().observation
    index = EndpointIndex(replace(seen, endpoints=seen.endpoints * MAX_ENDPOINTS))
    about = finding("smtp.open_relay", subject="192.0.2.1:25")
    assert index.group([about] * 3) == {"192.0.2.1:25": [about] * 3}
    assert index.find(about) is seen.endpoints[0]
