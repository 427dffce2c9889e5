"""Where the time of a session went, phase by phase."""

from dataclasses import dataclass

from checker_smtp.probes.observation import ReplySeen, Session

__all__ = ["Phase", "format_seconds", "split_phases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of the session in seconds; `kind` is a short name to colour it by."""

    kind: str
    name: str
    start: float
    length: float


def split_phases(session: Session) -> tuple[Phase, ...]:
    """The phases that took place, in order; the one in which the session broke off says so."""
    hello = _latest(session.ehlo, session.helo)
    asked = [reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset)]
    secured = session.tls.at if session.tls is not None else _latest(session.starttls)
    ends = (
        ("connect", "connect", session.connected_at),
        ("greeting", "greeting", _latest(session.greeting)),
        ("hello", "EHLO", hello),
        ("tls", "STARTTLS and handshake", secured),
        ("hello", "EHLO again", _latest(session.ehlo_tls)),
        ("transactions", "transactions", _latest(*asked)),
        ("quit", "QUIT", _latest(session.quit)),
    )
    found: list[Phase] = []
    clock = 0.0
    for kind, name, end in ends:
        if end is not None and end >= clock:
            found.append(Phase(kind=kind, name=name, start=clock, length=end - clock))
            clock = end
    if session.end is not None and (session.end.at > clock or not found):
        name = f"waiting at {session.end.step}, then {session.end.kind}"
        found.append(Phase(kind="end", name=name, start=clock, length=max(session.end.at - clock, 0.0)))
    # QUIT mostly travels with the transactions and takes no time of its own
    return tuple(phase for phase in found if phase.length > 0 or phase.kind != "quit")


def _latest(*replies: ReplySeen | None) -> float | None:
    return max((reply.at for reply in replies if reply is not None), default=None)


def format_seconds(length: float) -> str:
    """`3 ms`, `0.42 s`, `12 s`: as exact as anybody needs."""
    if length < 0.1:
        return f"{length * 1000:.0f} ms"
    return f"{length:.2f} s" if length < 10 else f"{length:.0f} s"
