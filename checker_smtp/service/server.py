"""Run the service: its listening sockets, signals, and an orderly shutdown."""

import asyncio
import gc
import logging
import os
import socket
import sys
from functools import partial
from types import FrameType

import anyio.to_thread
import uvicorn
from prometheus_client import start_http_server

from checker_smtp.probes.addresses import subject_of

from .app import build
from .http.middleware import Middleware
from .http.open_connections import OpenConnections
from .http.request_head import MAX_HEAD
from .http.timeouts import TimeoutProtocol
from .logs import configure
from .settings import ServiceSettings, SettingError

__all__ = ["serve"]

_logger = logging.getLogger("checker_smtp.service")

# Seconds after a signal: until the first running checks may finish, and until the second all have ended.
_GRACE_PERIOD, _SHUTDOWN_TIMEOUT = 7, 9
_THREADS = 1


def serve(settings: ServiceSettings) -> None:
    """Run the service until SIGTERM or SIGINT.

    Raises `SettingError`, before the first request, for an invalid setting or an address that it cannot
    listen on.
    """
    app = build(settings)
    with _listener(settings.listen) as listener:
        configure(as_json=settings.log_json)
        if settings.metrics_listen is not None:
            _serve_metrics(app, settings.metrics_listen)
        config = uvicorn.Config(
            app,
            http=partial(TimeoutProtocol, OpenConnections(app.may_hold_all_connections)),  # type: ignore[arg-type]
            h11_max_incomplete_event_size=MAX_HEAD,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            # `Forwarded` reads settings.trusted_proxies; uvicorn would trust every local process
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        )
        _reduce_latency()
        _logger.info("listening on http://%s", subject_of(*listener.getsockname()[:2]))
        _Server(config, app).run([listener])
    _logger.info("stopped")


def _reduce_latency() -> None:
    """Let the event loop run soon, however busy the other threads are."""
    # reports are rendered in threads, and the loop needs the GIL again after each system call
    sys.setswitchinterval(0.0001)
    # the loaded modules are never collected, so the collector need not traverse them
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """uvicorn's server, which shuts down within its time limit and with the exit code 0."""

    def __init__(self, config: uvicorn.Config, app: Middleware) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, _: int, __: FrameType | None) -> None:
        # not super's, which raises the signal again at the end and so exits with its number
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # the threads run Python code: more of them would finish no sooner, and would delay the loop
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _logger.info("stopping: no new requests, %d running", len(self.server_state.tasks))
        timer = asyncio.get_running_loop().call_later(_GRACE_PERIOD, self._app.give_up)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


def _listener(address: tuple[str, int]) -> socket.socket:
    host, port = address
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        candidates = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, sockaddr = candidates[0]
        return socket.create_server(sockaddr[:2], family=family)
    except OSError as error:
        raise _listen_error(address, error) from None


def _serve_metrics(app: Middleware, address: tuple[str, int]) -> None:
    host, port = address
    any_address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - the user asked for all addresses
    try:
        server, _ = start_http_server(port, host or any_address, app.metrics.registry)
    except OSError as error:
        raise _listen_error(address, error) from None
    _logger.info("metrics on http://%s/metrics", subject_of(*server.socket.getsockname()[:2]))


def _listen_error(address: tuple[str, int], error: OSError) -> SettingError:
    reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    return SettingError(
        f"the service cannot listen on {subject_of(*address)}: {reason}. "
        "Give another [HOST]:PORT, or stop the program that uses it"
    )
