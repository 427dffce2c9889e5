"""The resolvers of this system: resolv.conf(5), read as the C library reads it.

Its first three servers are asked, and 127.0.0.1 where it names none or is missing: a host that works so with
all other programs works with this one. A line that names no address costs that line and a note. Beyond the C
library, a keyword may be indented, a server that is named twice counts once, and a link-local address
without its interface, which cannot be reached, is left out.

Not here: a search list (every name asked for is complete), and other options than `timeout`, `attempts` and
`rotate`.
"""

import re
import socket
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from checker_smtp.backends.transport.transport import interface_index

__all__ = ["ResolverUnavailable", "SystemConfig", "read_system_config"]

_PATH = Path("/etc/resolv.conf")
# glibc's MAXNS, RES_MAXRETRANS (seconds) and RES_MAXRETRY.
_MAX_SERVERS = 3
_MAX_TIMEOUT = 30
_MAX_ATTEMPTS = 5
_DEFAULT = "127.0.0.1"
# Octets: a file of ten lines is usual.
_MAX_FILE = 64 * 1024
_MAX_NOTES = 10


class ResolverUnavailable(ValueError):  # noqa: N818 - a state of this host, in one sentence
    """No resolver can be asked: none is configured here, or the one given is no address."""


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """The servers by address, at least one; seconds for one try and tries for each server, None by default.

    `rotate` is True where each question begins with the next server. `notes` has a sentence for each line
    that could not be followed.
    """

    servers: tuple[str, ...]
    timeout: int | None = None
    attempts: int | None = None
    rotate: bool = False
    notes: tuple[str, ...] = ()


def read_system_config(path: Path = _PATH) -> SystemConfig:
    """Read the configuration in the file `path`. Raises `ResolverUnavailable` where it cannot be read."""
    if sys.platform == "win32":
        return _of_registry()
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).decode("latin-1")
    except FileNotFoundError:
        note = f"{path} is missing: asking {_DEFAULT}, as the system does"
        return SystemConfig((_DEFAULT,), notes=(note,))
    except OSError as error:
        raise ResolverUnavailable(
            f"{path} cannot be read ({error.strerror}): name a resolver, as in --resolver 9.9.9.9"
        ) from None
    return _parse(text, path)


def _parse(text: str, path: Path) -> SystemConfig:
    servers: dict[str, None] = {}
    options: dict[str, str] = {}
    skipped: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        match re.split("[#;]", line, maxsplit=1)[0].split():
            case ["nameserver", *rest]:
                try:
                    servers[_address(rest[0] if rest else "")] = None
                except ValueError as error:
                    skipped.append(f"{path}, line {number}, is skipped: {error}")
            case ["options", *rest]:
                options |= {name: value for name, _, value in (word.partition(":") for word in rest)}
    notes = skipped[:_MAX_NOTES]
    if not servers:
        notes.append(f"{path} names no server: asking {_DEFAULT}, as the system does")
    if len(servers) > _MAX_SERVERS:
        notes.append(
            f"{path} names {len(servers)} servers: asking the first {_MAX_SERVERS}, as the system does"
        )
    return SystemConfig(
        tuple(servers)[:_MAX_SERVERS] or (_DEFAULT,),
        timeout=_number(options.get("timeout", ""), _MAX_TIMEOUT),
        attempts=_number(options.get("attempts", ""), _MAX_ATTEMPTS),
        rotate="rotate" in options,
        notes=tuple(notes),
    )


def _address(text: str) -> str:
    """Return the address that the C library reads in `text`. Raises ValueError, in a sentence, for none."""
    if not text:
        raise ValueError("it names no server")
    address, _, interface = text.partition("%")
    try:
        # inet_aton reads 127.1 as the C library does
        ip = ip_address(address if ":" in address else socket.inet_aton(address))
    except (OSError, ValueError):
        raise ValueError(f"{text[:100]!r} is no IP address") from None
    if interface:
        try:
            interface_index(interface)
        except OSError:
            raise ValueError(f"there is no interface {interface[:100]!r} here") from None
        return f"{ip}%{interface}"
    if ip.version == 6 and ip.is_link_local:
        raise ValueError(f"{text!r} is link-local and needs its interface, as in {text}%eth0")
    return str(ip)


def _number(text: str, largest: int) -> int | None:
    """Return a number of 1 or more, at most `largest`; None where the option is missing or senseless."""
    return min(int(text), largest) or None if re.fullmatch("[0-9]{1,9}", text) else None


def _of_registry() -> SystemConfig:
    """Return the resolvers that Windows is configured with."""
    import dns.resolver  # late: it loads transports that nothing here uses

    try:
        return SystemConfig(tuple(str(server) for server in dns.resolver.Resolver().nameservers))
    except (dns.resolver.NoResolverConfiguration, OSError, ValueError) as error:
        raise ResolverUnavailable(
            f"no DNS resolver is configured here ({error}): name one, as in --resolver 9.9.9.9"
        ) from None
