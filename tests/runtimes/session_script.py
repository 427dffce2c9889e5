"""Scripts for the conformance suite, and their results in a form that does not depend on the clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import anyio

from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.blocking import run_blocking
from checker_smtp.backends.transport.transport import OpenSocket
from smtp_sansio import (
    ConnectionClosed,
    Dialogue,
    Event,
    Failed,
    Mail,
    Outcome,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Rset,
    Script,
    Secured,
    SessionAborted,
)

__all__ = ["RUNTIMES", "SHORT", "SessionOutcome", "probe_session", "timeless"]

_T = TypeVar("_T")
# Seconds. What is awaited comes at once, and what is not never comes, so neither is measured.
LONG, SHORT = 20.0, 0.05


def _on(backend: str, script: Script[Any], dial: OpenSocket) -> Any:
    return anyio.run(partial(run_anyio, dial=dial), script, backend=backend)


RUNTIMES: dict[str, Callable[[Script[Any], OpenSocket], Any]] = {
    "asyncio": partial(_on, "asyncio"),
    "trio": partial(_on, "trio"),
    "blocking": lambda script, dial: run_blocking(script, dial=dial),
}


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """A session: its events, its handshake, and its end (None: a reply to QUIT)."""

    events: tuple[Event, ...]
    tls: Outcome | None
    end: Failed | ConnectionClosed | tuple[str, str, bytes] | None


def probe_session(*, server_name: str = "mx.test", impatient_at: str = "") -> Script[SessionOutcome]:
    """Run a whole session, one step after the other; at the step `impatient_at` the timeout is short."""
    dialogue = Dialogue(timeout=LONG)
    tls: Outcome | None = None
    end: Failed | ConnectionClosed | tuple[str, str, bytes] | None = None

    def begin(step: str) -> None:
        dialogue.timeout = SHORT if step == impatient_at else LONG

    try:
        begin("connect")
        yield from dialogue.connect("192.0.2.7", 25)
        begin("greeting")
        yield from dialogue.greet()
        begin("ehlo")
        yield from dialogue.hello("probe.test")
        begin("starttls")
        _, tls = yield from dialogue.starttls(server_name)
        if isinstance(tls, Secured):
            begin("ehlo over tls")
            yield from dialogue.hello("probe.test")
            yield from dialogue.group(Mail(""), Rcpt("postmaster@mx.test"), Rset(), Quit())
    except SessionAborted as interrupted:
        cause = interrupted.cause
        if isinstance(cause, RemoteProtocolError):
            end = cause.code, str(cause), cause.excerpt
        else:
            end = timeless(cause)
    return SessionOutcome(tuple(logged.event for logged in dialogue.log), tls and timeless(tls), end)


def timeless(value: _T) -> _T:
    """Return `value` without its time, if it has one."""
    return replace(value, at=0.0) if hasattr(value, "at") else value  # type: ignore[type-var]
