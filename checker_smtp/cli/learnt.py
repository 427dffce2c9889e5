"""The facts of a check that was interrupted, in one line."""

from collections.abc import Iterator

from checker_smtp.api import Backend
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.backends.tracing import DNS_STEP, TracingBackend
from checker_smtp.probes.addresses import subject_of
from smtp_sansio import Connect, Received, Transcript

__all__ = ["WatchedCheck"]

_MAX_REPLY = 60


class WatchedCheck(TracingBackend):
    """The backend of one check, which records it and knows its last steps.

    `recording` is the record of the check of `domain` over `backend`.
    """

    def __init__(self, domain: str, backend: Backend) -> None:
        self.recording = Recording(backend)
        super().__init__(self.recording, self._note_step)
        self._domain = domain
        self._steps: dict[str, str] = {}

    def describe(self) -> str:
        """Return the MX records, and of each session the last step and the last reply, not escaped."""
        replies = dict(map(_last_reply, self.recording.sessions))
        sessions = [
            f"{subject} {step}" + (f", last reply {reply}" if (reply := replies.get(subject)) else "")
            for subject, step in self._steps.items()
        ]
        return "; ".join([*self._records(), *sessions]) or "nothing was answered yet"

    def _note_step(self, subject: str, step: str) -> None:
        # an interrupt ends all steps, so the end of one shows nothing
        if step and step != DNS_STEP:
            self._steps[subject] = step

    def _records(self) -> Iterator[str]:
        for answer in self.recording.answers:
            if (answer.name, answer.rdtype) == (self._domain, "MX"):
                records = ", ".join(" ".join(record.split()[-2:]) for record in answer.records)
                yield f"MX {records or str(answer.status).upper()}"


def _last_reply(transcript: Transcript) -> tuple[str, str]:
    subject = reply = ""
    for effect, outcome in transcript:
        if isinstance(effect, Connect):
            subject = subject_of(effect.host, effect.port)
        if isinstance(outcome, Received) and outcome.data:
            reply = outcome.data.decode("latin-1").splitlines()[-1][:_MAX_REPLY]
    return subject, reply
