"""`python -m benchmarks [NAME ...]`: measure everything, or what is named.

Prints one table each, then what is required, met or not; exits with 1 where something is not.
"""

import argparse
import os
import platform
import ssl
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from checker_smtp import __version__

_NAMES = (
    *("parser", "linear", "roundtrips", "startup", "codec", "dns", "sessions"),
    *("concentration", "scan_memory", "summary", "results", "hostile"),
)
_PACKAGES = ("aiosmtplib", "smtpproto", "anyio", "trio", "dnspython", "click")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurements named in `arguments`; the exit code."""
    given = argparse.ArgumentParser(prog="python -m benchmarks", description="The figures of the README.")
    given.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(_NAMES)}; all by default")
    names = given.parse_args(arguments).names or _NAMES
    if unknown := set(names).difference(_NAMES):
        given.error(f"nothing is called {', '.join(sorted(unknown))}: choose from {', '.join(_NAMES)}")
    print(_machine())
    failed = 0
    for name in names:
        module = import_module(f".{name}", __package__)
        print(f"\n## {name}: {(module.__doc__ or '').splitlines()[0]}\n", flush=True)
        for requirement in module.run():
            print(requirement, flush=True)
            failed += not requirement.met
    print(f"\n{failed} requirements not met" if failed else "\nall requirements met")
    return 1 if failed else 0


def _machine() -> str:
    """One line: what this ran on."""
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {platform.system()}"
        f" {platform.release()}; {platform.python_implementation()} {platform.python_version()},"
        f" {ssl.OPENSSL_VERSION}; checker-smtp {__version__}, {packages}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


if __name__ == "__main__":
    sys.exit(main())
