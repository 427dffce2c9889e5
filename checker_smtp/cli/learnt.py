"""The facts of a check that was interrupted, in one line."""

from collections.abc import Iterator

from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.addresses import subject_of
from smtp_sansio import Connect, Failed, Received, Transcript

__all__ = ["describe_learnt"]

_MAX_REPLY = 60


def describe_learnt(domain: str, recording: Recording) -> str:
    """Return the MX records, and how far each session was; the text of servers in it is not escaped."""
    facts = [*_records(domain, recording), *map(_session, filter(len, recording.sessions))]
    return "; ".join(facts) or "nothing was answered yet"


def _records(domain: str, recording: Recording) -> Iterator[str]:
    for answer in recording.answers:
        if (answer.name, answer.rdtype) == (domain, "MX"):
            records = ", ".join(" ".join(record.split()[-2:]) for record in answer.records)
            yield f"MX {records or str(answer.status).upper()}"


def _session(transcript: Transcript) -> str:
    subject, state = "", ""
    for effect, outcome in transcript:
        if isinstance(effect, Connect):
            subject, state = subject_of(effect.host, effect.port), "connected, no reply yet"
        if isinstance(outcome, Received) and outcome.data:
            lines = outcome.data.decode("latin-1").splitlines()
            state = f"last reply {lines[-1][:_MAX_REPLY]}"
        elif isinstance(outcome, Failed):
            state = str(outcome.kind)
    return f"{subject} {state}"
