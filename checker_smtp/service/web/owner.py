"""The owner of results: a random secret in a cookie, by which a browser may delete the results that it made.

The cookie is set with the first check. It is sent to this site only (SameSite=Strict), no script reads it
(HttpOnly), and it is of no use for anything else.
"""

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

from checker_smtp.history.store import KeptCheck
from checker_smtp.service.results import owner_of

__all__ = ["is_owner", "remember_owner", "secret_for"]

_COOKIE = "checker_smtp_owner"
_LIFETIME = 400 * 86400  # seconds; browsers keep no cookie for longer
_SECRET = re.compile(r"[A-Za-z0-9_-]{22}")


def secret_for(request: Request) -> str:
    """Return the secret that the client has, a new one if it has none."""
    return _secret_of(request) or secrets.token_urlsafe(16)


def is_owner(request: Request, kept: KeptCheck) -> bool:
    """Return whether the client made this check."""
    return bool(kept.owner) and owner_of(_secret_of(request)) == kept.owner


def _secret_of(request: Request) -> str:
    secret = request.cookies.get(_COOKIE, "")
    return secret if _SECRET.fullmatch(secret) else ""


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
