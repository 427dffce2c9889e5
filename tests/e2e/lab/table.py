"""What the lab consists of: the postures of a real Postfix, and the shapes of DNS in front of it.

Each posture is one smtpd line of one Postfix, on a loopback address of its own, and is the only MX of the
domain `NAME.e2e.test`. Its options are main.cf parameters, so what a posture is can be read here in Postfix's
own words. A shape is a domain that has no server of its own: only records.
"""

from dataclasses import dataclass

PORT = 2525
DNS_ADDRESS, DNS_PORT = "127.9.2.53", 5353
RESOLVER = f"{DNS_ADDRESS}:{DNS_PORT}"
TARGETS = "127.0.0.0/8"
PROBE = "probe.e2e.test"

_EARLY = ("smtpd_delay_reject", "no")


@dataclass(frozen=True, slots=True)
class PostfixPosture:
    name: str
    address: str
    says: str
    options: tuple[tuple[str, str], ...] = ()
    pointer: bool = True

    @property
    def domain(self) -> str:
        return domain(self.name)

    @property
    def host(self) -> str:
        return f"mx.{self.domain}"


def domain(name: str) -> str:
    return f"{name}.e2e.test"


def _only(option: str, value: str) -> tuple[tuple[str, str], ...]:
    return ((option, value),)


POSTURES = (
    PostfixPosture("healthy", "127.9.1.10", "STARTTLS, takes <> and postmaster, relays for nobody"),
    PostfixPosture(
        "openrelay", "127.9.1.11", "relays for the client's network", _only("mynetworks", TARGETS)
    ),
    PostfixPosture("nostarttls", "127.9.1.12", "no STARTTLS", _only("smtpd_tls_security_level", "none")),
    PostfixPosture(
        "authplain",
        "127.9.1.13",
        "AUTH PLAIN LOGIN before TLS",
        (("smtpd_sasl_auth_enable", "yes"), ("smtpd_tls_auth_only", "no")),
    ),
    PostfixPosture(
        "nullrej",
        "127.9.1.14",
        "550 for <>, but only at RCPT (the default smtpd_delay_reject)",
        _only("smtpd_sender_restrictions", "check_sender_access inline:{{<>=550 5.7.1 No null sender here}}"),
    ),
    PostfixPosture(
        "nopostmaster",
        "127.9.1.15",
        "550 5.1.1 for postmaster",
        _only(
            "smtpd_recipient_restrictions",
            "check_recipient_access inline:{{postmaster@=550 5.1.1 User unknown}}",
        ),
    ),
    PostfixPosture(
        "greylist",
        "127.9.1.16",
        "450 at every local RCPT",
        _only(
            "smtpd_recipient_restrictions",
            "check_recipient_access static:{450 4.2.0 Greylisted, try again in five minutes}",
        ),
    ),
    PostfixPosture(
        "tlsonly", "127.9.1.17", "530 before STARTTLS", _only("smtpd_tls_security_level", "encrypt")
    ),
    PostfixPosture(
        "banner554",
        "127.9.1.18",
        "greets with 554 Client host rejected",
        (_EARLY, ("smtpd_client_restrictions", "reject")),
    ),
    PostfixPosture(
        "conn421",
        "127.9.1.19",
        "greets with 421 and closes",
        (_EARLY, ("smtpd_client_restrictions", "check_client_access static:{421 4.7.0 Try again later}")),
    ),
    PostfixPosture("ptrmissing", "127.9.1.20", "healthy, its address has no PTR", pointer=False),
)
ADDRESS = {posture.name: posture.address for posture in POSTURES}
# nothing of the lab listens there: a test may, or may count on "connection refused"
SILENT_ADDRESS, REFUSED_ADDRESS = "127.9.1.200", "127.9.1.201"
# The server on which advice is tried, in a network of its own; no loopback address, because those may relay.
ADVISED, ADVISED_ADDRESS = domain("advised"), "192.0.2.25"
DEAD_RESOLVER = f"127.9.2.99:{DNS_PORT}"

_HEALTHY, _OPENRELAY = (f"mx.{domain(name)}." for name in ("healthy", "openrelay"))

SHAPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "nullmx": ("MX 0 .", ("{d} MX 0 .",)),
    "cname": (
        "the MX target is an alias",
        ("{d} MX 10 alias.{d}", f"alias.{{d}} CNAME {_HEALTHY}"),
    ),
    "unres": ("the MX target does not exist", ("{d} MX 10 nowhere.{d}",)),
    "implicit": ("no MX, an address", (f"{{d}} A {ADDRESS['healthy']}",)),
    "mixed": ("two MX: healthy, open relay", (f"{{d}} MX 10 {_HEALTHY}", f"{{d}} MX 20 {_OPENRELAY}")),
    "refused": (
        "nothing listens",
        ("{d} MX 10 mx.{d}", f"mx.{{d}} A {REFUSED_ADDRESS}"),
    ),
    "silent": (
        "nothing listens, unless a test does",
        ("{d} MX 10 mx.{d}", f"mx.{{d}} A {SILENT_ADDRESS}"),
    ),
    "nx": ("does not exist", ()),
}

# The domains `anything.MANY`, as many as a test wants, have the MX hosts of these postures in turn.
MANY = ("healthy", "nostarttls", "ptrmissing")


def many(count: int) -> list[str]:
    """So many domains that share a few servers."""
    return [domain(f"d{n}.many{n % len(MANY)}") for n in range(count)]
