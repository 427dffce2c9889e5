"""The command `check`: one domain or several, with every problem in the report."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from checker_smtp.cli.arguments import (
    INTERRUPTED,
    backend_option,
    dns_timeout,
    field_option,
    print_notes,
    resolver_address,
    resolver_option,
)
from checker_smtp.cli.check_options import check_options, mail_servers, options_from
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.decisions import accept_option, decided
from checker_smtp.cli.kept_checks import history_option, open_for_checks, report_kept
from checker_smtp.cli.output import print_error
from checker_smtp.cli.report import report_options, report_target
from checker_smtp.cli.source_address import source_option
from checker_smtp.probes.options import Options
from checker_smtp.report.visible import visible

if TYPE_CHECKING:
    from checker_smtp.probes.rules import Acceptance

__all__ = ["check"]


@click.command(cls=ConfiguredCommand)
@click.argument("domains", metavar="DOMAIN...", nargs=-1, required=True)
@report_options
@check_options
@field_option(
    Options,
    "mx",
    "Mail server to check in place of those of the MX records, which are not asked for; may be repeated.",
    metavar="HOST|ADDRESS[:PORT]",
)
@field_option(
    Options,
    "check_budget",
    "Time for the whole check, without the wait of --retry-deferred.",
    metavar="SECONDS",
)
@source_option()
@resolver_option()
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Record the whole check in this new folder, for replay; several domains in a folder each.",
)
@accept_option
@history_option("Keep the check in FILE, for `history` and --changes-only; not with --mx.")
@click.option(
    "--changes-only",
    is_flag=True,
    help="Report what changed since the last check, and nothing if nothing did.",
)
@backend_option()
def check(
    domains: tuple[str, ...],
    form: str | None,
    path: Path | None,
    backend: str,
    resolver: str | None,
    record: Path | None,
    source_address: str | None,
    accepted: "tuple[Acceptance, ...]",
    history_file: Path | None,
    changes_only: bool,
    **given: Any,
) -> int:
    """Check whether each DOMAIN can receive mail.

    Several domains are checked together, under the limits of one check. The exit code is that of the worst
    one: 0 ok, 1 warnings, 2 critical findings, 3 unknown or wrong usage; 130 after Ctrl-C, which prints what
    was learnt. With --changes-only it is that of what got worse, 0 if nothing did.
    """
    for address in (domain for domain in domains if "@" in domain):
        raise click.UsageError(
            f"{address!r} is an e-mail address: to check its domain, type checker-smtp check "
            f"{address.rpartition('@')[2]}"
        )
    given |= mail_servers(given["mx"], given["port"])
    options = [options_from(domain, given, source_address) for domain in domains]
    names = [one.domain for one in options]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise click.UsageError(f"{twice[0]!r} is given {names.count(twice[0])} times: give each domain once")
    several = len(options) > 1
    server = resolver_address(resolver)
    target = report_target(form, path, several=several)
    # servers that are not those of the MX records are not compared with them
    kept_in = None if given["mx"] else history_file
    history = open_for_checks(kept_in, target, changes_only=changes_only)

    # imported after the arguments are checked, so that a typing error is reported at once
    from checker_smtp.backends.dns.cache import SharedResolver
    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.backends.network import Network
    from checker_smtp.cli.checks import CheckRun
    from checker_smtp.cli.helo import is_helo_name_given, own_helo_name

    asked = DnsResolver(*server, dns_timeout())
    print_notes(asked.notes)
    network = Network(SharedResolver([asked]) if several else asked, source_address=source_address)
    checks = CheckRun(
        options=options,
        backend=network,
        resolver_name=resolver or "",
        record=record,
        find_sources=network.find_sources,
        helo_name=None if is_helo_name_given() else partial(own_helo_name, asked, source_address),
    )
    code = INTERRUPTED
    with closing(checks.results):
        is_complete = checks.run(backend)
        if results := decided(checks.results, accepted):
            if history is not None:
                code = report_kept(history, results, target, several=several, changes_only=changes_only)
            else:
                code = target.write(results, several=several)
    if not is_complete:
        for line in checks.unfinished:
            print_error(f"interrupted: {visible(line)}")
    if checks.unrecorded is not None:
        raise checks.unrecorded
    return code if is_complete else INTERRUPTED
