"""The command `healthcheck`, for the health check of a container."""

import json
from urllib.parse import urlsplit, urlunsplit

import click

__all__ = ["healthcheck"]

_TIMEOUT = 5.0
_MAX_ANSWER = 65536


@click.command()
@click.argument("url", metavar="URL")
def healthcheck(url: str) -> int:
    """Check the health of the service at URL, such as http://localhost:8080.

    The exit code is 0 if the service is healthy, and 1 if it is not or does not answer.
    """
    from checker_smtp.report.visible import visible

    try:
        parts = urlsplit(url)
        # read here, because a port out of range is an error of its reading
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"{url!r} is not a URL: give for example http://localhost:8080")
    # a URL without a path means its /health
    problem = _problem(urlunsplit(parts._replace(path=parts.path.rstrip("/") or "/health")))
    if problem:
        click.echo(f"checker-smtp: {visible(problem)}", err=True)
    return 1 if problem else 0


def _problem(url: str) -> str:
    """Return the problem of the service as one sentence; empty text if it is healthy."""
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    # without the proxy in the environment, because the service runs on this machine or next to it
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            status = json.loads(answer.read(_MAX_ANSWER))["status"]
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return f"{url} does not answer ({getattr(reason, 'strerror', None) or reason})"
    except (ValueError, TypeError, KeyError):
        return f"{url} does not answer like checker-smtp"
    return "" if status == "ok" else f"{url} reports that it is not healthy"
