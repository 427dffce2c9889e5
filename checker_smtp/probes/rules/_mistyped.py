"""How an MX target that leads nowhere was mistyped, and the record as it should be.

These are the commonest faults of MX records. Zone files and control panels cause them: a name without the
final dot gets the zone appended, a field takes the preference and the name together, or takes a URL, an
e-mail address, a blank or letters outside ASCII as they are (RFC 1035 §5.1).
"""

import re
from typing import NamedTuple

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.dns.records import unescape
from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.registered_domain import has_public_suffix, registered_domain

__all__ = ["Mistyped", "read_mistyped"]

_with_number = re.compile(r"([0-9]{1,5})\s+(\S.*)").fullmatch
_with_digits = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})\.(.+)").fullmatch


class Mistyped(NamedTuple):
    """The cause as a sentence, and the record as it should be; empty where the target does not show it.

    `beside` is the address record that has to be published with it, if there is one.
    """

    cause: str
    record: str
    beside: str = ""


def read_mistyped(target: str, preference: int, domain: str) -> Mistyped | None:
    """Return how `target`, a name in presentation format that has no address, was mistyped; None if unknown.

    `preference` is that of the MX record, `domain` the one that publishes it.
    """
    octets = unescape(target)
    name = octets.strip()
    if match := _with_number(name):
        cause = f"The preference ({match[1]}) and a blank stand in front of the name, as part of it."
        return Mistyped(cause, _record(int(match[1]), match[2]))
    if "://" in name:
        host = re.split("[/?#]", name.partition("://")[2])[0].rpartition("@")[2].partition(":")[0]
        return Mistyped("The target is a URL, not a host name.", _record(preference, host))
    if "@" in name:
        return _address_sign(name, preference, domain)
    if not octets.isascii():
        return _not_ascii(name, preference)
    if name != octets:
        return Mistyped("A blank stands before or behind the name, as part of it.", _record(preference, name))
    return _appended_zone(name, preference, domain)


def _record(preference: int, name: str) -> str:
    """Return the record; empty where `name` is no host name, or the preference no number of 16 bits."""
    try:
        return f"MX {preference} {host_name('target', name)}." if preference < 1 << 16 else ""
    except OptionError:
        return ""


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
    if address := _digits(name):
        cause = f"The target is the address {address} with the name of a zone behind it."
        beside = "" if why_not_public(address) else f"mail.{domain}. A {address}"
        return Mistyped(cause, _record(preference, f"mail.{domain}"), beside)
    zones = list(filter(None, dict.fromkeys((domain, registered_domain(domain)))))
    for zone in zones:
        written = name.removesuffix(f".{zone}")
        if written in zones or (written != name and _is_whole(written, domain)):
            cause = f"The final dot seems to be missing in the zone file, so that {zone} was appended."
            return Mistyped(cause, _record(preference, written))
    return None


def _digits(name: str) -> str:
    """Return the IPv4 address in front of a zone; empty where there is none, or where it is reversed."""
    match = _with_digits(name)
    if match is None or name.endswith(".arpa"):
        return ""
    octets = [int(part) for part in match[1].split(".")]
    return ".".join(map(str, octets)) if max(octets) < 256 else ""


def _is_whole(name: str, domain: str) -> bool:
    """Return whether `name` looks like a host, under a top-level domain that exists or the one of `domain`.

    A registered domain alone is no sign: `mail.co` and `mx.dev` are how people name hosts in their zone.
    """
    top = domain.rpartition(".")[2]
    is_known = has_public_suffix(name) or name.endswith(f".{top}")
    return is_known and registered_domain(name) not in ("", name)
