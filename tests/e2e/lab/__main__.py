"""`python -m tests.e2e.lab`: the lab to play with, until Ctrl-C."""

import signal
import sys
from contextlib import suppress

from . import LabError, install, lab
from .table import DNS_ADDRESS, DNS_PORT, PORT, POSTURES, PROBE, RESOLVER, SHAPES, TARGETS, domain


def main() -> int:
    try:
        install()
        with suppress(KeyboardInterrupt), lab() as here:
            sys.stdout.write(_table(str(here.maillog)))
            sys.stdout.flush()
            while True:
                signal.pause()
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


def _table(maillog: str) -> str:
    rows = [(posture.domain, f"{posture.address}:{PORT}", posture.says) for posture in POSTURES]
    rows += [(domain(name), "", says) for name, (says, _) in SHAPES.items()]
    lines = [f"{name:<24} {endpoint:<16} {says}" for name, endpoint, says in rows]
    asked = f"--resolver {RESOLVER} --port {PORT} --helo-name {PROBE} --allow-target {TARGETS}"
    lines += [
        "",
        f"DNS   dig @{DNS_ADDRESS} -p {DNS_PORT} healthy.e2e.test MX",
        f"check checker-smtp check healthy.e2e.test {asked}",
        f"log   {maillog}",
        "Ctrl-C ends it.",
        "",
    ]
    return "\n".join(lines)


sys.exit(main())
