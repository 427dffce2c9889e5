"""The public addresses that connections begin at: they are in the report and the record of a check."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from checker_smtp import replay
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.local_addresses import public_sources
from checker_smtp.backends.network import Network
from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.transport.transport import connect_tcp
from checker_smtp.cli.checks import CheckRun
from checker_smtp.probes.observation import Endpoint
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, zone
from tests.probes.observations import endpoint
from tests.probes.world import options

SOURCE = "checker_smtp.backends.local_addresses._source_towards"
SERVER, SERVER6, OTHER = (endpoint(address=one) for one in ("9.9.9.25", "2620:fe::25", "8.8.8.25"))
SOURCES = {
    "one": ([SERVER], ["9.9.9.10"], ("9.9.9.10",)),
    "the same": ([SERVER, OTHER], ["9.9.9.10", "9.9.9.10"], ("9.9.9.10",)),
    "of two families": ([SERVER, SERVER6], ["9.9.9.10", "2620:fe::10"], ("9.9.9.10", "2620:fe::10")),
    "another one for each server": ([SERVER, OTHER], ["9.9.9.10", "9.9.9.11"], ()),
    "itself, with several addresses": ([SERVER, OTHER], ["9.9.9.25", "8.8.8.25"], ("9.9.9.25", "8.8.8.25")),
    "itself, and another": ([SERVER, OTHER], ["9.9.9.25", "9.9.9.10"], ("9.9.9.25",)),
    "a private one": ([SERVER, SERVER6], ["192.168.1.7", "2620:fe::10"], ("2620:fe::10",)),
    "a private one for one server": ([SERVER, OTHER], ["9.9.9.10", "10.0.0.7"], ()),
    "no route any more": ([SERVER], [""], ()),
    "not connected": ([endpoint(connected=False, end="connect/timeout", address="9.9.9.25")], [], ()),
    "translated": ([replace(SERVER, translated="64:ff9b::909:919")], [], ()),
}


def given_resolver() -> DnsResolver:
    return DnsResolver("9.9.9.9")


def recorded(internet: FakeInternet, folder: Path) -> CheckRun:
    return CheckRun(
        options=[options("alfa.test")],
        backend=internet,
        record=folder,
        find_sources=Network(given_resolver()).find_sources,
    )


@pytest.mark.parametrize(("endpoints", "sources", "expected"), SOURCES.values(), ids=SOURCES)
def test_those_that_the_kernel_chooses(
    endpoints: list[Endpoint], sources: list[str], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = dict(zip([one.address for one in endpoints], sources, strict=False))
    monkeypatch.setattr(SOURCE, of.__getitem__)
    assert public_sources(endpoints, None) == expected
    assert Network(given_resolver()).find_sources(endpoints) == expected
    assert Network(given_resolver(), dial=connect_tcp).find_sources(endpoints) == ()


def test_a_given_one_is_the_only_one() -> None:
    network = Network(given_resolver(), source_address="9.9.9.11")
    assert network.find_sources([SERVER, OTHER]) == ("9.9.9.11",)
    assert public_sources([SERVER], "10.0.0.7") == ()


def test_the_result_and_the_record_of_a_check_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, {"9.9.9.25": "9.9.9.10"}.__getitem__)
    internet = FakeInternet(
        FakeResolver(zone({"alfa.test": "mx.host.test"}, {"mx.host.test": "9.9.9.25"})),
        {"9.9.9.25": RuleServer()},
        seconds=0,
    )
    checks = recorded(internet, tmp_path / "case")
    assert checks.run("asyncio")
    (result,) = checks.results
    assert result.observation.settings.source_addresses == ("9.9.9.10",)
    assert read_case(tmp_path / "case").options.source_addresses == ("9.9.9.10",)


def test_a_check_on_the_mail_server_itself_calls_it_no_open_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, {"9.9.9.25": "9.9.9.25"}.__getitem__)
    internet = FakeInternet(
        FakeResolver(zone({"alfa.test": "mx.host.test"}, {"mx.host.test": "9.9.9.25"})),
        {"9.9.9.25": RuleServer(relays=True)},
        seconds=0,
    )
    checks = recorded(internet, tmp_path / "case")
    assert checks.run("asyncio")
    (result,) = checks.results
    codes = [finding.code for finding in result.findings]
    assert "smtp.not_tested" in codes
    assert "smtp.open_relay" not in codes
    replayed = anyio.run(replay, tmp_path / "case")
    assert [finding.code for finding in replayed.findings] == codes
