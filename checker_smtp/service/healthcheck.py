"""Request `/health` from a running service, as a container's HEALTHCHECK does; standard library only."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit, urlunsplit

__all__ = ["health_problem"]

_TIMEOUT = 5.0
_MAX_ANSWER = 65536


def health_problem(url: str) -> str:
    """Return the problem of the service at `url` as one sentence; empty text if it is healthy.

    A URL without a path means its `/health`. Raises ValueError if `url` is not an http(s) URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL: give for example http://localhost:8080")
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") or "/health"))
    # without the proxy in the environment, because the service runs on this machine or next to it
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(target, timeout=_TIMEOUT) as answer:
            status = json.loads(answer.read(_MAX_ANSWER))["status"]
    except urllib.error.HTTPError as error:
        return f"{target} answers {error.code}"
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return f"{target} does not answer ({getattr(reason, 'strerror', None) or reason})"
    except (ValueError, TypeError, KeyError):
        return f"{target} does not answer like checker-smtp"
    return "" if status == "ok" else f"{target} reports that it is not healthy"
