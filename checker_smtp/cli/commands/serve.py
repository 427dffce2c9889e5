"""The command `serve`: happyDomain's protocol and the web page.

Each option is an environment variable as well; the option takes precedence over the variable.
"""

import math
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from checker_smtp.cli.arguments import (
    backend_option,
    field_option,
    print_notes,
    resolver_address,
    resolver_option,
)
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.decisions import current_policy
from checker_smtp.cli.source_address import source_option
from checker_smtp.service.settings import ServiceSettings

__all__ = ["serve"]

_EXTRA = ("h11", "limits", "starlette", "uvicorn")


def _parse_address(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, int] | None:
    """Parse `:8080`, `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080` into host and port."""
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (
        not colon
        or not (port.isascii() and port.isdecimal())
        or int(port) > 65535
        or (":" in bare) != (bare != host)
    ):
        raise click.BadParameter(
            f"{text!r} is not an address to listen on: give for example :8080, 127.0.0.1:8080 or [::1]:8080"
        )
    return bare, int(port)


def _require_token(_: click.Context, __: click.Parameter, text: str | None) -> str:
    # click treats an empty variable as not set, which would turn authentication off
    token = os.environ.get("CHECKER_SMTP_TOKEN") if text is None else text
    if token == "":
        raise click.BadParameter("the token is empty: give one, or unset the variable to disable the token")
    return token or ""


def _require_number(_: click.Context, __: click.Parameter, number: float) -> float:
    # NaN passes the range, because each comparison with it is false
    if math.isnan(number):
        raise click.BadParameter("nan is not a number: give for example 30")
    return number


def _require_uri(_: click.Context, __: click.Parameter, text: str) -> str:
    if text and not re.fullmatch(r"(mailto:|https://|tel:)[!-~]{1,200}", text):
        raise click.BadParameter(f"{text!r} is no contact: give for example mailto:postmaster@example.org")
    return text


_option = partial(field_option, ServiceSettings, show_envvar=True)
_seconds = partial(_option, metavar="SECONDS", type=click.FloatRange(1, 3600), callback=_require_number)


@click.command(cls=ConfiguredCommand)
@_option(
    "listen",
    "Address to listen on; :PORT means all addresses of this machine.",
    metavar="[HOST]:PORT",
    type=str,
    default="{}:{}".format(*ServiceSettings().listen),
    callback=_parse_address,
)
@_option(
    "metrics_listen",
    "Address to serve /metrics for Prometheus; off by default.",
    metavar="[HOST]:PORT",
    type=str,
    callback=_parse_address,
)
@resolver_option(show_envvar=True)
@_option(
    "allow_targets",
    "Also connect to addresses in this network, such as a lab; may be repeated.",
    "--allow-target",
    metavar="CIDR",
)
@source_option(show_envvar=True)
@backend_option("Event loop that checks run on.", show_envvar=True)
@_option(
    "port",
    "Port of the mail servers.",
    type=click.IntRange(1, 65535),
)
@_option(
    "helo_name",
    "Host name in EHLO; it should resolve to the address of this machine, and back.",
    metavar="NAME",
)
@_option(
    "test_probe_address",
    "Recipient at another domain for the open relay test.",
    metavar="ADDRESS",
)
@_seconds("max_timeout", "The longest `timeout` in a request.")
@_seconds("check_budget", "Time for a whole check; happyDomain waits for 120.")
@_option(
    "allow_domains",
    "Check only this domain, or the ones below it (*.example.com); may be repeated.",
    "--allow-domain",
    metavar="PATTERN",
)
@_option(
    "token",
    "Require this token; other users can see the option, but not the variable.",
    metavar="SECRET",
    default=None,
    callback=_require_token,
)
@_option("rate_client", "Limit for one client address, or none.", metavar="RATE")
@_option("rate_domain", "Limit for one domain, or none.", metavar="RATE")
@_option("rate_address", "Limit for one address of a mail server, or none.", metavar="RATE")
@_option("rate_provider", "Limit for the mail servers of one registered domain, or none.", metavar="RATE")
@_option("rate_storage", "Store for the rates: memory:// or redis://HOST:PORT.", metavar="URL")
@_option("max_checks", "Concurrent checks.", type=click.IntRange(1))
@_option("max_checks_per_client", "Concurrent checks of one client.", type=click.IntRange(1))
@_option(
    "protocol_from",
    "Serve happyDomain's protocol to this network too, besides private ones; may be repeated.",
    metavar="CIDR",
)
@_option(
    "allow_hosts",
    "Serve requests for this host name only; may be repeated. On loopback the default is localhost.",
    "--allow-host",
    metavar="NAME",
)
@_option(
    "trusted_proxies",
    "Trust the client address from proxies in this network; may be repeated.",
    "--trusted-proxy",
    metavar="CIDR",
)
@_option(
    "frame_ancestors",
    "Allow pages of this site to show the page in a frame; may be repeated.",
    metavar="ORIGIN",
)
@_option(
    "store",
    "Keep results in this file; without it they are kept in memory, for an hour.",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
)
@_option(
    "keep",
    "Days to keep results in the file.",
    metavar="DAYS",
    type=click.FloatRange(0.04, 3650),
    callback=_require_number,
)
@_option("keep_mib", "MiB that all results in the file may have.", metavar="MIB", type=click.IntRange(1))
@_option("contact", "Address for people who find the checker in a log.", metavar="URI", callback=_require_uri)
@_option("log_json", "Log one JSON object on each line.")
def serve(resolver: str | None, **given: Any) -> None:
    """Serve happyDomain's protocol and a web page over HTTP.

    The variable of a repeatable option has its values separated by spaces. After SIGTERM running checks may
    finish for some seconds.

    The exit code is 0 after a signal, and 3 if a setting is wrong or the address cannot be listened on.
    """
    from checker_smtp.backends.dns.resolver import DnsResolver
    from checker_smtp.probes.options import Options
    from checker_smtp.service.settings import SettingError

    settings = ServiceSettings(
        resolver=resolver_address(resolver), resolver_name=resolver or "", policy=current_policy(), **given
    )
    # the options and the resolver that all checks share are validated at the start
    Options(
        domain="example.com",
        port=settings.port,
        allow_targets=settings.allow_targets,
        helo_name=settings.helo_name,
        test_probe_address=settings.test_probe_address,
    )
    print_notes(DnsResolver(*settings.resolver).notes)
    try:
        from checker_smtp.service.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise click.ClickException(
            f"the service needs the package {error.name}: pip install 'checker-smtp[server]'"
        ) from None
    try:
        serve(settings)
    except SettingError as error:
        raise click.UsageError(str(error)) from None
