"""A visit to a server that says anything: it never raises, says no word too many, and always comes home."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.observation import Session
from checker_smtp.testing import CHECKER_VERBS, NetworkFaults
from smtp_sansio import Transcript
from tests.probes.fuzzing import NETWORK_FAULTS, fuzz_server, result_of
from tests.probes.sessions import probe_endpoint
from tests.probes.world import options
from tests.sansio.strategies import thorough


def check_evidence(session: Session) -> None:
    """Every number points at the line of the transcript where it can be checked."""
    for reply in session.replies:
        before = "".join(str(entry.get("got", "")) for entry in session.transcript[: reply.entry])
        heard = str(session.transcript[reply.entry]["got"])
        assert (before + heard).find(reply.raw, max(0, len(before) - len(reply.raw) + 1)) >= 0
        assert reply.at == session.transcript[reply.entry]["at"]
    if session.end is not None:
        assert session.end.entry == len(session.transcript) - 1
        assert session.end.at == session.transcript[-1]["at"]
    lines = "".join(json.dumps(entry) + "\n" for entry in session.transcript)
    assert Transcript.loads(lines).entries() == session.transcript


is_allowed = re.compile(
    r"(?:EHLO|HELO) probe\.test|STARTTLS|RSET|QUIT|MAIL FROM:<[^<>]*>|RCPT TO:<[^<>]+>"
).fullmatch


def check_order(session: Session) -> None:
    """RCPT only behind MAIL, MAIL only behind RSET or a hello, QUIT last, whatever the server answers."""
    text = "".join(str(entry["data"]) for entry in session.transcript if entry["do"] == "send")
    said = [line.split()[0] for line in text.splitlines()]
    for before, verb in zip(["", *said], said, strict=False):
        assert verb != "RCPT" or before == "MAIL"
        assert verb != "MAIL" or before in {"EHLO", "HELO", "STARTTLS", "RSET"}
        assert before != "QUIT"
    assert all(is_allowed(line) for line in text.splitlines())


@pytest.mark.slow
@thorough
@given(st.data(), NETWORK_FAULTS)
def test_a_visit_always_comes_home(data: st.DataObject, faults: NetworkFaults) -> None:
    server = fuzz_server(data, faults)
    sessions = result_of(probe_endpoint(options(), server, "192.0.2.7", "mx.example.org", 1))
    assert 1 <= len(sessions) == server.connections <= 6
    assert len({session.purpose for session in sessions}) == len(sessions)
    assert {line.split()[0] for line in server.received} <= CHECKER_VERBS
    for session in sessions:
        check_evidence(session)
        check_order(session)
