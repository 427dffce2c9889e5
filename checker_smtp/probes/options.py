"""The options of a check, validated before a packet is sent.

Names and addresses in them end up in DNS questions and SMTP commands, so an `Options` object that exists is
valid: host names in A-labels, an addr-spec in ASCII, numbers in range.
"""

import ipaddress
import re
from dataclasses import dataclass, fields

from smtp_sansio import LocalProtocolError, Rcpt

__all__ = ["OptionError", "Options", "host_name"]

_label = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z").match
# a last label that inet_aton would read as part of an address
_number = re.compile(r"[0-9]+|0x[0-9a-f]*").fullmatch
_MAX_NAME = 253
_MAX_TIMEOUT = 3600.0
_MAX_RETRY_DEFERRED = 1440.0
# Domains reserved for documentation (RFC 2606): no mailbox there belongs to anyone.
_OUTSIDE = ("example.com", "example.net", "example.org")


class OptionError(ValueError):
    """An option has an invalid value; `option` names it, the message says which values are valid."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def host_name(option: str, name: str) -> str:
    """Return `name` as a host name in A-labels, lower case, without the final dot.

    Raises `OptionError` for `option` with one sentence that says what is wrong and how to fix it.
    """
    shown = repr(name if len(name) <= 80 else name[:77] + "...")
    hint = "give a host name such as example.com"
    if not name.strip():
        raise OptionError(option, f"{option} is empty: {hint}")
    if "://" in name or "/" in name:
        raise OptionError(option, f"{shown} is a URL: {hint}")
    if "@" in name:
        raise OptionError(option, f"{shown} is an e-mail address: {hint}, without what stands before the @")
    if _is_address(name):
        raise OptionError(option, f"{shown} is an IP address: {hint}")
    if re.search(r"[\x00-\x20\x7f<>]", name):
        raise OptionError(option, f"{shown} contains a space or a character no host name has: {hint}")
    ascii_name = _to_ascii(option, name, shown).lower().removesuffix(".")
    labels = ascii_name.split(".")
    if len(ascii_name) > _MAX_NAME or any(len(label) > 63 for label in labels):
        raise OptionError(
            option,
            f"{shown} is too long: a label has at most 63 octets and a name {_MAX_NAME} (RFC 1035 §2.3.4)",
        )
    if not all(_label(label) for label in labels):
        raise OptionError(option, f"{shown} is not a host name: {hint}")
    if _number(labels[-1]):
        raise OptionError(option, f"{shown} ends like an IP address, not like a name: {hint}")
    return ascii_name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip().strip("[]").removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def _to_ascii(option: str, name: str, shown: str) -> str:
    if name.isascii():
        return name
    import idna  # here, because loading its tables takes longer than the rest of this package

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise OptionError(option, f"{shown} is not an internationalised host name: {error}") from None


def _addr_spec(option: str, address: str) -> str:
    shown = repr(address if len(address) <= 80 else address[:77] + "...")
    local, at, domain = address.rpartition("@")
    if not at or not local:
        raise OptionError(option, f"{shown} is not an address: give one such as postmaster@example.com")
    domain = host_name(option, domain)
    try:
        Rcpt(f"{local}@{domain}")
    except LocalProtocolError:
        raise OptionError(
            option, f"{shown} is not an address that SMTP can carry: give one such as postmaster@example.com"
        ) from None
    return f"{local}@{domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one check, normalised when built; raises `OptionError` for an invalid one.

    `timeout` is the longest silence at any one step, in seconds; one endpoint gets five times that.
    `controls` are mail servers to connect to where endpoints do not answer, to find out whether this side is
    the cause. `retry_deferred` is the minutes after which a server that deferred is asked once more, 0 for
    never. `allow_targets` are networks (CIDR) that are contacted although they are not public. `rule_options`
    are `NAME=VALUE` for the options of rules, which `checker-smtp rules` lists. `mx` are mail servers, names
    or addresses, in place of those of the MX records, which are not asked for. `helo_reason` says in words
    why `helo_name` was chosen, and `source_addresses` are the public addresses of this machine that
    connections begin at, both for the report.
    `check_budget` is the time of a whole check, in seconds, without the wait for such a retry: at its end the
    check has what it knows by then. A scan, whose domains share their servers, has no such limit.
    """

    domain: str
    timeout: float = 12.0
    helo_name: str = "mx-checker.happydomain.org"
    test_null_sender: bool = True
    test_postmaster: bool = True
    test_open_relay: bool = True
    test_probe_address: str = "postmaster@example.com"
    port: int = 25
    ipv4: bool = True
    ipv6: bool = True
    allow_targets: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    retry_deferred: float = 0.0
    rule_options: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    helo_reason: str = ""
    source_addresses: tuple[str, ...] = ()
    check_budget: float = 120.0

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("domain", host_name("domain", self.domain))
        put("helo_name", host_name("helo_name", self.helo_name))
        put("test_probe_address", _addr_spec("test_probe_address", self.test_probe_address))
        for name in ("timeout", "check_budget"):
            seconds = getattr(self, name)
            if not 0 < seconds <= _MAX_TIMEOUT:
                raise OptionError(name, f"{name} is {seconds:g}: give seconds, more than 0, at most 3600")
            put(name, float(seconds))
        put("timeout", round(self.timeout, 3) or 0.001)
        if not 0 <= self.retry_deferred <= _MAX_RETRY_DEFERRED:
            raise OptionError(
                "retry_deferred",
                f"retry_deferred is {self.retry_deferred:g}: "
                f"give minutes, at most {_MAX_RETRY_DEFERRED:g}, or 0 for never",
            )
        put("retry_deferred", float(self.retry_deferred))
        if not 1 <= self.port <= 65535:
            raise OptionError("port", f"port is {self.port}: give a number from 1 to 65535")
        if not (self.ipv4 or self.ipv6):
            raise OptionError("ipv4", "both address families are switched off: leave one on")
        put("controls", tuple(host_name("controls", name) for name in self.controls))
        put("mx", tuple(map(_mail_server, self.mx)))
        put("source_addresses", tuple(map(_source_address, self.source_addresses)))
        put("allow_targets", tuple(str(_network(text)) for text in self.allow_targets))

    def about(self, domain: str) -> "Options":
        """Return the same options for another domain. Raises `OptionError`."""
        # skips the validation of the other fields, which were validated when this object was built
        other = object.__new__(Options)
        for field in fields(self):
            object.__setattr__(other, field.name, getattr(self, field.name))
        object.__setattr__(other, "domain", host_name("domain", domain))
        return other

    @property
    def budget(self) -> float:
        """The seconds that one endpoint may take in total."""
        return 5 * self.timeout

    @property
    def sender(self) -> str:
        """The reverse-path of every transaction but the null sender's."""
        return f"postmaster@{self.helo_name}"

    @property
    def probe_address(self) -> str:
        """The recipient of the relay probe: `test_probe_address`, unless that is in the tested domain."""
        domain = self.test_probe_address.rpartition("@")[2]
        if domain != self.domain:
            return self.test_probe_address
        return f"postmaster@{self.outside_domain(domain)}"

    def outside_domain(self, *other_than: str) -> str:
        """Return a documentation domain that is neither the tested one nor one of `other_than`."""
        return next(name for name in _OUTSIDE if name not in (self.domain, *other_than))


def _mail_server(text: str) -> str:
    """Return a host name, or an address in its usual form. Raises `OptionError`."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return host_name("mx", text)


def _source_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise OptionError(
            "source_addresses", f"{text!r} is no IP address: give one of the machine that checks"
        ) from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise OptionError(
            "allow_targets", f"{text!r} is no network: give one in CIDR notation such as 192.0.2.0/24"
        ) from None
