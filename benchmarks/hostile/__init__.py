"""The cost of hostile servers, zones and clients to this program: memory, processor time, duration.

Each module in `rows` is one row, found by its presence, and has one function:

    def run() -> Iterator[Requirement]:

It makes the hostile side (`servers.hostile_servers` runs one in a process of its own, over loopback), has a
child process visit it or be visited (`commands.measure_command` for a command that ends, or
`figures.peak_memory(pid)` for one that runs), and yields what is required of the figures. The first line of
the module's docstring is its title. One row alone:

    python -c "from benchmarks.hostile.rows import NAME; print(*NAME.run(), sep='\\n')"
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from benchmarks.figures import Requirement

from . import rows

__all__ = ["run"]


def run() -> Iterator[Requirement]:
    """Measure every row, and yield the requirements."""
    for name in sorted(info.name for info in iter_modules(rows.__path__)):
        module = import_module(f"{rows.__name__}.{name}")
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        yield from module.run()
