"""The command `scan`: many domains, one visit for each server they share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .arguments import backend_option, check_options, options_from, resolver_address
from .cli_summary import write_page

if TYPE_CHECKING:
    from checker_smtp.scan.politeness import Exclusions
    from checker_smtp.scan.stats import ScanStats

    from .scan.job import DomainList, Job
    from .scan.settings import ScanSettings

__all__ = ["scan"]

_F = TypeVar("_F", bound=Callable[..., Any])

_INTERRUPTED = 130
_SETTINGS = (
    "concurrency",
    "per_session",
    "per_address",
    "per_network",
    "per_provider",
    "delay",
    "retry_delay",
    "server_cache_ttl",
    "batch_size",
)
# A domain that is nobody's stands for those of the list, until one of them takes its place.
_ANY = "domain.invalid"


def _number(name: str, default: int, text: str) -> Callable[[_F], _F]:
    return click.option(name, metavar="N", type=int, default=default, show_default=True, help=text)


def _seconds(name: str, default: float, text: str) -> Callable[[_F], _F]:
    return click.option(name, metavar="SECONDS", type=float, default=default, show_default=True, help=text)


@click.command()
@click.argument("names", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    "results",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the results go, one JSON line a domain; .gz and .zst are compressed. A folder with Dask.",
)
@click.option("--column", metavar="NAME", help="The list is a CSV, and the domains are in this column of it.")
@click.option(
    "--in-order", is_flag=True, help="Write the lines in the order of the list, not as they are done."
)
@click.option("--resume", is_flag=True, help="Go on with a scan that was interrupted.")
@click.option("--force", is_flag=True, help="Overwrite results that exist.")
@click.option(
    "--summary",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a page about the results as well.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send nothing.")
@click.option(
    "--exclude-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Domains and networks that are never touched, one a line.",
)
@_number("--concurrency", 100, "Sessions at once.")
@_number("--per-session", 20, "Domains that share a session.")
@_number("--per-address", 2, "Sessions at once with one address.")
@_number("--per-network", 8, "Sessions at once with one network (/24 or /48).")
@_number("--per-provider", 20, "Sessions at once with the MX hosts below one registered domain.")
@_seconds("--delay", 1.0, "Between two sessions with one address.")
@_seconds("--retry-delay", 30.0, "How long a server that has no time is left alone at first.")
@_seconds("--server-cache-ttl", 3600.0, "How long what was found out about an address is held to be true.")
@_number("--batch-size", 10_000, "Domains that are looked up before they are grouped by server.")
@click.option(
    "--no-reuse",
    is_flag=True,
    help="Visit the servers of each domain for it alone, as check does; to compare.",
)
@check_options
@click.option(
    "--resolver",
    "resolvers",
    metavar="ADDR[:PORT]",
    multiple=True,
    help="DNS server to ask instead of the system's; may be repeated, they take turns.",
)
@backend_option()
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="One process here, or a Dask cluster.",
)
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="The Dask cluster's, as in tcp://192.0.2.1:8786; without, there is a cluster on this machine.",
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

    Servers that many of the domains share are visited once for all of them. An interrupted scan is gone on
    with by the same command and --resume.
    """
    settings = _settings(given)
    _fit_engine(engine, scheduler, backend, given["in_order"], results)
    servers = [resolver_address(text) for text in resolvers] or [(None, 53)]
    if results is None and not given["dry_run"]:
        raise click.UsageError("where to? name a file for the results, as in -o results.jsonl")
    _keep_apart(results, names, given["exclude_file"], summary)

    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.probes.dns import ResolverError
    from checker_smtp.scan.domain_list import DomainListError

    from .lines import LinesError
    from .output import Output
    from .scan.job import Job, open_domain_list, run_job
    from .scan.results import ResultsError

    exclusions = _stop_list(given["exclude_file"])
    try:
        with open_domain_list(names, given["column"]) as listed:
            if results is None or given["dry_run"]:
                return _tell_plan(listed, settings, exclusions)
            job = Job(
                settings=settings,
                names=listed,
                results=results,
                # in a cluster each worker makes its own
                resolvers=tuple(DnsResolver(*server) for server in servers if engine == "local"),
                resolver_name=", ".join(resolvers),
                exclusions=exclusions,
                in_order=given["in_order"],
                resume=given["resume"],
                force=given["force"],
            )
            if summary is not None:
                Output(summary)  # to know now, and not after a night, if it cannot be written
            if engine == "local":
                stats, whole = run_job(job, backend)
            else:
                stats, whole = _run_on_cluster(job, scheduler, servers)
    except (LinesError, DomainListError, ResultsError) as error:
        raise click.ClickException(str(error)) from None
    except ResolverError as error:
        raise click.UsageError(f"{error}: give one that does with --resolver ADDR[:PORT]") from None
    except OSError as error:
        raise click.ClickException(error.strerror or str(error)) from None
    return _tell_end(stats, results, summary, whole=whole)


def _fit_engine(
    engine: str, scheduler: str | None, backend: str, in_order: bool, results: Path | None
) -> None:
    """Refuse what only the other engine can do."""
    if engine == "local":
        if scheduler is not None:
            raise click.UsageError("--scheduler is for a cluster: give --engine dask as well")
        if results is not None and os.path.isdir(results):  # noqa: PTH112 - no error where the name is too long
            raise click.UsageError(f"{str(results)!r} is a folder: give the name of a file")
    elif backend != "asyncio":
        raise click.UsageError("--engine dask runs on asyncio: leave --backend out")
    elif in_order:
        raise click.UsageError(
            "--engine dask keeps the order within each part of the results: leave --in-order out"
        )


def _run_on_cluster(
    job: "Job", scheduler: str | None, servers: list[tuple[str | None, int]]
) -> tuple["ScanStats", bool]:
    try:
        from .scan.cluster import ClusterError, run_on_cluster
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"--engine dask needs Dask ({error.name} is missing): pip install 'checker-smtp[dask]'"
        ) from None
    try:
        return run_on_cluster(job, scheduler, tuple(servers))
    except ClusterError as error:
        raise click.ClickException(str(error)) from None


def _keep_apart(results: Path | None, *others: Path | None) -> None:
    """Refuse results that would take the place of something else, or be no file."""
    if results is None:
        return
    if results == Path("-"):
        raise click.UsageError("results can be gone on with, so they need a file: name one after -o")
    for other in filter(None, others):
        if os.path.realpath(results) == os.path.realpath(other):
            raise click.UsageError(
                f"{str(results)!r} cannot be the results and something else: give two files"
            )


def _settings(given: dict[str, Any]) -> "ScanSettings":
    from .scan.settings import ScanSettings

    return ScanSettings(
        options=options_from(_ANY, given),
        reuse=not given["no_reuse"],
        **{name: given[name] for name in _SETTINGS},
    )


def _stop_list(path: Path | None) -> "Exclusions":
    from checker_smtp.scan.politeness import Exclusions

    if path is None:
        return Exclusions()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise click.UsageError(f"the stop list {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeError:
        raise click.UsageError(f"the stop list {str(path)!r} is no text in UTF-8") from None
    return Exclusions(filter(None, (line.partition("#")[0].strip() for line in lines)))


def _tell_plan(listed: "DomainList", settings: "ScanSettings", exclusions: "Exclusions") -> int:
    from contextlib import closing

    from checker_smtp.scan.domain_list import entries
    from checker_smtp.scan.dry_run import dry_run
    from checker_smtp.scan.duplicate_filter import DuplicateFilter

    with closing(DuplicateFilter()) as seen, listed.names() as names:
        click.echo(dry_run(entries(names, exclusions, seen.add), settings), nl=False)
    return 0


def _tell_end(stats: "ScanStats", results: Path, summary: Path | None, *, whole: bool) -> int:
    found = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in stats.statuses.most_common())
    click.echo(
        f"{stats.done} domains, {stats.connections} connections: {found or 'nothing'}; in {results}", err=True
    )
    if not whole:
        click.echo("checker-smtp: interrupted; the same command with --resume goes on from here", err=True)
        return _INTERRUPTED
    if summary is not None:
        write_page(results, summary)
    return 0
