"""Runs the service: addresses to listen on, signals, and an end in good order."""

import asyncio
import gc
import logging
import os
import socket
import sys
from types import FrameType

import anyio.to_thread
import uvicorn
from prometheus_client import start_http_server

from checker_smtp.probes.addresses import subject_of

from .app import build
from .http_timeouts import TimeoutProtocol
from .logs import configure
from .middleware import Middleware
from .settings import ServiceSettings, SettingError

__all__ = ["serve"]

_logger = logging.getLogger("checker_smtp.service")

# Seconds after a signal: what runs may finish until the first, and has to have ended at the second.
_FINISH, _END = 7, 9
_WORKERS = 1


def serve(settings: ServiceSettings) -> None:
    """Run the service until SIGTERM or SIGINT.

    Raises `SettingError`, before anything is answered, where a setting cannot be or an address cannot be
    listened on.
    """
    guard = build(settings)
    with _listener(settings.listen) as listener:
        configure(as_json=settings.log_json)
        if settings.metrics_listen is not None:
            _serve_metrics(guard, settings.metrics_listen)
        config = uvicorn.Config(
            guard,
            http=TimeoutProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            # whom to believe is settings.trusted_proxies; uvicorn would believe all of this machine
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_END,
        )
        _be_quick_to_answer()
        _logger.info("listening on http://%s", subject_of(*listener.getsockname()[:2]))
        _Server(config, guard).run([listener])
    _logger.info("stopped")


def _be_quick_to_answer() -> None:
    """Let the event loop have its turn soon, whatever is worked at beside it."""
    # reports are made in threads; the loop asks for the interpreter again after every system call
    sys.setswitchinterval(0.0001)
    # what is loaded now stays: it need not be looked through again and again
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """uvicorn's, that ends within its time and with the exit code 0."""

    def __init__(self, config: uvicorn.Config, guard: Middleware) -> None:
        super().__init__(config)
        self._guard = guard

    def handle_exit(self, _: int, __: FrameType | None) -> None:
        # not super's, which raises the signal again in the end, and so exits with its number
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # what is worked at in threads is Python: more of them would not be done sooner, and hold up the loop
        anyio.to_thread.current_default_thread_limiter().total_tokens = _WORKERS
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _logger.info("stopping: nothing new is taken, %d requests run", len(self.server_state.tasks))
        giving_up = asyncio.get_running_loop().call_later(_FINISH, self._guard.give_up)
        try:
            await super().shutdown(sockets)
        finally:
            giving_up.cancel()


def _listener(address: tuple[str, int]) -> socket.socket:
    host, port = address
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        return socket.create_server(where[:2], family=family)
    except OSError as error:
        raise _unusable(address, error) from None


def _serve_metrics(guard: Middleware, address: tuple[str, int]) -> None:
    host, port = address
    every = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - as asked for
    try:
        server, _ = start_http_server(port, host or every, guard.metrics.registry)
    except OSError as error:
        raise _unusable(address, error) from None
    _logger.info("metrics on http://%s/metrics", subject_of(*server.socket.getsockname()[:2]))


def _unusable(address: tuple[str, int], error: OSError) -> SettingError:
    reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    return SettingError(
        f"{subject_of(*address)} cannot be listened on ({reason}): "
        "give another [HOST]:PORT, or stop what is there"
    )
