"""The head of a request: its framing, its size, and the name that it uses for this service.

A request with two lengths may end elsewhere for a proxy than for this service, which is how a second request
is smuggled past the proxy's rules (RFC 9112 §6.1, §11.2). The connection is closed, because it is unknown
where the next request begins.

A page may make its own name resolve to the address of this service (DNS rebinding); the browser then sees one
site, and lets the page read the responses. Such a request contains the page's name in Host. So on loopback
only localhost names are served, and elsewhere the names in `--allow-host` if there are any. Addresses are
always served: no page has one of this machine for a name.
"""

import ipaddress
import re

from starlette.types import Scope

from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.service.settings import ServiceSettings, SettingError

from .errors import ErrorResponse
from .forwarded import parse_address

__all__ = ["MAX_HEAD", "RequestHead"]

MAX_HEAD = 16 * 1024
"""Octets of the target and the header fields of a request, and of the extensions of one chunk."""

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+])(:\d{1,5})?")
_CLOSE = {"Connection": "close"}


class RequestHead:
    """Refuses requests without a valid head. Raises `SettingError`."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._names = frozenset(map(_name, settings.allow_hosts))
        self._any_name = not (self._names or _is_loopback(settings.listen[0]))

    def refusal(self, scope: Scope) -> ErrorResponse | None:
        """Return the refusal of a request, None for one to serve."""
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers and (
            b"content-length" in headers or scope["http_version"] == "1.0"
        ):
            return ErrorResponse(
                400,
                "the length of the body is ambiguous: send Content-Length, or chunks with HTTP/1.1",
                _CLOSE,
            )
        if _head_size(scope) > MAX_HEAD:
            return ErrorResponse(
                431, f"the header of the request is too large: send at most {MAX_HEAD} octets", _CLOSE
            )
        host = _HOST.fullmatch(headers.get(b"host", b"localhost").decode("latin-1"))
        if host is None:
            return ErrorResponse(400, "the Host header is not a host name: send HOST or HOST:PORT")
        if not self._serves(host[1].lower().removesuffix(".")):
            return ErrorResponse(
                421, "this service has another name: use its address, or start it with --allow-host NAME"
            )
        return None

    def _serves(self, name: str) -> bool:
        return (
            self._any_name
            or name in self._names
            or _is_localhost(name)
            or bool(parse_address(name.strip("[]")))
        )


def _name(text: str) -> str:
    try:
        return host_name("allow-host", text)
    except OptionError as error:
        raise SettingError(str(error)) from None


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if parse_address(host) else _is_localhost(host.lower())


def _is_localhost(name: str) -> bool:
    # RFC 6761 §6.3: no resolver asks anybody for these names
    return name == "localhost" or name.endswith(".localhost")


def _head_size(scope: Scope) -> int:
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return target + sum(len(name) + len(value) + 4 for name, value in scope["headers"])
