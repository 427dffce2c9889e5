"""The owner of results: a random secret in a cookie, by which a browser may delete the results that it made.

The cookie is set with the first check. It is sent to this site only (SameSite=Strict), no script reads it
(HttpOnly), and it is of no use for anything else.
"""

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["new_secret", "remember_owner", "secret_of"]

_COOKIE = "checker_smtp_owner"
_LIFETIME = 400 * 86400  # seconds; browsers keep no cookie for longer
_SECRET = re.compile(r"[A-Za-z0-9_-]{22}")


def secret_of(request: Request) -> str:
    """Return the secret that the client has; empty if it has none."""
    secret = request.cookies.get(_COOKIE, "")
    return secret if _SECRET.fullmatch(secret) else ""


def new_secret() -> str:
    """Return a secret for a client that has none."""
    return secrets.token_urlsafe(16)


def remember_owner(response: Response, request: Request, secret: str) -> None:
    """Let the client keep its secret."""
    response.set_cookie(
        _COOKIE,
        secret,
        max_age=_LIFETIME,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
