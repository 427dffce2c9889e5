"""The commands of the service: `serve`, and `healthcheck` for whoever watches it.

Each option of `serve` is a variable of the environment too, and where both are given the option wins.
"""

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .arguments import backend_option, resolver_address

if TYPE_CHECKING:
    from .service.settings import ServiceSettings

__all__ = ["healthcheck", "serve"]

_PREFIX = "CHECKER_SMTP"
_EXTRA = ("h11", "limits", "starlette", "uvicorn")


def _address(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, int] | None:
    """(host, port) of `:8080`, `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`."""
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
            f"{text!r} is no address to listen on: give such as :8080, 127.0.0.1:8080 or [::1]:8080"
        )
    return bare, int(port)


def _token(_: click.Context, __: click.Parameter, text: str | None) -> str:
    # an empty variable is for click one that is not set; here that would leave the door open
    given = os.environ.get(f"{_PREFIX}_TOKEN") if text is None else text
    if given == "":
        raise click.BadParameter(
            "the token is empty: give one, or nothing at all where none is to be asked for"
        )
    return given or ""


def _finite(_: click.Context, __: click.Parameter, seconds: float) -> float:
    # a comparison with NaN is never true, so no range keeps it out
    if math.isnan(seconds):
        raise click.BadParameter("give seconds")
    return seconds


_option = partial(click.option, show_envvar=True, show_default=True)
_seconds = partial(_option, metavar="SECONDS", type=click.FloatRange(1, 3600), callback=_finite)
_many = partial(click.option, show_envvar=True, multiple=True)


@click.command(context_settings={"auto_envvar_prefix": _PREFIX})
@_option(
    "--listen",
    metavar="[HOST]:PORT",
    default="127.0.0.1:8080",
    callback=_address,
    help="Where to answer; :PORT is every address of this machine.",
)
@_option(
    "--metrics-listen",
    metavar="[HOST]:PORT",
    callback=_address,
    help="Answer /metrics there, for Prometheus; nowhere by default.",
)
@_option("--resolver", metavar="ADDR[:PORT]", help="DNS server to ask instead of the system's.")
@_many(
    "--allow-target",
    "allow_targets",
    metavar="CIDR",
    envvar=f"{_PREFIX}_ALLOW_TARGET",
    help="Dial addresses in this network though not public, as in a lab; may be repeated.",
)
@backend_option("Event loop that checks run on.", show_envvar=True)
@_option(
    "--port",
    type=click.IntRange(1, 65535),
    default=25,
    # not CHECKER_SMTP_PORT: Kubernetes sets that one, to tcp://..., where a service is called checker-smtp
    envvar=f"{_PREFIX}_SMTP_PORT",
    allow_from_autoenv=False,
    help="Where the mail servers listen.",
)
@_seconds("--max-timeout", default=30.0, help="The longest `timeout` that a request may ask for.")
@_seconds("--check-budget", default=110.0, help="What a whole check may take; happyDomain waits for 120.")
@_many(
    "--allow-domain",
    "allow_domains",
    metavar="PATTERN",
    envvar=f"{_PREFIX}_ALLOW_DOMAIN",
    help="Check this domain only, or those below it (*.example.com); may be repeated.",
)
@click.option(
    "--token",
    metavar="SECRET",
    show_envvar=True,
    callback=_token,
    help="Answer only who knows it; the variable is not seen by other users, the option is.",
)
@_option("--rate-client", metavar="RATE", default="30/minute", help="Checks for one client address, or none.")
@_option("--rate-domain", metavar="RATE", default="10/minute", help="Checks of one domain, or none.")
@_option(
    "--rate-storage", metavar="URL", default="memory://", help="Where rates are kept: redis://HOST:PORT."
)
@_option("--max-checks", type=click.IntRange(1), default=20, help="Checks at the same time.")
@_option("--max-checks-per-client", type=click.IntRange(1), default=10, help="The same, for one client.")
@_many(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="CIDR",
    envvar=f"{_PREFIX}_TRUSTED_PROXY",
    help="Believe what a proxy there says of who asks; may be repeated.",
)
@_many(
    "--frame-ancestors",
    metavar="ORIGIN",
    help="Let pages of this site show the page in a frame; may be repeated.",
)
@_option("--log-json", is_flag=True, help="Log one JSON object a line.")
def serve(resolver: str | None, **given: Any) -> None:
    """Answer happyDomain, and people with a browser, over HTTP.

    Options that may be repeated take their values from the variable separated by spaces. SIGTERM ends it:
    what runs may finish for some seconds.
    """
    from .service.settings import ServiceSettings, SettingError

    settings = ServiceSettings(resolver=resolver_address(resolver), resolver_name=resolver or "", **given)
    _require_dialable(settings)
    try:
        from .service.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise click.ClickException(
            f"the service needs {error.name}, which is not installed: pip install 'checker-smtp[server]'"
        ) from None
    try:
        serve(settings)
    except SettingError as error:
        raise click.UsageError(str(error)) from None


def _require_dialable(settings: "ServiceSettings") -> None:
    """Refuse now what every check would be refused for. Raises OptionError."""
    from checker_smtp.probes.options import Options

    Options(domain="example.com", port=settings.port, allow_targets=settings.allow_targets)


@click.command()
@click.argument("url", metavar="URL")
def healthcheck(url: str) -> int:
    """Ask the service at URL, such as http://localhost:8080, how it is.

    The exit code is 0 where it is well, and 1 where it is not or does not answer.
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
