"""The truncated observation: complete for a typical domain, and never larger than the host can send back."""

import json
from dataclasses import replace

import anyio
import pytest

from checker_smtp import replay
from checker_smtp.probes.observation import (
    Endpoint,
    Irregularity,
    Keyword,
    Mx,
    Observation,
    ReplySeen,
    Session,
)
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.report.document import load_observation
from checker_smtp.report.formats.html import render_html
from checker_smtp.service.happydomain.truncation import encode_observation
from tests.apps.service.hosted import FIXTURES
from tests.probes.observations import endpoint, observation, target
from tests.probes.world import answer
from tests.report.results import POSTURES

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/case.toml"))
ROOM = 1024 * 1024 - 200_000
# what JSON needs most room for
LOUD = "\x00" * 60_000


def test_nothing_is_lost() -> None:
    for name in NAMES:
        seen = anyio.run(replay, FIXTURES / name).observation
        text = encode_observation(seen)
        assert load_observation(text) == seen, name
        assert len(text) < 40_000, name


@pytest.mark.parametrize("posture", POSTURES)
def test_default_values_are_left_out(posture: str) -> None:
    seen = POSTURES[posture]().observation
    assert load_observation(encode_observation(seen)) == seen
    for held in (s for e in json.loads(encode_observation(seen))["endpoints"] for s in e["sessions"]):
        assert [] not in held.values()
        assert None not in held.values()


def loud(number: int) -> Endpoint:
    """A server that says as much as it may, in the worst of words, in many small pieces."""
    said = ReplySeen(
        code=250,
        text=LOUD,
        raw=LOUD,
        at=1.0,
        entry=1,
        deviations=(Irregularity(kind="control-character", line=1, offset=0, excerpt=LOUD[:100]),) * 100,
    )
    whole = endpoint().sessions[0]
    transcript = tuple({"do": "receive", "got": "\x00", "at": n / 1000} for n in range(20_000))
    session: Session = replace(
        whole,
        greeting=replace(said, code=220),
        ehlo=said,
        capabilities=tuple(Keyword(keyword=f"X{n}", parameters=(LOUD[:500],) * 20) for n in range(128)),
        transcript=(*whole.transcript, *transcript),
        unsolicited=(said,) * 4,
    )
    return replace(endpoint(session), address=f"198.51.100.{number}")


def test_a_loud_server_is_cut_and_the_others_are_not() -> None:
    quiet = endpoint()
    seen = observation(loud(1), quiet)
    kept = load_observation(encode_observation(seen))
    assert len(encode_observation(seen)) < ROOM
    assert kept.endpoints[1] == quiet
    (session,) = kept.endpoints[0].sessions
    assert len(session.capabilities) == 128
    assert session.greeting is not None
    assert session.greeting.raw == LOUD[: len(session.greeting.raw)]
    assert [t.rcpt and t.rcpt.code for t in session.transactions] == [250, 250, 554]
    assert "127.0.0.1" not in render_html(evaluate(kept))


def test_the_verdict_outlives_the_cut() -> None:
    seen = observation(loud(1), loud(2))
    kept = load_observation(encode_observation(seen))
    before = [(f.code, f.subject) for f in evaluate(seen).findings if f.code != "smtp.protocol.deviation"]
    after = [(f.code, f.subject) for f in evaluate(kept).findings if f.code != "smtp.protocol.deviation"]
    assert after == before


def test_a_zone_that_goes_on_and_on() -> None:
    names = tuple(f"{n}.{'x' * 60}.{'y' * 60}.{'z' * 60}.example.org" for n in range(50))
    many = " ".join(f"192.0.2.{n}" for n in range(100))
    six = " ".join(f"2001:db8::{n:x}:ffff:ffff" for n in range(100))
    records = tuple(
        target(name, ipv4=many, ipv6=six, not_public=tuple((ip, "x" * 60) for ip in six.split()))
        for name in names
    )
    dns = tuple(answer(name, "A", *["x" * 900] * 100) for name in names * 4)
    seen: Observation = observation(mx=Mx(status=DnsStatus.ANSWER, records=records), dns=dns)
    text = encode_observation(seen)
    kept = load_observation(text)
    assert len(text) < ROOM
    assert [record.target for record in kept.mx.records] == list(names)
    assert all(record.ipv4 and record.ipv6 for record in kept.mx.records)
