"""A scan from its list to its results: everything around `Scan` that touches files and signals."""

import hashlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import anyio

from backends.anyio_driver import run_anyio
from backends.dns import DnsResolver
from backends.shared_dns import SharedResolver
from checker_smtp.lines import LineWriter, open_lines
from probes.check import ResolverError
from probes.options import Options
from probes.ports import DnsAnswer, Resolver
from smtp_sansio import Script

from .manners import StopList
from .names import entries, texts
from .progress import Progress
from .results import Note, Results, done_before, prepare
from .scan import Scan, Tally
from .seen import Seen
from .settings import ScanSettings

__all__ = ["Job", "NameList", "named_list", "run_job"]

_T = TypeVar("_T")

# What sessions that are open may still take after Ctrl-C, in seconds.
_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class NameList:
    """A list of names that can be read more than once; `lines` is how many lines it has."""

    path: Path
    column: str | None
    digest: str
    lines: int

    @contextmanager
    def names(self) -> Iterator[Iterator[str]]:
        """The names as they are spelled there. Raises `ListError` and `LinesError`."""
        with open_lines(self.path) as lines:
            yield texts(lines, self.column)


@contextmanager
def named_list(path: Path, column: str | None) -> Iterator[NameList]:
    """The list in this file; what comes from standard input (`-`) is kept in a file meanwhile.

    Raises OSError where it cannot be read.
    """
    if path != Path("-"):
        yield _measured(path, column)
        return
    with tempfile.TemporaryDirectory(prefix="checker-smtp-") as folder:
        copy = Path(folder) / "list"
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield _measured(copy, column)


def _measured(path: Path, column: str | None) -> NameList:
    digest = hashlib.sha256((column or "").encode())
    count = 0
    with open_lines(path) as lines:
        for line in lines:
            digest.update(line)
            count += 1
    return NameList(path, column, digest.hexdigest(), count)


class World:
    """Both ports of the probes: names by one resolver, sessions over TCP."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask the resolver."""
        return await self._resolver.resolve(name, rdtype)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` over TCP to its end."""
        return await run_anyio(script)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to scan, how, and where the results go."""

    settings: ScanSettings
    names: NameList
    results: Path
    resolvers: tuple[DnsResolver, ...]
    resolver_name: str = ""
    stop_list: StopList
    in_order: bool = False
    resume: bool = False
    force: bool = False

    @property
    def note(self) -> Note:
        """What the results are of."""
        options = self.settings.options
        shaping = {f.name: str(getattr(options, f.name)) for f in fields(Options) if f.name != "domain"}
        return Note(list_digest=self.names.digest, options=shaping)


def run_job(job: Job, loop: str) -> tuple[Tally, bool]:
    """Do the job under `loop` (`asyncio` or `trio`): how far it came, and whether it came to its end.

    Raises `ResultsError`, `ListError`, `ResolverError`, and OSError where the results cannot be written.
    """
    prepare(job.results, job.note, resume=job.resume, force=job.force)
    with closing(Seen()) as seen:
        before = sum(map(seen.add, done_before(job.results))) if job.resume else 0
        return anyio.run(_scan, job, seen, before, backend=loop)


async def _scan(job: Job, seen: Seen, before: int) -> tuple[Tally, bool]:
    resolver: Resolver = SharedResolver(job.resolvers, in_flight=2 * job.settings.concurrency)
    control = await resolver.resolve(".", "NS")
    if not control.status.known:
        raise ResolverError(control.detail or str(control.status))
    with LineWriter(job.results, append=True) as target, job.names.names() as names:
        results = Results(target, in_order=job.in_order)
        scan = Scan(
            job.settings,
            World(resolver if job.settings.sharing else job.resolvers[0]),
            results.put,
            stop_list=job.stop_list,
            resolver_name=job.resolver_name,
        )
        interrupted = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, scan, interrupted)
            group.start_soon(Progress(scan, job.names.lines, before).show)
            await scan.run(entries(names, job.stop_list, seen.add))
            group.cancel_scope.cancel()
    return scan.tally, not interrupted.is_set()


async def _watch_signals(scan: Scan, interrupted: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if interrupted.is_set():
                raise KeyboardInterrupt
            interrupted.set()
            print("\nFinishing what is under way; once more to end at once.", file=sys.stderr)  # noqa: T201
            await scan.stop(_GRACE)
