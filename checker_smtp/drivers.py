"""The parts of a driver of one's own; docs/event-loops.md has the contract and examples.

`run_blocking` and `run_anyio` are the drivers of this package, `run_replay` plays a record. `Transport`
performs a script over one socket and leaves only the waiting to its caller. `classify`, `client_context` and
`sni_name` are for a driver that does without it.
"""

from checker_smtp.backends.recording.player import run_replay
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.blocking import run_blocking
from checker_smtp.backends.transport.os_errors import classify
from checker_smtp.backends.transport.tls import client_context, sni_name
from checker_smtp.backends.transport.transport import (
    DeadlineExceeded,
    OpenSocket,
    Readiness,
    Steps,
    Transport,
    connect_tcp,
)

__all__ = [
    "DeadlineExceeded",
    "OpenSocket",
    "Readiness",
    "Steps",
    "Transport",
    "classify",
    "client_context",
    "connect_tcp",
    "run_anyio",
    "run_blocking",
    "run_replay",
    "sni_name",
]
