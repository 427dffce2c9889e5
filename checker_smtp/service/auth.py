"""Which requests get in: a Host that is one, the token where one is set, nothing that another site sent.

The token is taken as a bearer's, for programs, or as the password of HTTP Basic with any user name, for
browsers, which then ask for it. Only its digest is kept, and digests are compared, in constant time, so
neither its length nor its beginning can be learnt from how long the answer takes.

A browser sends what another site told it to, with the credentials it has for this one. So what changes
something, or makes work, is refused where the browser says that another origin sent it: by `Sec-Fetch-Site`,
and by `Origin` where that is all there is (an older browser, or HTTP without TLS). A program says
neither, and is let through. That asks for no cookie and no hidden field, of which there are none here.
"""

import base64
import binascii
import hashlib
import hmac
import re
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from .responses import send_error

__all__ = ["Auth"]

_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+])(:\d{1,5})?")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# what asks for health must not need a secret
_OPEN = ("/health",)


class Auth:
    """Lets requests through to `app`; `token` is empty where none is asked for."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._digest = _digest(token.encode()) if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not _HOST.fullmatch(headers.get(b"host", b"localhost")):
            await send_error(send, 400, "the Host header names no host")
        elif not self._knows(scope["path"], headers.get(b"authorization", b"")):
            # Basic alone: browsers differ in what they make of two challenges
            challenge = 'Basic realm="checker-smtp", charset="UTF-8"'
            message = "this service wants its token: as a bearer's, or as the password of Basic"
            await send_error(send, 401, message, www_authenticate=challenge)
        elif scope["method"] not in _SAFE_METHODS and _is_cross_site(headers):
            await send_error(
                send, 403, "this was sent by a page of another site: open this service's own page"
            )
        else:
            await self._app(scope, receive, send)

    def _knows(self, path: str, authorization: bytes) -> bool:
        if self._digest is None or path in _OPEN:
            return True
        return hmac.compare_digest(_digest(_credential(authorization)), self._digest)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _credential(authorization: bytes) -> bytes:
    """The token in an Authorization header; empty where there is none, and the empty token never fits."""
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
    # a proxy may have taken the TLS off, so schemes cannot be compared
    return netloc.lower() != headers.get(b"host", b"").lower()
