"""A server's session that is recorded as its client saw it: a transcript that `TranscriptServer` repeats."""

from collections.abc import Iterable
from time import monotonic

from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Secured,
    Send,
    Transcript,
    Upgrade,
)

from .session import Output, ServerSession

__all__ = ["RecordedSession"]


class RecordedSession(ServerSession):
    """Passes everything to `session` and keeps what the client said in `transcript`.

    A read of the server is one entry, whatever pieces the client wrote. The server name, the version and the
    suite of a handshake are not known here, so they are empty.
    """

    def __init__(self, session: ServerSession, host: str, port: int) -> None:
        self._session = session
        self._started_at = monotonic()
        self.transcript = Transcript()
        self._note(Connect(host, port, 0), Done(self._at()))

    def accept(self) -> Failed | None:
        """Return why the connection cannot be opened, or None."""
        return self._session.accept()

    def greet(self) -> Iterable[Output]:
        """Return the greeting of the session."""
        return self._noted(self._session.greet())

    def receive(self, data: bytes) -> Iterable[Output]:
        """Record `data`, and return the replies of the session."""
        self._note(Send(data, 0), Done(self._at()))
        return self._noted(self._session.receive(data))

    def start_tls(self, server_name: str) -> Failed | None:
        """Record the handshake."""
        failed = self._session.start_tls(server_name)
        self._note(Upgrade(server_name, 0), failed or Secured(self._at(), "", ""))
        self._copy_wishes()
        return failed

    def _noted(self, outputs: Iterable[Output]) -> list[Output]:
        found = list(outputs)
        for output in found:
            match output:
                case bytes():
                    self._note(Receive(0), Received(self._at(), output))
                case Failed(kind=FailureKind.CLOSED):
                    self._note(Receive(0), Received(self._at(), b""))
                case Failed():
                    self._note(Receive(0), Failed(self._at(), output.kind, output.detail))
        self._copy_wishes()
        return found

    def _note(self, effect: Effect, outcome: Outcome) -> None:
        self.transcript.note(effect, outcome)

    def _copy_wishes(self) -> None:
        self.wants_tls, self.closing = self._session.wants_tls, self._session.closing

    def _at(self) -> float:
        return round(monotonic() - self._started_at, 3)
