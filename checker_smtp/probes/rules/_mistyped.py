"""How an MX target that leads nowhere was mistyped, and the record as it should be.

These are the commonest faults of MX records. Zone files and control panels cause them: a name without the
final dot gets the zone appended, a field takes the preference and the name together, or takes a URL, an
e-mail address, a blank or letters outside ASCII as they are (RFC 1035 §5.1).
"""

import re
from ipaddress import IPv4Address
from typing import NamedTuple

from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.registered_domain import has_public_suffix, registered_domain

__all__ = ["Mistyped", "read_mistyped"]

_escape = re.compile(r"\\(?:([0-9]{3})|(.))", re.DOTALL)
_with_number = re.compile(r"([0-9]{1,5})\s+(\S.*)").fullmatch
_with_digits = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})\.(.+)").fullmatch


class Mistyped(NamedTuple):
    """The cause as a sentence, and the record as it should be."""

    cause: str
    record: str


def read_mistyped(target: str, preference: int, domain: str) -> Mistyped | None:
    """Return how `target`, a name in presentation format that has no address, was mistyped; None if unknown.

    `preference` is that of the MX record, `domain` the one that publishes it.
    """
    octets = _escape.sub(lambda match: chr(int(match[1])) if match[1] else match[2], target)
    name = octets.strip()
    if match := _with_number(name):
        cause = f"The preference ({match[1]}) and a blank stand in front of the name, as part of it."
        return Mistyped(cause, _record(int(match[1]), match[2]))
    if "://" in name:
        host = name.partition("://")[2].partition("/")[0]
        return Mistyped("The target is a URL, not a host name.", _record(preference, host))
    if "@" in name:
        return _address_sign(name, preference, domain)
    if not octets.isascii():
        return _not_ascii(name, preference)
    if name != octets:
        return Mistyped("A blank stands before or behind the name, as part of it.", _record(preference, name))
    return _appended_zone(name, preference, domain)


def _record(preference: int, name: str) -> str:
    return f"MX {preference} {name.removesuffix('.')}."


def _address_sign(name: str, preference: int, domain: str) -> Mistyped:
    local, _, host = name.partition("@")
    if local:
        return Mistyped("The target is an e-mail address, not a host name.", _record(preference, host))
    cause = "The target is `@`, which stands for the domain in zone files but was taken as a name."
    return Mistyped(cause, _record(preference, domain))


def _not_ascii(octets: str, preference: int) -> Mistyped | None:
    try:
        name = octets.encode("latin-1").decode()
        ascii_name = host_name("target", name)
    except (UnicodeError, OptionError):
        return None
    cause = f"The name is written in UTF-8 ({name}); the DNS wants its A-labels."
    return Mistyped(cause, _record(preference, ascii_name))


def _appended_zone(name: str, preference: int, domain: str) -> Mistyped | None:
    if (match := _with_digits(name)) and all(int(part) < 256 for part in match[1].split(".")):
        cause = f"The target is the address {IPv4Address(match[1])} with the name of a zone behind it."
        return Mistyped(cause, f"{_record(preference, f'mail.{domain}')} and mail.{domain}. A {match[1]}")
    zones = dict.fromkeys((domain, registered_domain(domain)))
    for zone in filter(None, zones):
        written = name.removesuffix(f".{zone}")
        if written != name and _is_whole(written, domain):
            cause = f"The final dot seems to be missing in the zone file, so that {zone} was appended."
            return Mistyped(cause, _record(preference, written))
    return None


def _is_whole(name: str, domain: str) -> bool:
    """Return whether `name` looks complete: under a top-level domain that exists, or the one of `domain`."""
    top = domain.rpartition(".")[2]
    return "." in name and (has_public_suffix(name) or name.endswith(f".{top}"))
