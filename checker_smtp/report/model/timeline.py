"""The phases of a session and their durations."""

from dataclasses import dataclass
from datetime import UTC, datetime

from checker_smtp.probes.observation import ReplySeen, Session

__all__ = ["Phase", "format_seconds", "format_time", "parse_time", "split_phases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a session; `length` is in seconds, `kind` selects the colour."""

    kind: str
    name: str
    length: float


def split_phases(session: Session) -> tuple[Phase, ...]:
    """Return the phases of the session in order; the last one has the reason of an early end."""
    hello = _latest(session.ehlo, session.helo)
    replies = [reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset)]
    secured = session.tls.at if session.tls is not None else _latest(session.starttls)
    ends = (
        ("connect", "connect", session.connected_at),
        ("greeting", "greeting", _latest(session.greeting)),
        ("hello", "EHLO", hello),
        ("tls", "STARTTLS and handshake", secured),
        ("hello", "EHLO again", _latest(session.ehlo_tls)),
        ("transactions", "transactions", _latest(*replies)),
        ("quit", "QUIT", _latest(session.quit)),
    )
    phases: list[Phase] = []
    clock = 0.0
    for kind, name, end in ends:
        if end is not None and end >= clock:
            phases.append(Phase(kind=kind, name=name, length=end - clock))
            clock = end
    if session.end is not None and (session.end.at > clock or not phases):
        name = f"waiting at {session.end.step}: {session.end.words}"
        phases.append(Phase(kind="end", name=name, length=max(session.end.at - clock, 0.0)))
    # QUIT is mostly sent with the transactions and takes no time of its own
    return tuple(phase for phase in phases if phase.length > 0 or phase.kind != "quit")


def _latest(*replies: ReplySeen | None) -> float | None:
    return max((reply.at for reply in replies if reply is not None), default=None)


def format_seconds(length: float) -> str:
    """Return a duration in seconds as `3 ms`, `0.42 s` or `12 s`."""
    if length < 0.1:
        return f"{length * 1000:.0f} ms"
    return f"{length:.2f} s" if length < 10 else f"{length:.0f} s"


def parse_time(run_at: str) -> datetime | None:
    """Return an RFC 3339 time in UTC, None for other text and for a time without an offset."""
    try:
        time = datetime.fromisoformat(run_at)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def format_time(run_at: str) -> str:
    """Return an RFC 3339 time in UTC without `T` and `Z`, and any other text unchanged."""
    return run_at.replace("T", " ").removesuffix("Z") + " UTC" if run_at.endswith("Z") else run_at
