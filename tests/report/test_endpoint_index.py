"""Endpoints are found by the names that findings and evidence have for them."""

from dataclasses import replace

from checker_smtp.probes.rules import Evidence
from checker_smtp.report.model.endpoint_index import EndpointIndex
from tests.report.results import MX, endpoint, finding, observation

FIRST, SECOND = endpoint("192.0.2.1"), endpoint("192.0.2.2")
INDEX = EndpointIndex(observation(FIRST, SECOND))


def cites(*wheres: str, source: str = "session") -> tuple[Evidence, ...]:
    return tuple(Evidence(source=source, where=where, quote="250 ok") for where in wheres)


def test_a_finding_is_about_its_subject() -> None:
    found = finding("smtp.open_relay", subject="192.0.2.2:25")
    assert INDEX.find(found) is SECOND
    assert INDEX.group([found]) == {"192.0.2.2:25": [found]}
    elsewhere = replace(found, subject="192.0.2.9:25", evidence=())
    assert INDEX.find(elsewhere) is None
    assert INDEX.group([elsewhere]) == {}


def test_a_name_of_a_target_is_that_of_all_its_addresses() -> None:
    found = finding("smtp.tls.expired", subject=f"{MX}:25")
    assert INDEX.find(found) is FIRST
    assert list(INDEX.group([found])) == ["192.0.2.1:25", "192.0.2.2:25"]


def test_a_finding_about_the_domain_is_about_the_endpoints_of_its_evidence() -> None:
    found = finding("smtp.all_no_starttls", subject="")
    cited = replace(found, evidence=cites("192.0.2.2:25", "192.0.2.2:25"))
    assert INDEX.find(cited) is SECOND
    assert INDEX.cited_by(cited) == [SECOND]
    assert INDEX.group([cited]) == {"192.0.2.2:25": [cited]}
    assert INDEX.group([replace(found, evidence=cites("192.0.2.2:25", source="dns"))]) == {}
