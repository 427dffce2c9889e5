"""Make the connections of a check in another network namespace of this host (Linux; needs CAP_SYS_ADMIN).

A socket belongs to the namespace of the thread that opened it. So each is opened by a thread that has entered
the namespace, and the event loop uses it like any other.
"""

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CLONE_NEWNET = 0x40000000


def dial_in(namespace: Path) -> Callable[[str, int], socket.socket]:
    """Return what `Network(dial=…)` takes, for a namespace such as `/run/netns/vantage`. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter() -> None:
        with namespace.open("rb") as opened:
            if libc.setns(opened.fileno(), CLONE_NEWNET):
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error), str(namespace))

    thread = ThreadPoolExecutor(1)
    thread.submit(enter).result()

    def connect(host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setblocking(False)
        if (error := opened.connect_ex((host, port))) not in (0, errno.EINPROGRESS):
            opened.close()
            raise OSError(error, os.strerror(error))
        return opened

    return lambda host, port: thread.submit(connect, host, port).result()
