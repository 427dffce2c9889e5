"""A scan from its list to its results: the files and signals around `Scan`."""

import signal
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from secrets import randbits

import anyio
import click
from anyio.abc import TaskGroup

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.network import Network
from checker_smtp.lines import LinesError
from checker_smtp.probes.dns import require_sound
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.ungrouped import ungrouped

from .input.domain_list import DomainList, DomainListError
from .input.duplicate_filter import DuplicateFilter
from .output.manifest import ScanManifest, locked_results
from .output.results import ResultsError
from .output.results_file import ResultsFile
from .politeness.exclusions import Exclusions
from .progress import ScanProgress
from .scan import Scan
from .settings import ScanSettings
from .stats import ScanStats

__all__ = ["USER_ERRORS", "ScanJob", "raise_file_limit", "run_job"]

# Errors that end a scan and are reported as a message without a traceback.
USER_ERRORS = (LinesError, DomainListError, ResultsError, OSError)
# Fields of `Options` that the results of a scan do not depend on.
_NOT_OF_RESULTS = ("domain", "helo_reason")
# Seconds that open sessions get to finish after Ctrl-C.
_GRACE = 10.0
# Open files beside the sockets: the list, the results, those of Python and SQLite.
_OTHER_FILES = 64


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
        relevant = {
            f.name: str(getattr(options, f.name)) for f in fields(Options) if f.name not in _NOT_OF_RESULTS
        }
        policy = self.settings.policy
        for code, severity in policy.severities.items():
            relevant[f"severity of {code}"] = str(severity)
        for one in policy.acceptances:
            # a reason is in the results, but they are the same with another one
            key = f"acceptance of {one.code}@{one.subject}" if one.subject else f"acceptance of {one.code}"
            relevant[f"{key} for {one.domain or 'all domains'}"] = str(one.until)
        return ScanManifest(list_digest=self.domain_list.digest, options=relevant)


def run_job(job: ScanJob, loop: str) -> tuple[ScanStats, bool]:
    """Run the job under `loop` (`asyncio` or `trio`); return its counts, and False if it was interrupted.

    Raise `ResultsError`, `DomainListError`, `LinesError`, `OptionError`, `ResolverError`, and OSError where
    no room is left for temporary files.
    """
    raise_file_limit(job.settings.concurrency)
    results = ResultsFile(job.results)
    lock = locked_results(results, job.manifest, resume=job.resume, force=job.force)
    with lock as make_ready, closing(DuplicateFilter()) as duplicates:
        anyio.run(require_sound, job.resolvers, randbits(63), backend=loop)
        make_ready()
        done_before = sum(map(duplicates.add, results.done_domains()))
        with ungrouped(*USER_ERRORS):
            return anyio.run(_scan, job, results, duplicates, done_before, backend=loop)


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


async def _scan(
    job: ScanJob, results: ResultsFile, duplicates: DuplicateFilter, done_before: int
) -> tuple[ScanStats, bool]:
    shared = SharedResolver(job.resolvers, in_flight=2 * job.settings.concurrency)
    listed = job.domain_list.open(job.exclusions, duplicates.add)
    with results.open(in_order=job.in_order) as writer, listed as domains:
        network = Network(shared, source_address=job.settings.source_address)
        scan = Scan(
            job.settings,
            shared if job.settings.reuse else job.resolvers[0],
            network,
            exclusions=job.exclusions,
            resolver_name=job.resolver_name,
            find_sources=network.find_sources,
        )
        interrupted = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, scan, interrupted, group)
            group.start_soon(ScanProgress(scan.stats, job.domain_list.length, done_before).show)
            await scan.run(domains, writer)
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
