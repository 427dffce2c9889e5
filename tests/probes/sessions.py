"""Sessions in a form that can be compared: without times, and as replies by transaction."""

from dataclasses import replace

from msgspec import to_builtins

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from tests.probes.observations import NAMED


def plain(session: Session) -> dict[str, object]:
    """Return a session without times and line numbers; its transcript as all octets of either side.

    A server that closes before it reads our QUIT resets the connection, and ends it if it reads QUIT first.
    """
    if session.end and (session.end.step, session.end.kind) == ("QUIT", "reset"):
        end = replace(session.end, kind="closed", detail="")
        kept = tuple(entry for entry in session.transcript if "failed" not in entry or "data" in entry)
        session = replace(session, end=end, transcript=kept)
    timeless = {"session": _timeless(to_builtins(replace(session, transcript=())))}
    return timeless | {"connected": session.connected_at is not None, "transcript": _stretches(session)}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in ("at", "entry", "connected_at")}
    return list(map(_timeless, value)) if isinstance(value, list | tuple) else value


def _stretches(session: Session) -> list[tuple[str, str]]:
    """Return the octets sent and received between connecting, the handshake and the end."""
    stretches = [("", "")]
    for entry in session.transcript:
        sent, received = stretches[-1]
        if "data" in entry:
            stretches[-1] = (sent + str(entry["data"]), received)
        elif "got" in entry:
            stretches[-1] = (sent, received + str(entry["got"]))
        else:
            stretches += [(str(entry.get("failed", entry["do"])), str(entry.get("detail", ""))), ("", "")]
    return stretches


def endpoint_of(sessions: tuple[Session, ...]) -> Endpoint:
    """Return an endpoint with these sessions."""
    return Endpoint(
        address="192.0.2.7", port=25, targets=("mx.example.org",), reverse=NAMED, sessions=sessions
    )


def answers(sessions: tuple[Session, ...]) -> dict[str, str]:
    """Return the replies to each transaction."""
    endpoint = endpoint_of(sessions)
    transactions = {
        purpose: endpoint.asked(purpose)
        for purpose in ("null-sender", "postmaster", "relay", "relay-control", "served-control")
    }
    return {
        purpose: f"{t.sender} {t.recipient} {t.verdict.raw if t.verdict else None}"
        for purpose, t in transactions.items()
        if t is not None
    }


async def probe_endpoint(
    options: Options, runner: Runner, address: str, server_name: str, seed: int
) -> tuple[Session, ...]:
    """Return every session with `address` for the domain of these options, the main one first."""
    probe = EndpointProbe(runner, options, address, server_name, seed)
    return (await probe.run([options]))[options.domain]
