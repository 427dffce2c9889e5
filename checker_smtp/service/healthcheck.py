"""Asks a running service for its health, as a container's HEALTHCHECK does; the standard library only."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit, urlunsplit

__all__ = ["health_problem"]

_TIMEOUT = 5.0
_MAX_ANSWER = 65536


def health_problem(url: str) -> str:
    """What is wrong with the service at `url`, in one sentence; empty text where nothing is.

    A URL without a path means its `/health`. Raises ValueError where it is no http(s) URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL: give one such as http://localhost:8080")
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") or "/health"))
    # not through a proxy of the environment: it is this machine, or one next to it, that is asked
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
        return f"{target} does not answer as a checker does"
    return "" if status == "ok" else f"{target} says it is not well"
