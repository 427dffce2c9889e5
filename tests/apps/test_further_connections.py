"""A check with further connections, on either loop: its verdict, and its record when it is replayed."""

from pathlib import Path

import pytest

from checker_smtp.api import RunContext, check, replay
from checker_smtp.backends.recording.case import write_case
from checker_smtp.backends.recording.case_files import CASE_FORMAT
from checker_smtp.backends.recording.player import ReplayMismatch
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.result import Result
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.comparing import comparable
from tests.apps.scan.fake_internet import FakeInternet, zone
from tests.probes.world import options

pytestmark = pytest.mark.anyio

SEED = 11
NAME = "alfa.test"
RECORDS = zone({NAME: "mx.host.test"}, {"mx.host.test": "192.0.2.7"})
UNCLEAR, POLICY, NO_USER = "550 no", "554 5.7.1 rejected by policy", "550 5.1.1 no such user"


async def recorded(folder: Path, server: RuleServer) -> Result:
    """Check, replay the record, compare, and return the result."""
    recording = Recording(FakeInternet(FakeResolver(RECORDS), {"192.0.2.7": server}))
    result = await check(options(NAME), recording, context=RunContext(seed=SEED))
    write_case(folder, recording.case_of(options(NAME), result, seed=SEED))
    assert comparable(await replay(folder)) == comparable(result)
    return result


def purposes(result: Result) -> list[str]:
    return [session.purpose for session in result.observation.endpoints[0].sessions]


def severity(result: Result, code: str) -> str | None:
    return next((str(f.severity) for f in result.findings if f.code == code), None)


@pytest.mark.parametrize(("refusal", "expected"), [(UNCLEAR, "crit"), (POLICY, "warn")])
async def test_an_accepted_control_makes_the_refusal_the_domains(
    tmp_path: Path, refusal: str, expected: str
) -> None:
    result = await recorded(tmp_path / "case", RuleServer(rcpt_replies={f"postmaster@{NAME}": refusal}))
    assert purposes(result) == ["main", "served-control"]
    assert severity(result, "smtp.postmaster.rejected") == expected
    assert severity(result, "smtp.refused_us") is None


@pytest.mark.parametrize("refusal", [UNCLEAR, POLICY])
async def test_a_refused_control_leaves_both_readings(tmp_path: Path, refusal: str) -> None:
    replies = {f"postmaster@{name}": refusal for name in (NAME, "host.test")}
    result = await recorded(tmp_path / "case", RuleServer(rcpt_replies=replies))
    assert purposes(result) == ["main", "served-control"]
    assert severity(result, "smtp.postmaster.rejected") is None
    assert severity(result, "smtp.refused_us") is not None
    assert result.status == "unknown"


async def test_a_refusal_that_closes_is_critical_and_everything_is_asked(tmp_path: Path) -> None:
    server = RuleServer(
        fault="refusal-closes", pipelining=False, rcpt_replies={f"postmaster@{NAME}": NO_USER}
    )
    result = await recorded(tmp_path / "case", server)
    assert purposes(result) == ["main", "continued", "continued"]
    assert severity(result, "smtp.postmaster.rejected") == "crit"
    assert server.count(f"RCPT TO:<postmaster@{NAME}>") == 2
    asked = [result.observation.endpoints[0].asked(p) for p in ("null-sender", "postmaster", "relay")]
    assert all(t is not None and t.verdict is not None for t in asked)


async def test_a_case_from_before_there_were_controls_is_replayed(tmp_path: Path) -> None:
    """What its version did not ask is not tested; what it recorded still has to be said."""
    folder = tmp_path / "case"
    result = await recorded(folder, RuleServer(rcpt_replies={f"postmaster@{NAME}": UNCLEAR}))
    assert severity(result, "smtp.postmaster.rejected") == "crit"
    (folder / "2-192.0.2.7.jsonl").unlink()
    header = (folder / "case.toml").read_text()
    with pytest.raises(ReplayMismatch, match=r"no connection to 192\.0\.2\.7 is left"):
        await replay(folder)
    (folder / "case.toml").write_text(header.replace(f"format = {CASE_FORMAT}\n", ""))
    old = await replay(folder)
    assert purposes(old) == ["main", "served-control"]
    assert (old.status, severity(old, "smtp.postmaster.rejected")) == ("unknown", None)
