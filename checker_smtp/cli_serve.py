"""The commands of the service: `serve`, and `healthcheck` for container health checks.

Each option of `serve` is an environment variable as well; the option takes precedence over the variable.
"""

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .arguments import backend_option, print_notes, resolver_address

if TYPE_CHECKING:
    from .service.settings import ServiceSettings

__all__ = ["healthcheck", "serve"]

_PREFIX = "CHECKER_SMTP"
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
    token = os.environ.get(f"{_PREFIX}_TOKEN") if text is None else text
    if token == "":
        raise click.BadParameter("the token is empty: give one, or unset the variable to disable the token")
    return token or ""


def _require_number(_: click.Context, __: click.Parameter, seconds: float) -> float:
    # NaN passes the range, because each comparison with it is false
    if math.isnan(seconds):
        raise click.BadParameter("nan is not a number of seconds: give for example 30")
    return seconds


_option = partial(click.option, show_envvar=True, show_default=True)
_seconds = partial(_option, metavar="SECONDS", type=click.FloatRange(1, 3600), callback=_require_number)
_repeatable = partial(click.option, show_envvar=True, multiple=True)


@click.command(context_settings={"auto_envvar_prefix": _PREFIX})
@_option(
    "--listen",
    metavar="[HOST]:PORT",
    default="127.0.0.1:8080",
    callback=_parse_address,
    help="Address to listen on; :PORT means all addresses of this machine.",
)
@_option(
    "--metrics-listen",
    metavar="[HOST]:PORT",
    callback=_parse_address,
    help="Address to serve /metrics for Prometheus; off by default.",
)
@_option("--resolver", metavar="ADDR[:PORT]", help="DNS server to use in place of the system's.")
@_repeatable(
    "--allow-target",
    "allow_targets",
    metavar="CIDR",
    envvar=f"{_PREFIX}_ALLOW_TARGET",
    help="Also connect to addresses in this network, such as a lab; may be repeated.",
)
@backend_option("Event loop that checks run on.", show_envvar=True)
@_option(
    "--port",
    type=click.IntRange(1, 65535),
    default=25,
    # not CHECKER_SMTP_PORT, which Kubernetes sets to tcp://... for a service named checker-smtp
    envvar=f"{_PREFIX}_SMTP_PORT",
    allow_from_autoenv=False,
    help="Port of the mail servers.",
)
@_seconds("--max-timeout", default=30.0, help="The longest `timeout` in a request.")
@_seconds("--check-budget", default=110.0, help="Time for a whole check; happyDomain waits for 120.")
@_repeatable(
    "--allow-domain",
    "allow_domains",
    metavar="PATTERN",
    envvar=f"{_PREFIX}_ALLOW_DOMAIN",
    help="Check only this domain, or the ones below it (*.example.com); may be repeated.",
)
@click.option(
    "--token",
    metavar="SECRET",
    show_envvar=True,
    callback=_require_token,
    help="Require this token; other users can see the option, but not the variable.",
)
@_option("--rate-client", metavar="RATE", default="30/minute", help="Limit for one client address, or none.")
@_option("--rate-domain", metavar="RATE", default="10/minute", help="Limit for one domain, or none.")
@_option(
    "--rate-storage",
    metavar="URL",
    default="memory://",
    help="Store for the rates: memory:// or redis://HOST:PORT.",
)
@_option("--max-checks", type=click.IntRange(1), default=20, help="Concurrent checks.")
@_option(
    "--max-checks-per-client", type=click.IntRange(1), default=10, help="Concurrent checks of one client."
)
@_repeatable(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="CIDR",
    envvar=f"{_PREFIX}_TRUSTED_PROXY",
    help="Trust the client address from proxies in this network; may be repeated.",
)
@_repeatable(
    "--frame-ancestors",
    metavar="ORIGIN",
    help="Allow pages of this site to show the page in a frame; may be repeated.",
)
@_option("--log-json", is_flag=True, help="Log one JSON object on each line.")
def serve(resolver: str | None, **given: Any) -> None:
    """Serve happyDomain's protocol and a web page over HTTP.

    The variable of a repeatable option has its values separated by spaces. After SIGTERM running checks may
    finish for some seconds.
    """
    from .service.settings import ServiceSettings, SettingError

    settings = ServiceSettings(resolver=resolver_address(resolver), resolver_name=resolver or "", **given)
    _require_valid_options(settings)
    _require_resolver(settings)
    try:
        from .service.server import serve
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


def _require_resolver(settings: "ServiceSettings") -> None:
    """Print what the system's configuration lacks. Raises `ResolverUnavailable` where it cannot be read."""
    from checker_smtp.backends.dns.resolver import DnsResolver

    print_notes(DnsResolver(*settings.resolver).notes)


def _require_valid_options(settings: "ServiceSettings") -> None:
    """Validate at the start the options that all checks share. Raises `OptionError`."""
    from checker_smtp.probes.options import Options

    Options(domain="example.com", port=settings.port, allow_targets=settings.allow_targets)


@click.command()
@click.argument("url", metavar="URL")
def healthcheck(url: str) -> int:
    """Check the health of the service at URL, such as http://localhost:8080.

    The exit code is 0 if the service is healthy, and 1 if it is not or does not answer.
    """
    from checker_smtp.report.visible import visible

    from .service.healthcheck import health_problem

    try:
        problem = health_problem(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if problem:
        click.echo(f"checker-smtp: {visible(problem)}", err=True)
    return 1 if problem else 0
