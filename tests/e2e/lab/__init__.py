"""A lab of one real Postfix and one real name server, on loopback, for as long as a `with` block lasts.

Everything it needs lies in one temporary folder: configuration, queue, zones, certificate, logs. Nothing of
the host's Postfix is read or written and no address but 127.9.0.0/16 is bound, so the lab runs beside a mail
server, or beside another lab. It never delivers anything: RCPT is as far as a checker goes.
"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query

from . import nsd, postfix
from .processes import Interrupts, has_ended, running
from .table import DNS_ADDRESS, DNS_PORT, PORT, POSTURES

_PATIENCE = 15.0


class LabError(RuntimeError):
    """The lab cannot be had; says why in words that need no debugger."""


@dataclass(frozen=True, slots=True)
class Lab:
    folder: Path

    @property
    def maillog(self) -> Path:
        return self.folder / "mail.log"

    @property
    def queue(self) -> Path:
        return self.folder / "postfix" / "queue"


def install() -> None:
    """What the lab is made of, from the distribution's packages; does nothing where all is there."""
    done = subprocess.run(
        [str(Path(__file__).with_name("install.sh"))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise LabError(f"the lab's packages could not be installed:\n{done.stdout[-4000:]}")


@contextmanager
def lab() -> Iterator[Lab]:
    """The lab, up and answering. Needs root, and the packages."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: Postfix starts as nobody else")
    _refuse_a_second()
    with Interrupts() as interrupts, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="checker-smtp-lab-")))
        # Postfix's daemons give up root, and still have to get at their queue
        folder.chmod(0o755)
        here = Lab(folder)
        commands = {
            "nsd": nsd.command(folder / "nsd"),
            "postfix": postfix.command(folder / "postfix", here.maillog),
        }
        servers = {
            name: stack.enter_context(running(command, folder / f"{name}.out"))
            for name, command in commands.items()
        }
        _wait_until_answering(here, servers)
        with interrupts.allowed():
            yield here


def _refuse_a_second() -> None:
    for address, port in ((DNS_ADDRESS, DNS_PORT), (POSTURES[0].address, PORT)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise LabError(
                    f"{address}:{port} is taken ({error.strerror}): another lab runs already"
                ) from None


def _wait_until_answering(here: Lab, servers: dict[str, "subprocess.Popen[bytes]"]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not (_dns_answers() and all(_greets(posture.address) for posture in POSTURES)):
        ended = [name for name, server in servers.items() if has_ended(server)]
        if ended or time.monotonic() > deadline:
            what = f"{ended[0]} ended at once" if ended else f"no answer within {_PATIENCE:g} s"
            logs = [here.maillog, *(here.folder / f"{name}.out" for name in servers)]
            said = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
            raise LabError(f"{what}:\n{said[-4000:]}")
        time.sleep(0.1)


def _dns_answers() -> bool:
    question = dns.message.make_query(POSTURES[0].domain, "MX")
    try:
        answer = dns.query.udp(question, DNS_ADDRESS, timeout=1, port=DNS_PORT)
    except (OSError, dns.exception.DNSException):
        return False
    return bool(answer.answer) and bool(answer.flags & dns.flags.AA)


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=5) as connection:
            return bool(connection.recv(512))
    except OSError:
        return False
