"""A scan from its list to its results: the files and signals around `Scan`."""

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
from checker_smtp.probes.dns import require_sound
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.ports import DnsAnswer, Resolver
from smtp_sansio import Script

from .domain_list import DomainListError, read_domains, read_names
from .duplicate_filter import DuplicateFilter
from .politeness import Exclusions
from .progress import ScanProgress
from .results import ResultsError, ScanManifest, locked_results, open_results, read_done_domains
from .scan import Scan
from .settings import ScanSettings
from .stats import ScanStats

__all__ = [
    "USER_ERRORS",
    "DomainList",
    "ScanJob",
    "SharedNetwork",
    "innermost",
    "open_domain_list",
    "raise_file_limit",
    "run_job",
]

_T = TypeVar("_T")

# Errors that end a scan and are reported as a message without a traceback.
USER_ERRORS = (LinesError, DomainListError, ResultsError, OSError)
# Seconds that open sessions get to finish after Ctrl-C.
_GRACE = 10.0
# Open files beside the sockets: the list, the results, those of Python and SQLite.
_OTHER_FILES = 64


@dataclass(frozen=True, slots=True)
class DomainList:
    """A list of names that can be read several times; `length` is their number, duplicates included."""

    path: Path
    column: str | None
    digest: str
    length: int

    @contextmanager
    def open_names(self) -> Iterator[Iterator[str]]:
        """Open the list and yield its names as spelled there. Raise `DomainListError` and `LinesError`."""
        with closing(_lines(self.path)) as lines:
            yield read_names(lines, self.column)


@contextmanager
def open_domain_list(path: Path, column: str | None) -> Iterator[DomainList]:
    """Open the list in this file; copy it first if it can be read only once, as standard input (`-`).

    Raise `DomainListError` and `LinesError`.
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
            f"{_description(path)} cannot be copied to {str(copy.parent)!r}: {error.strerror}. "
            "Free some disk space, or set TMPDIR to another disk."
        ) from None


def _lines(path: Path) -> Generator[bytes, None, None]:
    try:
        with open_lines(path) as lines:
            yield from lines
    except OSError as error:
        raise DomainListError(f"{_description(path)} cannot be read: {error.strerror}") from None


def _description(path: Path) -> str:
    return "the list from standard input" if path == Path("-") else repr(str(path))


def _measured(path: Path, column: str | None) -> DomainList:
    digest = hashlib.sha256((column or "").encode())

    def digested(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    with closing(_lines(path)) as lines:
        length = sum(1 for _ in read_names(digested(lines), column))
    return DomainList(path, column, digest.hexdigest(), length)


class SharedNetwork:
    """A backend for all domains of a scan: one resolver for names, TCP for sessions."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Send the question to the resolver."""
        return await self._resolver.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` over TCP to its end."""
        return await run_anyio(script)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob:
    """A scan as the user ordered it: list, settings, and place of the results."""

    settings: ScanSettings
    domain_list: DomainList
    results: Path
    resolvers: tuple[DnsResolver, ...]
    resolver_name: str = ""
    exclusions: Exclusions
    in_order: bool = False
    resume: bool = False
    force: bool = False

    @property
    def manifest(self) -> ScanManifest:
        """The list and the options that the results depend on."""
        options = self.settings.options
        relevant = {f.name: str(getattr(options, f.name)) for f in fields(Options) if f.name != "domain"}
        return ScanManifest(list_digest=self.domain_list.digest, options=relevant)


def run_job(job: ScanJob, loop: str) -> tuple[ScanStats, bool]:
    """Run the job under `loop` (`asyncio` or `trio`); return its counts, and False if it was interrupted.

    Raise `ResultsError`, `DomainListError`, `LinesError`, `OptionError`, `ResolverError`, and OSError where
    no room is left for temporary files.
    """
    raise_file_limit(job.settings.concurrency)
    lock = locked_results(job.results, job.manifest, resume=job.resume, force=job.force)
    with lock as make_ready, closing(DuplicateFilter()) as duplicates:
        anyio.run(_require_answers, job, backend=loop)
        make_ready()
        done_before = sum(map(duplicates.add, read_done_domains(job.results)))
        try:
            return anyio.run(_scan, job, duplicates, done_before, backend=loop)
        except BaseExceptionGroup as group:
            # errors of a task arrive in groups
            if (user_errors := group.subgroup(USER_ERRORS)) is None:
                raise
            raise innermost(user_errors) from None


def raise_file_limit(concurrency: int) -> None:
    """Raise the limit of open files as far as the scan needs it. Raise `OptionError` where that is forbidden.

    Below it a server could be reported as unreachable because this process has no socket left.
    """
    if sys.platform == "win32":
        return
    import resource

    # one socket for each session, two for DNS, or six where the system's three servers are asked at once
    needed, wanted = (files * concurrency + _OTHER_FILES for files in (3, 7))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted <= soft or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OptionError(
            "concurrency",
            f"concurrency is {concurrency}, which needs {needed} open files, and {hard} are allowed: "
            f"give at most {max((hard - _OTHER_FILES) // 3, 1)}, or raise the limit with ulimit -n",
        )
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def innermost(error: BaseException) -> BaseException:
    """Return the first error in nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _require_answers(job: ScanJob) -> None:
    """Raise `ResolverError` where no resolver can be relied on, before any result is overwritten."""
    await require_sound(job.resolvers)


async def _scan(job: ScanJob, duplicates: DuplicateFilter, done_before: int) -> tuple[ScanStats, bool]:
    shared = SharedResolver(job.resolvers, in_flight=2 * job.settings.concurrency)
    with open_results(job.results, in_order=job.in_order) as results, job.domain_list.open_names() as names:
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
            group.start_soon(ScanProgress(scan, job.domain_list.length, done_before).show)
            await scan.run(read_domains(names, job.exclusions, duplicates.add))
            group.cancel_scope.cancel()
    return scan.stats, not interrupted.is_set()


async def _watch_signals(scan: Scan, interrupted: anyio.Event, group: TaskGroup) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if interrupted.is_set():
                await scan.stop(0)
            interrupted.set()
            with suppress(OSError):
                click.echo("\nFinishing the open sessions. Press Ctrl-C again to stop at once.", err=True)
            group.start_soon(scan.stop, _GRACE)
