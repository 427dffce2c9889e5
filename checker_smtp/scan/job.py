"""A scan from its list to its results: everything around `Scan` that touches files and signals."""

import hashlib
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import anyio
import click
from anyio.abc import TaskGroup

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.lines import LinesError, open_lines
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.ports import DnsAnswer, Resolver
from smtp_sansio import Script

from .domain_list import DomainListError, entries, texts
from .duplicate_filter import DuplicateFilter
from .politeness import Exclusions
from .progress import Progress
from .results import ResultsError, ScanManifest, done_before, locked_results, writing
from .scan import Scan
from .settings import ScanSettings
from .stats import ScanStats

__all__ = [
    "USER_ERRORS",
    "DomainList",
    "Job",
    "SharedNetwork",
    "allow_files",
    "innermost",
    "open_domain_list",
    "run_job",
]

_T = TypeVar("_T")

# What ends a scan and is told in a sentence.
USER_ERRORS = (LinesError, DomainListError, ResultsError, OSError)
# What sessions that are open may still take after Ctrl-C, in seconds.
_GRACE = 10.0
# Files that are open beside the sockets: the list, the results, what Python and SQLite need.
_OTHER_FILES = 64


@dataclass(frozen=True, slots=True)
class DomainList:
    """A list of names that can be read more than once; `length` is how many it has, doubles included."""

    path: Path
    column: str | None
    digest: str
    length: int

    @contextmanager
    def names(self) -> Iterator[Iterator[str]]:
        """The names as they are spelled there. Raises `DomainListError` and `LinesError`."""
        with closing(_lines(self.path)) as lines:
            yield texts(lines, self.column)


@contextmanager
def open_domain_list(path: Path, column: str | None) -> Iterator[DomainList]:
    """The list in this file; what can be read but once, as standard input (`-`), is kept in a copy.

    Raises `DomainListError` and `LinesError`.
    """
    if path != Path("-") and path.is_file():
        yield _measured(path, column)
        return
    with tempfile.TemporaryDirectory(prefix="checker-smtp-") as folder:
        copy = Path(folder) / "list"
        _copy(path, copy)
        yield _measured(copy, column)


def _copy(path: Path, copy: Path) -> None:
    try:
        with copy.open("wb") as file:
            file.writelines(_lines(path))
    except OSError as error:
        raise DomainListError(
            f"{_told(path)} cannot be kept in {str(copy.parent)!r}: {error.strerror}"
        ) from None


def _lines(path: Path) -> Generator[bytes, None, None]:
    try:
        with open_lines(path) as lines:
            yield from lines
    except OSError as error:
        raise DomainListError(f"{_told(path)} cannot be read: {error.strerror}") from None


def _told(path: Path) -> str:
    return "the list from standard input" if path == Path("-") else repr(str(path))


def _measured(path: Path, column: str | None) -> DomainList:
    digest = hashlib.sha256((column or "").encode())

    def digested(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    with closing(_lines(path)) as lines:
        length = sum(1 for _ in texts(digested(lines), column))
    return DomainList(path, column, digest.hexdigest(), length)


class SharedNetwork:
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
    names: DomainList
    results: Path
    resolvers: tuple[DnsResolver, ...]
    resolver_name: str = ""
    exclusions: Exclusions
    in_order: bool = False
    resume: bool = False
    force: bool = False

    @property
    def note(self) -> ScanManifest:
        """What the results are of."""
        options = self.settings.options
        shaping = {f.name: str(getattr(options, f.name)) for f in fields(Options) if f.name != "domain"}
        return ScanManifest(list_digest=self.names.digest, options=shaping)


def run_job(job: Job, loop: str) -> tuple[ScanStats, bool]:
    """Do the job under `loop` (`asyncio` or `trio`): how far it came, and whether it came to its end.

    Raises `ResultsError`, `DomainListError`, `LinesError`, `OptionError`, `ResolverError`, and OSError
    where there is no room for temporary files.
    """
    allow_files(job.settings.concurrency)
    claim = locked_results(job.results, job.note, resume=job.resume, force=job.force)
    with claim as make_ready, closing(DuplicateFilter()) as seen:
        anyio.run(_require_answers, job, backend=loop)
        make_ready()
        before = sum(map(seen.add, done_before(job.results)))
        try:
            return anyio.run(_scan, job, seen, before, backend=loop)
        except BaseExceptionGroup as group:
            # tasks hand on what ended them in groups
            if (told := group.subgroup(USER_ERRORS)) is None:
                raise
            raise innermost(told) from None


def allow_files(concurrency: int) -> None:
    """Be allowed enough open files; a server must not get the blame where a socket of ours cannot be had."""
    if sys.platform == "win32":
        return
    import resource

    # each session has one, and questions are asked for twice as many
    needed = 3 * concurrency + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed <= soft or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OptionError(
            "concurrency",
            f"concurrency is {concurrency}, which takes {needed} open files, and {hard} are allowed: "
            f"give at most {max((hard - _OTHER_FILES) // 3, 1)}, or raise the limit with ulimit -n",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def innermost(error: BaseException) -> BaseException:
    """The first of the errors that these are, however deep."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _require_answers(job: Job) -> None:
    """Raise `ResolverError` where no resolver answers anything, before anything is overwritten."""
    control = await SharedResolver(job.resolvers).resolve(".", "NS")
    if not control.status.known:
        raise ResolverError(control.detail or str(control.status))


async def _scan(job: Job, seen: DuplicateFilter, before: int) -> tuple[ScanStats, bool]:
    shared = SharedResolver(job.resolvers, in_flight=2 * job.settings.concurrency)
    with writing(job.results, in_order=job.in_order) as results, job.names.names() as names:
        scan = Scan(
            job.settings,
            SharedNetwork(shared if job.settings.reuse else job.resolvers[0]),
            results.put,
            exclusions=job.exclusions,
            resolver_name=job.resolver_name,
        )
        interrupted = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, scan, interrupted, group)
            group.start_soon(Progress(scan, job.names.length, before).show)
            await scan.run(entries(names, job.exclusions, seen.add))
            group.cancel_scope.cancel()
    return scan.stats, not interrupted.is_set()


async def _watch_signals(scan: Scan, interrupted: anyio.Event, group: TaskGroup) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if interrupted.is_set():
                await scan.stop(0)
            interrupted.set()
            with suppress(OSError):
                click.echo("\nFinishing what is under way; once more to end at once.", err=True)
            group.start_soon(scan.stop, _GRACE)
