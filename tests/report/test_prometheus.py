"""The metrics, read by the parser of prometheus-client."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from checker_smtp.report.formats.prometheus import render_prometheus
from tests.report.results import (
    FIXTURES,
    POSTURES,
    endpoint,
    everywhere_hostile,
    finding,
    golden,
    hidden,
    observation,
    replayed,
    session,
)

LABELS = {"domain", "endpoint", "phase", "severity", "version", "status", "code", "subject", "outcome"}


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the values by name and label values without the domain; no series occurs twice."""
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.name == family.name
            assert set(sample.labels) <= LABELS
            key = sample.name, tuple(v for k, v in sorted(sample.labels.items()) if k != "domain")
            assert key not in found
            found[key] = sample.value
    return found


@pytest.mark.parametrize("posture", POSTURES)
def test_exposition_is_parsed(posture: str) -> None:
    text = render_prometheus(POSTURES[posture]())
    assert samples(text)
    assert text.endswith("\n")
    golden(f"{posture}.prom", text)


def test_values() -> None:
    found = samples(render_prometheus(POSTURES["healthy"]()))
    for address in ("192.0.2.1:25", "[2001:db8::1]:25"):
        assert found["checker_smtp_endpoint_up", (address,)] == 1
        assert found["checker_smtp_endpoint_tls", (address,)] == 1
        assert found["checker_smtp_endpoint_tls_info", (address, "TLSv1.3")] == 1
        phases = {
            labels[1]: value
            for (name, labels), value in found.items()
            if name == "checker_smtp_endpoint_phase_seconds" and labels[0] == address
        }
        assert phases == {"connect": 0.01, "banner": 0.02, "ehlo": 0.08, "tls": 0.04, "transactions": 0.06}
    assert found["checker_smtp_endpoints_reachable", ()] == 2
    assert found["checker_smtp_duration_seconds", ()] == 0.345
    assert found["checker_smtp_last_run_timestamp_seconds", ()] == 1772366400
    assert [found["checker_smtp_status", (s,)] for s in ("ok", "info", "critical")] == [1, 0, 0]


def test_findings_by_severity() -> None:
    found = samples(render_prometheus(POSTURES["relay"]()))
    assert [found["checker_smtp_findings", (s,)] for s in ("crit", "warn", "info")] == [1, 1, 1]


def test_an_unknown_value_has_no_sample() -> None:
    found = samples(render_prometheus(POSTURES["unknown"]()))
    assert found["checker_smtp_endpoint_up", ("192.0.2.1:25",)] == 0
    assert not [name for name, _ in found if "tls" in name or "phase" in name]
    clear = samples(render_prometheus(POSTURES["relay"]()))
    assert clear["checker_smtp_endpoint_tls", ("192.0.2.1:25",)] == 0
    assert ("checker_smtp_endpoint_tls", ("[2001:db8::1]:25",)) not in clear


@pytest.mark.parametrize("when", ["", "yesterday", "2026-03-01T12:00:00", "9999-99-99T00:00:00Z"])
def test_an_invalid_time_is_left_out(when: str) -> None:
    healthy = POSTURES["healthy"]()
    text = render_prometheus(replace(healthy, observation=replace(healthy.observation, run_at=when)))
    assert "last_run" not in text


def test_hostile_content_is_in_labels_only_and_escaped() -> None:
    text = render_prometheus(everywhere_hostile())
    names = {name for name, _ in samples(text)}
    assert all(name.startswith("checker_smtp_") for name in names)
    assert text.isascii()
    assert not hidden(text)


def test_labels_are_bounded() -> None:
    odd = [endpoint(f"198.51.100.{n}", session(tls=f"TLSv{n}.9")) for n in range(100)]
    twice = [endpoint("192.0.2.1"), endpoint("192.0.2.1")]
    healthy = POSTURES["healthy"]()
    seen = observation(*twice, *odd, domain="x" * 10000)
    found = samples(
        render_prometheus(replace(healthy, observation=seen, findings=(finding("a.new.code"),) * 9))
    )
    assert len({labels[0] for name, labels in found if name == "checker_smtp_endpoint_up"}) <= 32
    versions = {labels[1] for name, labels in found if name == "checker_smtp_endpoint_tls_info"}
    assert versions == {"TLSv1.3", "other"}
    assert "a.new.code" not in str(found)


def test_values_are_right_in_multiprocess_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    render_prometheus(POSTURES["healthy"]())
    assert not list(tmp_path.iterdir())


def test_recorded_checks_are_parsed() -> None:
    for folder in FIXTURES:
        assert samples(render_prometheus(replayed(folder))), folder.name
