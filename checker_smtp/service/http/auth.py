"""Authentication: the token where one is set, and no request that another site sent.

The token is accepted as a bearer token (RFC 6750), for programs, or as the password of HTTP Basic (RFC 7617)
with any user name, for browsers, which then prompt for it. Only its digest is kept, and digests are compared
in constant time, so the response time reveals neither the length of the token nor its beginning.

A browser sends a request on behalf of another site with the credentials it has for this one. A request that
is not safe (RFC 9110 §9.2.1) is therefore refused if the browser reports another origin: in `Sec-Fetch-Site`,
or in `Origin` where the former is missing (an older browser, or HTTP without TLS). A program sends neither
header and is admitted. So no secret in a cookie or a hidden field is needed against it.
"""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.types import Scope

from .errors import ErrorResponse

__all__ = ["Auth"]

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# a health probe must not need a secret
_PUBLIC_PATHS = ("/health", "/ready", "/.well-known/security.txt")


class Auth:
    """Refuses requests that are not authorised; an empty `token` admits everybody."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token.encode()) if token else None

    def refusal(self, scope: Scope) -> ErrorResponse | None:
        """Return the refusal of a request, None for one to serve."""
        headers = dict(scope["headers"])
        if not self._is_authorised(scope["path"], headers.get(b"authorization", b"")):
            return ErrorResponse(
                401,
                "the token is missing or wrong: send it as a bearer token, or as the password of HTTP Basic",
                # Basic alone, because browsers disagree on how to handle two challenges
                {"WWW-Authenticate": 'Basic realm="checker-smtp", charset="UTF-8"'},
            )
        if scope["method"] not in _SAFE_METHODS and _is_cross_site(headers):
            return ErrorResponse(
                403, "the request came from a page of another site: open this service's own page"
            )
        return None

    def _is_authorised(self, path: str, authorization: bytes) -> bool:
        if self._digest is None or path in _PUBLIC_PATHS:
            return True
        return hmac.compare_digest(_digest(_credential(authorization)), self._digest)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _credential(authorization: bytes) -> bytes:
    """Return the token in an Authorization header; without one empty bytes, which match no token."""
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _is_cross_site(headers: dict[bytes, bytes]) -> bool:
    if site := headers.get(b"sec-fetch-site"):
        return site not in (b"same-origin", b"none")
    if not (origin := headers.get(b"origin")):
        return False
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return True
    # the schemes are not compared, because a proxy may terminate TLS
    return netloc.lower() != headers.get(b"host", b"").lower()
