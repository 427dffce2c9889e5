"""The command `scan`: many domains, one session for the domains that share a server."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from checker_smtp.cli.arguments import (
    INTERRUPTED,
    backend_option,
    dns_timeout,
    field_option,
    fields_from,
    print_notes,
    resolver_address,
)
from checker_smtp.cli.check_options import check_options, options_from
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.decisions import current_policy
from checker_smtp.cli.output import Output
from checker_smtp.cli.source_address import source_option
from checker_smtp.cli.summary_page import write_page
from checker_smtp.scan.settings import ScanSettings

if TYPE_CHECKING:
    from checker_smtp.scan.input.domain_list import DomainList
    from checker_smtp.scan.job import ScanJob
    from checker_smtp.scan.politeness.exclusions import Exclusions
    from checker_smtp.scan.stats import ScanStats

__all__ = ["scan"]

# A placeholder for the domain in the options, replaced by each domain of the list.
_PLACEHOLDER = "domain.invalid"

_option = partial(field_option, ScanSettings)
_number = partial(_option, metavar="N")
_seconds = partial(_option, metavar="SECONDS")


@click.command(cls=ConfiguredCommand)
@click.argument("names", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    "results",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the results there, one JSON line a domain; .gz and .zst compress. A folder with Dask.",
)
@click.option("--column", metavar="NAME", help="Read the list as a CSV with the domains in this column.")
@click.option("--in-order", is_flag=True, help="Write the lines in the order of the list, not of completion.")
@click.option("--resume", is_flag=True, help="Continue an interrupted scan.")
@click.option("--force", is_flag=True, help="Overwrite existing results.")
@click.option(
    "--summary",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a page about the results as well.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option(
    "--exclude-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Domains and networks that are never contacted, one a line.",
)
@_number("concurrency", "Simultaneous sessions.")
@_number("per_session", "Domains in one session, at most.")
@_number("per_address", "Simultaneous sessions with one address.")
@_number("per_network", "Simultaneous sessions with one network (/24 or /48).")
@_number("per_provider", "Simultaneous sessions with the MX hosts below one registered domain.")
@_seconds("delay", "Delay between two sessions with one address.")
@_seconds("retry_delay", "First pause of a server that is throttling us; it doubles each time.")
@_seconds("server_cache_ttl", "How long facts about an address are cached.")
@_number("batch_size", "Domains that are resolved before they are grouped by server.")
@_option("reuse", "Give every domain sessions of its own, as check does; for comparison.")
@check_options
@source_option()
@click.option(
    "--resolver",
    "resolvers",
    metavar="ADDR[:PORT]",
    multiple=True,
    help="DNS server to use instead of the system's; may be repeated, queries alternate.",
)
@backend_option()
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="One process on this machine, or a Dask cluster.",
)
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Address of the Dask scheduler, as in tcp://192.0.2.1:8786; default: a cluster on this machine.",
)
def scan(
    names: Path,
    results: Path | None,
    summary: Path | None,
    resolvers: tuple[str, ...],
    backend: str,
    engine: str,
    scheduler: str | None,
    **given: Any,
) -> int:
    """Check the domains in FILE, one a line, and write one JSON line for each.

    Domains that share a server share a session with it. To continue an interrupted scan, repeat the command
    with --resume.

    The exit code is 0 when the scan finished, whatever it found, 3 for wrong usage, and 130 after Ctrl-C.
    """
    options = options_from(_PLACEHOLDER, given, given["source_address"])
    settings = ScanSettings(**fields_from(ScanSettings, given), options=options, policy=current_policy())
    _fit_engine(engine, scheduler, backend, given["in_order"], results)
    if engine == "dask" and settings.source_address:
        raise click.UsageError("--source-address cannot be used: each worker has its own addresses. Omit it.")
    timeout = dns_timeout()
    addresses = [(*resolver_address(text), timeout) for text in resolvers or (None,)]
    if results is None and not given["dry_run"]:
        raise click.UsageError("the results have no file: give one, as in -o results.jsonl")
    _check_results(results, names, given["exclude_file"], summary)

    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.cli.helo import is_helo_name_given
    from checker_smtp.lines import LinesError
    from checker_smtp.probes.dns import ResolverError
    from checker_smtp.scan.input.domain_list import DomainListError, open_domain_list
    from checker_smtp.scan.job import ScanJob, run_job
    from checker_smtp.scan.output.results import ResultsError

    exclusions = _exclusions(given["exclude_file"])
    try:
        with open_domain_list(names, given["column"]) as domain_list:
            if results is None or given["dry_run"]:
                return _print_dry_run(domain_list, settings, exclusions)
            job = ScanJob(
                settings=settings,
                domain_list=domain_list,
                results=results,
                # on a cluster each worker creates its own
                resolvers=tuple(DnsResolver(*address) for address in addresses if engine == "local"),
                resolver_name=", ".join(resolvers),
                exclusions=exclusions,
                in_order=given["in_order"],
                resume=given["resume"],
                force=given["force"],
            )
            print_notes(note for resolver in job.resolvers for note in resolver.notes)
            if summary is not None:
                Output(summary)  # fail before the scan, not after it, if the page cannot be written
            if engine == "local":
                stats, completed = run_job(
                    job if is_helo_name_given() else _with_own_name(job, backend), backend
                )
            else:
                stats, completed = _run_on_cluster(job, scheduler, addresses)
    except (LinesError, DomainListError, ResultsError) as error:
        raise click.ClickException(str(error)) from None
    except ResolverError as error:
        raise click.UsageError(f"{error}. Give another one with --resolver ADDR[:PORT].") from None
    except OSError as error:
        raise click.ClickException(error.strerror or str(error)) from None
    return _report_end(stats, results, summary, completed=completed)


def _with_own_name(job: "ScanJob", loop: str) -> "ScanJob":
    """Return the job with the EHLO name of this machine, where it has one."""
    import anyio

    from checker_smtp.cli.helo import own_helo_name

    options, address = job.settings.options, job.settings.source_address
    name, reason = anyio.run(own_helo_name, job.resolvers[0], address, backend=loop)
    options = replace(options, helo_name=name or options.helo_name, helo_reason=reason)
    return replace(job, settings=replace(job.settings, options=options))


def _fit_engine(
    engine: str, scheduler: str | None, backend: str, in_order: bool, results: Path | None
) -> None:
    """Raise `click.UsageError` for an option of the other engine."""
    if engine == "local":
        if scheduler is not None:
            raise click.UsageError(
                "--scheduler cannot be used: it is for a cluster. Give --engine dask as well."
            )
        if results is not None and os.path.isdir(results):  # noqa: PTH112 - no error where the name is too long
            raise click.UsageError(f"{str(results)!r} is a folder: give the name of a file")
    elif backend != "asyncio":
        raise click.UsageError("--backend cannot be used: --engine dask runs on asyncio. Omit it.")
    elif in_order:
        raise click.UsageError(
            "--in-order cannot be used: each part of the results is in order already. Omit it."
        )


def _run_on_cluster(
    job: "ScanJob", scheduler: str | None, resolvers: list[tuple[str | None, int, float | None]]
) -> tuple["ScanStats", bool]:
    try:
        from checker_smtp.scan.dask.cluster import ClusterError, run_on_cluster
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"--engine dask cannot be used: {error.name} is not installed. "
            "Install it with: pip install 'checker-smtp[dask]'"
        ) from None
    try:
        return run_on_cluster(job, scheduler, tuple(resolvers))
    except ClusterError as error:
        raise click.ClickException(str(error)) from None


def _check_results(results: Path | None, *others: Path | None) -> None:
    """Raise `click.UsageError` if the results would overwrite another file of the command."""
    if results is None:
        return
    if results == Path("-"):
        raise click.UsageError("results cannot be standard output: --resume needs a file. Name one after -o.")
    for other in filter(None, others):
        if os.path.realpath(results) == os.path.realpath(other):
            raise click.UsageError(
                f"{str(results)!r} cannot be used twice: it is given for the results and another file. "
                "Give two different ones."
            )


def _exclusions(path: Path | None) -> "Exclusions":
    from checker_smtp.scan.politeness.exclusions import Exclusions

    if path is None:
        return Exclusions()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise click.UsageError(f"the exclude file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeError:
        raise click.UsageError(
            f"the exclude file {str(path)!r} cannot be read: it is not UTF-8 text"
        ) from None
    return Exclusions(filter(None, (line.partition("#")[0].strip() for line in lines)))


def _print_dry_run(domain_list: "DomainList", settings: ScanSettings, exclusions: "Exclusions") -> int:
    from contextlib import closing

    from checker_smtp.scan.dry_run import dry_run
    from checker_smtp.scan.input.duplicate_filter import DuplicateFilter

    with closing(DuplicateFilter()) as duplicates, domain_list.open(exclusions, duplicates.add) as domains:
        click.echo(dry_run(domains, settings), nl=False)
    return 0


def _report_end(stats: "ScanStats", results: Path, summary: Path | None, *, completed: bool) -> int:
    counts = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in stats.statuses.most_common())
    click.echo(
        f"{stats.done} domains, {stats.connections} connections: {counts or 'no results'}; in {results}",
        err=True,
    )
    if not completed:
        click.echo("checker-smtp: interrupted; repeat the command with --resume to continue", err=True)
        return INTERRUPTED
    if summary is not None:
        write_page(results, Output(summary))
    return 0
