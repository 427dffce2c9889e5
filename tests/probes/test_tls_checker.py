"""The targets for the TLS checker, and its results in both shapes and in none."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.observation import Mx, Observation, TlsIssue, TlsProbe
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.tls_checker import tls_targets, with_tls_checker
from tests.probes.observations import endpoint, finding_lines, observation, only, settings, target

REF = "smtp:mx.example.org:25"
SEEN = "2026-11-22T09:00:00Z"
SECOND = "2001:db8::8"
GOOD: dict[str, Any] = {
    "host": "mx.example.org",
    "port": 25,
    "endpoint": "mx.example.org:25",
    "type": "starttls-smtp",
    "sni": "mx.example.org",
    "tls_version": "TLS 1.3",
    "cipher_suite": "TLS_AES_128_GCM_SHA256",
    "hostname_match": True,
    "chain_valid": True,
    "not_after": "2027-02-01T00:00:00Z",
    "issuer": "CN=R11",
}


def published(*names: str, **given: object) -> Observation:
    records = tuple(target(name, **given) for name in names)  # type: ignore[arg-type]
    return observation(mx=Mx(status=DnsStatus.ANSWER, records=records))


def related(probe: object, ref: str = REF, **more: object) -> list[object]:
    data = {"probes": {ref: probe}, "collected_at": SEEN}
    return [{"checkerId": "tls", "key": "tls_probes", "data": data, "collectedAt": SEEN, "ref": REF, **more}]


def issues(probe: object) -> list[tuple[str, str]]:
    (found,) = with_tls_checker(observation(), related(probe)).tls_probes
    assert found.endpoint == "mx.example.org:25"
    for issue in found.issues:
        assert issue.message
    return [(issue.code, issue.severity) for issue in found.issues]


def message(probe: object) -> str:
    (found,) = with_tls_checker(observation(), related(probe)).tls_probes
    (issue,) = found.issues
    return issue.message


def test_each_target_once_under_a_name_that_stays() -> None:
    seen = published("mx.example.org", "mx2.example.org", "mx.example.org")
    first, second = tls_targets(seen)
    assert (first.ref, first.host, first.port) == (REF, "mx.example.org", 25)
    assert second.ref == "smtp:mx2.example.org:25"
    assert tls_targets(replace(seen, run_at="2030-01-01T00:00:00Z")) == (first, second)
    (elsewhere,) = tls_targets(replace(published("mx.example.org"), settings=settings(port=2525)))
    assert (elsewhere.ref, elsewhere.port) == ("smtp:mx.example.org:2525", 2525)


@pytest.mark.parametrize(
    "seen",
    [
        published("192.0.2.1", literal="192.0.2.1"),
        published("mx.example.org", ipv6="", not_public=(("192.0.2.7", "private (RFC 1918)"),)),
        published("a\\032b.example.org"),
        published("a" * 64 + ".example.org"),
        published(".".join(["a" * 60] * 5)),
        published(""),
        observation(mx=Mx(status=DnsStatus.ANSWER, null_mx=True, null_preferences=(0,))),
    ],
)
def test_where_the_tls_checker_is_not_sent(seen: Observation) -> None:
    assert tls_targets(seen) == ()


@pytest.mark.parametrize(
    "seen",
    [
        published("mx_1.example.org"),
        published("mx.example.org", ipv4="", ipv6=""),
        published("mx.example.org", not_public=(("192.0.2.7", "private (RFC 1918)"),)),
        published("xn--bcher-kva.example.org"),
    ],
)
def test_where_it_is_sent(seen: Observation) -> None:
    assert len(tls_targets(seen)) == 1


def test_issues_are_taken_as_they_are() -> None:
    listed = [
        {"code": "chain_invalid", "severity": "crit", "message": "self-signed", "fix": "get another"},
        {"code": "expiring_soon", "severity": "warn", "message": "9 days left"},
    ]
    probe = {**GOOD, "chain_valid": False, "issues": listed, "of the future": {"x": []}}
    seen = with_tls_checker(observation(endpoint()), related(probe))
    assert seen.tls_probes == (
        TlsProbe(
            endpoint="mx.example.org:25",
            issues=(
                TlsIssue(code="chain_invalid", severity="crit", message="self-signed", fix="get another"),
                TlsIssue(
                    code="expiring_soon",
                    severity="warn",
                    message="9 days left",
                    fix="Renew it, make the server reload it, and automate both.",
                ),
            ),
        ),
    )
    assert [line for line in finding_lines(seen) if line.startswith("tls.")] == [
        "tls.chain_invalid crit fail mx.example.org:25",
        "tls.expiring_soon warn fail mx.example.org:25",
    ]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("crit", "crit"),
        (" CRITICAL", "crit"),
        ("error", "crit"),
        ("high", "crit"),
        ("warning", "warn"),
        ("Info", "info"),
        ("notice", "info"),
        ("catastrophic", "warn"),
        ("", "crit"),
        (4, "crit"),
        (None, "crit"),
    ],
)
def test_severities_are_ours(word: object, severity: str) -> None:
    assert issues({"issues": [{"code": "expired", "severity": word, "message": "m"}]}) == [
        ("expired", severity)
    ]


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({}, "issue", "The TLS checker found an issue without a description."),
        ({"code": "expired"}, "expired", "The certificate has expired."),
        ({"code": "X" * 500, "message": "y" * 5000}, "x" * 40, "y" * 1000),
        ({"code": "OCSP stapling\r\n<b>", "message": "m"}, "ocsp_stapling_b", "m"),
        ({"code": 3, "message": 4, "fix": []}, "issue", "The TLS checker found an issue"),
    ],
)
def test_an_issue_in_part(given: dict[str, object], code: str, text: str) -> None:
    (probe,) = with_tls_checker(observation(), related({"issues": [given]})).tls_probes
    (issue,) = probe.issues
    assert issue.code == code
    assert issue.message.startswith(text)
    assert len(issue.message) <= 1000


def test_a_flood_of_issues_is_cut() -> None:
    assert len(issues({"issues": [{"code": f"c{n}"} for n in range(500)]})) == 20
    assert issues({"issues": ["x", None, {"code": "expired"}]}) == [("expired", "crit")]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, []),
        ({"issues": None}, []),
        ({"issues": [], "chain_valid": False}, []),
        ({"issues": None, "chain_valid": False}, [("chain_invalid", "crit")]),
        ({"chain_valid": False}, [("chain_invalid", "crit")]),
        ({"hostname_match": False}, [("hostname_mismatch", "crit")]),
        ({"chain_valid": "no", "hostname_match": 0}, []),
        ({"not_after": "2026-11-22T08:59:59Z"}, [("expired", "crit")]),
        ({"not_after": SEEN}, [("expired", "crit")]),
        ({"not_after": "2026-11-21T09:00:00Z", "chain_valid": False}, [("expired", "crit")]),
        ({"not_after": "2026-12-06T08:59:59.123456789Z"}, [("expiring_soon", "warn")]),
        ({"not_after": "2026-12-06T09:00:00+00:00"}, []),
        ({"not_after": "2026-12-01T00:00:00"}, [("expiring_soon", "warn")]),
        ({"not_after": "0001-01-01T00:00:00Z"}, []),
        ({"not_after": "soon"}, []),
        ({"not_after": 1795349744}, []),
        ({"not_after": "9999-12-31T23:59:59-14:00"}, []),
        ({"tls_version": "TLS 1.0"}, [("weak_tls_version", "warn")]),
        ({"tls_version": "TLSv1"}, [("weak_tls_version", "warn")]),
        ({"tls_version": "1.1"}, [("weak_tls_version", "warn")]),
        ({"tls_version": "SSLv3"}, [("weak_tls_version", "warn")]),
        ({"tls_version": "TLS1.2"}, []),
        ({"tls_version": 769}, []),
        (
            {"chain_valid": False, "hostname_match": False, "tls_version": "TLS 1.1"},
            [("chain_invalid", "crit"), ("hostname_mismatch", "crit"), ("weak_tls_version", "warn")],
        ),
    ],
)
def test_facts_amount_to_issues(facts: dict[str, object], found: list[tuple[str, str]]) -> None:
    assert issues({**GOOD, **facts}) == found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("dial tcp 192.0.2.7:25: connect: connection refused", "tcp_unreachable"),
        ("dial tcp tls.example.org:25: i/o timeout", "tcp_unreachable"),
        ("lookup mx.example.org: no such host", "tcp_unreachable"),
        ("TLS handshake: read tcp: i/o timeout", "handshake_failed"),
        ("remote error: tls: handshake failure", "handshake_failed"),
        ("x509: certificate signed by unknown authority", "handshake_failed"),
        ("EOF", "handshake_failed"),
        ("STARTTLS not offered by the server", "starttls_not_offered"),
        ("the server does not advertise\nSTARTTLS", "starttls_not_offered"),
    ],
)
def test_an_error_is_the_only_issue(error: str, code: str) -> None:
    # what Go leaves in the other fields is zero, not known to be false
    facts = {"chain_valid": False, "hostname_match": False, "not_after": "0001-01-01T00:00:00Z"}
    assert [found for found, _ in issues({**facts, "error": error})] == [code]
    assert error in message({**facts, "Error_text": error})


def test_an_error_is_cut() -> None:
    assert len(message({"error": "x" * 100_000})) < 300
    assert issues({**GOOD, "error": ""}) == []


@pytest.mark.parametrize(
    "probe",
    [
        {"host": "MX.Example.Org.", "port": 25},
        {"host": "mx.example.org", "port": 25},
        {"endpoint": "mx.example.org:25"},
        {"host": "other.example", "port": 1, "endpoint": "mx.example.org:25"},
    ],
)
def test_a_probe_under_another_reference(probe: dict[str, object]) -> None:
    seen = with_tls_checker(observation(), related({**probe, "chain_valid": False}, ref="tls:7"))
    assert [found.endpoint for found in seen.tls_probes] == ["mx.example.org:25"]


@pytest.mark.parametrize(
    "probe",
    [
        {"host": "www.example.org", "port": 443, "endpoint": "www.example.org:443"},
        {"host": "mx.example.org", "port": 465, "endpoint": "mx.example.org:465"},
        {"host": 7, "port": "x"},
        {},
        "mx.example.org",
        None,
    ],
)
def test_what_is_not_ours_is_left(probe: object) -> None:
    seen = observation()
    assert with_tls_checker(seen, related(probe, ref="tls:7")) is seen


def test_two_results_for_one_endpoint() -> None:
    def probed_at(data_time: object, host_time: object, version: str) -> dict[str, object]:
        data = {"probes": {REF: {"tls_version": version}}, "collected_at": data_time}
        return {"data": data, "collectedAt": host_time}

    late = probed_at("2026-11-22T08:00:00Z", None, "TLS 1.0")
    early = probed_at("x", "2026-11-21T08:00:00Z", "TLS 1.3")
    for both in ([late, early], [early, late]):
        (probe,) = with_tls_checker(observation(), both).tls_probes
        assert [issue.code for issue in probe.issues] == ["weak_tls_version"]


@pytest.mark.parametrize(
    ("run_at", "codes"),
    [("2026-11-22T09:00:00Z", ["expired"]), ("yesterday", [])],
)
def test_without_a_time_it_is_that_of_the_check(run_at: str, codes: list[str]) -> None:
    seen = replace(observation(), run_at=run_at)
    probe = {REF: {"not_after": "2026-11-01T00:00:00Z"}}
    (found,) = with_tls_checker(seen, [{"data": {"probes": probe}}]).tls_probes
    assert [issue.code for issue in found.issues] == codes


def test_the_order_is_that_of_the_targets() -> None:
    seen = published("b.example.org", "a.example.org")
    data = {"probes": {f"smtp:{name}.example.org:25": {} for name in ("a", "b")}}
    found = with_tls_checker(seen, [{"data": data}]).tls_probes
    assert [probe.endpoint for probe in found] == ["b.example.org:25", "a.example.org:25"]


@pytest.mark.parametrize(
    "given", [None, 3, "x", {}, {"data": {}}, [], [None], [{"data": "x"}], [{"data": {"probes": [1]}}]]
)
def test_no_list_of_observations(given: object) -> None:
    seen = observation()
    assert with_tls_checker(seen, given) is seen


def test_only_so_many_are_read() -> None:
    late = related({"chain_valid": False})
    assert with_tls_checker(observation(), [{}] * 99 + late).tls_probes
    assert not with_tls_checker(observation(), [{}] * 100 + late).tls_probes


def test_an_unknown_issue_becomes_a_finding() -> None:
    seen = replace(observation(endpoint()), mx=published("mx.example.org").mx)
    probe = {"issues": [{"code": "ocsp", "severity": "crit", "message": "no staple"}]}
    finding = only(with_tls_checker(seen, related(probe)))
    assert (finding.code, finding.subject, finding.message) == (
        "smtp.tls.ocsp",
        "mx.example.org:25",
        "no staple",
    )


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes().map(lambda when: when.isoformat() + "Z")
    | st.sampled_from(["TLS 1.0", "crit", "9999-12-31T23:59:59-14:00", "0002-01-01T00:00:00+14:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*GOOD, REF, "issues", "error", "code", "severity", "message", "probes", "data"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(_json, _json, st.sampled_from([SEEN, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", ""]))
def test_nothing_that_json_can_hold_is_too_much(probe: object, whole: object, when: str) -> None:
    data = {"probes": {REF: probe}, "collected_at": when}
    seen = with_tls_checker(observation(endpoint()), [whole, {"data": data}])
    for line in finding_lines(seen):
        assert line
    for found in seen.tls_probes:
        assert all(issue.severity in ("info", "warn", "crit") for issue in found.issues)
