"""States: of every kind of rule, of older and reduced observations, and of what is none."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.observation import Mx, Observation
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import RULES
from checker_smtp.report.document import load_observation
from checker_smtp.testing import FakeResolver
from tests.apps.service.hosted import CheckState, HappyDomain, folded, service
from tests.probes.observations import HERE, endpoint, observation, session, settings, unreached
from tests.probes.world import options

pytestmark = pytest.mark.anyio

# what an observation has had from the first release on
FIRST = {
    "Observation": ("domain", "run_at", "settings", "mx", "endpoints", "coverage", "dns"),
    "MxTarget": ("preference", "target"),
    "Endpoint": ("address", "port", "targets", "reverse", "sessions"),
}


@pytest.fixture
def host() -> HappyDomain:
    return HappyDomain(service(FakeResolver()))  # type: ignore[arg-type]


def plain(seen: Observation) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(seen))
    return read


def short(states: list[CheckState]) -> list[tuple[object, ...]]:
    return [
        (state.status, *(text for text in (state.code, state.subject) if text is not msgspec.UNSET))
        for state in states
    ]


async def test_every_kind_of_state(host: HappyDomain) -> None:
    gone = "550 5.1.1 no such user"
    seen = observation(
        endpoint(ehlo="250-mx|250-PIPELINING|250 8BITMIME", null=gone, postmaster=gone, reverse=None)
    )
    states = folded(await host.evaluate(plain(seen)))
    assert list(states) == list(RULES)
    assert short(states["smtp.starttls_offered"]) == [(4, "smtp.all_no_starttls")]
    assert short(states["smtp.postmaster"]) == [(4, "smtp.postmaster.rejected", HERE)]
    assert short(states["smtp.mx_present"]) == [(1,)]
    assert short(states["smtp.starttls_handshake"]) == [(0,)]
    assert short(states["smtp.reverse_dns"]) == [(0,)]
    (state,) = states["smtp.postmaster"]
    assert state.meta == {
        "id": f"example.org smtp.postmaster.rejected {HERE}",
        "outcome": "fail",
        "reason": "mailbox",
        "words": "5.1.1",
        "reference": "RFC 5321 §4.5.1, RFC 2142 §5",
        "fix": next(code.fix for code in RULES["smtp.postmaster"].codes if code.code == state.code),
    }


async def test_warnings_and_notes(host: HappyDomain) -> None:
    states = folded(await host.evaluate(plain(observation(endpoint(), unreached("refused", "192.0.2.8")))))
    assert short(states["smtp.endpoint_reachable"]) == [(3, "smtp.tcp.unreachable", "192.0.2.8:25")]
    states = folded(await host.evaluate(plain(observation(endpoint(greeting="@11 220 mx")))))
    assert short(states["smtp.banner_sanity"]) == [(2, "smtp.banner.slow", HERE)]


async def test_several_findings_of_one_rule(host: HappyDomain) -> None:
    relaying = {"relay": "250 ok", "address": "192.0.2.8"}
    seen = observation(endpoint(relay="250 ok"), endpoint(**relaying))  # type: ignore[arg-type]
    states = folded(await host.evaluate(plain(seen)))
    assert [state.subject for state in states["smtp.open_relay"]] == [HERE, "192.0.2.8:25"]


async def test_nobody_answered(host: HappyDomain) -> None:
    states = folded(await host.evaluate(plain(observation(unreached("network-unreachable")))))
    assert set(states) == set(RULES)
    assert not any(state.status in (3, 4) for rule_states in states.values() for state in rule_states)
    for name in ("smtp.banner_sanity", "smtp.null_sender", "smtp.open_relay", "smtp.tls_quality"):
        assert short(states[name]) == [(0,)]


async def test_a_null_mx_has_one_state_and_nothing_else(host: HappyDomain) -> None:
    null = Mx(status=DnsStatus.ANSWER, null_mx=True, null_preferences=(0,))
    (state,) = await host.evaluate(plain(observation(mx=null)))
    assert (state.status, state.rule, state.code) == (2, "smtp.null_mx", "smtp.null_mx")
    assert await host.evaluate(plain(observation(mx=null)), enabledRules={"smtp.null_mx": False}) == []


@pytest.mark.parametrize("off", [["smtp.open_relay"], list(RULES), ["of.the.future"]])
async def test_a_rule_that_is_off_has_no_state(host: HappyDomain, off: list[str]) -> None:
    states = await host.evaluate(
        plain(observation(endpoint(relay="250 ok"))), enabledRules=dict.fromkeys(off, False)
    )
    assert {state.rule for state in states} == RULES.keys() - set(off)


async def test_what_was_off_when_it_was_seen_is_unknown_now(host: HappyDomain) -> None:
    seen = replace(observation(endpoint(relay="250 ok")), rules=("smtp.mx_present",))
    states = folded(await host.evaluate(plain(seen)))
    assert short(states["smtp.mx_present"]) == [(1,)]
    assert short(states["smtp.open_relay"]) == [(0,)]
    (state,) = states["smtp.open_relay"]
    assert "when the observation was made" in state.message


async def test_an_option_that_was_off_is_named(host: HappyDomain) -> None:
    asked = transactions_for(options(test_null_sender=False))
    seen = observation(endpoint(session(asked=asked)), settings=settings(test_null_sender=False))
    (state,) = folded(await host.evaluate(plain(seen)))["smtp.null_sender"]
    assert state.status == 0
    assert "test_null_sender" in state.message


async def test_an_observation_from_before_newer_fields(host: HappyDomain) -> None:
    gone = "550 5.1.1 no such user"
    seen = plain(observation(endpoint(null=gone, postmaster=gone)))
    now = await host.evaluate(seen)
    old = {name: seen[name] for name in FIRST["Observation"]}
    old["mx"]["records"] = [{name: r[name] for name in FIRST["MxTarget"]} for r in seen["mx"]["records"]]
    old["endpoints"] = [{name: e[name] for name in FIRST["Endpoint"]} for e in seen["endpoints"]]
    states = folded(await host.evaluate(old))
    assert list(states) == list(RULES)
    assert short(states["smtp.postmaster"]) == [(4, "smtp.postmaster.rejected", HERE)]
    assert short(folded(now)["smtp.postmaster"]) == short(states["smtp.postmaster"])


async def test_fields_of_the_future_are_passed_over(host: HappyDomain) -> None:
    seen = plain(observation(endpoint()))
    seen["of the future"] = seen["endpoints"][0]["sessions"][0]["of the future"] = {"x": [1]}
    assert len(folded(await host.evaluate(seen))) == 16


async def test_what_the_tls_checker_observed_counts(host: HappyDomain) -> None:
    probe = {"host": "mx.example.org", "port": 25, "chain_valid": False}
    tls = {"probes": {"smtp:mx.example.org:25": probe}, "collected_at": "2026-11-22T09:00:00Z"}
    seen = plain(observation(endpoint()))
    states = folded(await host.evaluate(seen, observations={"smtp": seen, "tls_probes": tls}))
    assert short(states["smtp.tls_quality"]) == [(4, "smtp.tls.chain_invalid", "mx.example.org:25")]
    states = folded(await host.evaluate(seen, observations={"smtp": seen, "tls_probes": [None]}))
    assert short(states["smtp.tls_quality"]) == [(1,)]


async def test_words_of_a_server_are_made_visible(host: HappyDomain) -> None:
    seen = observation(endpoint(greeting="554 5.7.1 \x1b[31m\x00 no \u0085 service for you"))
    for state in await host.evaluate(plain(seen)):
        assert state.message.isprintable()
        assert len(state.message) <= 2000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"null", "got `null`"),
        (b"[]", "got `array`"),
        (b"{}", "the observation with the key 'smtp' is missing: the body has none"),
        ({"observations": None}, "has none"),
        ({"observations": {"dns": {}, "x" * 500: 1}}, "the body has 'dns', 'xxx"),
        ({"observations": []}, "Expected `object | null`, got `array`"),
        ({"observations": {"smtp": None}}, "got `null`"),
        ({"observations": {"smtp": "x"}}, "got `str`"),
        ({"observations": {"smtp": {}}}, "missing required field `domain`"),
        ({"observations": {"smtp": {}}, "enabledRules": {"smtp.null_mx": "no"}}, "got `str`"),
        (b'{"observations": {"smtp": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"observations": {"smtp": {"domain": "x", "dns": ' + b"[" * 500_000, "nested too deeply"),
        (b'{"x": ' + b'{"x": ' * 100_000, "nested too deeply"),
    ],
)
async def test_what_cannot_be_judged(host: HappyDomain, body: object, says: str) -> None:
    answer = await host.request("POST", "/evaluate", body)
    reply = answer.json()
    assert (answer.status_code, reply["states"], set(reply)) == (400, [], {"states", "error"})
    assert says in reply["error"]
    assert "\n" not in reply["error"]
    assert len(reply["error"]) < 400


async def test_a_session_less_endpoint_is_refused(host: HappyDomain) -> None:
    seen = plain(observation(endpoint()))
    seen["endpoints"][0]["sessions"] = []
    answer = await host.request("POST", "/evaluate", {"observations": {"smtp": seen}})
    assert answer.json()["error"].endswith("has no session")
    assert load_observation(msgspec.json.encode(plain(observation(endpoint()))))
