"""The command `check`: one domain, with every problem in its report."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from checker_smtp.cli.arguments import (
    backend_option,
    dns_timeout,
    print_notes,
    resolver_address,
    resolver_option,
)
from checker_smtp.cli.check_options import check_options, options_from
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.output import Output, is_terminal
from checker_smtp.cli.report import report_options, write_report

if TYPE_CHECKING:
    from checker_smtp.api import Backend, RunContext
    from checker_smtp.probes.options import Options
    from checker_smtp.probes.result import Result

__all__ = ["check"]


@click.command(cls=ConfiguredCommand)
@click.argument("domain")
@report_options
@check_options
@resolver_option()
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Record the whole check in this new folder, for replay.",
)
@backend_option()
def check(
    domain: str,
    form: str,
    output: Output,
    backend: str,
    resolver: str | None,
    record: Path | None,
    **given: Any,
) -> int:
    """Check whether DOMAIN can receive mail."""
    options = options_from(domain, given)
    server = resolver_address(resolver)

    # imported after the arguments are checked, so that a typing error is reported at once
    from checker_smtp.api import RunContext
    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.backends.network import Network
    from checker_smtp.backends.recording.case import require_empty
    from checker_smtp.backends.recording.record_backend import Recording

    asked = DnsResolver(*server, dns_timeout())
    print_notes(asked.notes)
    network = Network(asked)
    if record is not None:
        require_empty(record)
    recording = Recording(network)
    context = RunContext()
    result = _run(options, recording if record else network, resolver or "", backend, context)
    if record is not None:
        recording.save(record, options, result, seed=context.seed)
    return write_report(result, form, output)


def _run(
    options: "Options", backend: "Backend", resolver_name: str, loop: str, context: "RunContext"
) -> "Result":
    import anyio

    from checker_smtp import api
    from checker_smtp.probes.check import ResolverError

    run = partial(api.check, resolver_name=resolver_name, context=context)
    try:
        if not is_terminal(sys.stderr):
            return anyio.run(run, options, backend, backend=loop)
        from rich.console import Console

        from checker_smtp.cli.progress import Progress

        with Progress(backend, Console(stderr=True)) as progress:
            return anyio.run(partial(run, pause=progress.pause), options, progress, backend=loop)
    except ResolverError as error:
        raise click.UsageError(
            f"the resolver {resolver_name or 'of this system'} {error.problem} ({error.detail}): "
            "give another one with --resolver ADDR[:PORT]"
        ) from None
