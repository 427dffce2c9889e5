"""The demo's domains, as data.

Each posture is one domain with exactly one thing wrong, or nothing. It is given three times: as a sentence
for people, as the records of its DNS, and as the server that answers its mail. All servers listen on
127.0.0.1, so each domain has a view of the DNS of its own: one address has a different PTR in each.

Not here: the findings to expect. The demo must be able to surprise us.
"""

from dataclasses import dataclass, replace

from checker_smtp.testing import RuleServer

__all__ = ["POSTURES", "Posture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """One demo domain: its records and its mail server.

    `description` is a sentence for people. `zone` has records as `testing.Zone` reads them. `server` is None
    where no server exists at all.
    """

    domain: str
    description: str
    zone: tuple[str, ...]
    server: RuleServer | None

    @property
    def host(self) -> str:
        """The name that the server greets with (RFC 5321 §4.1.1.1)."""
        return f"mx.{self.domain}"


_ROOT = (
    ". SOA ns.demo.test. hostmaster.demo.test. 1 3600 600 86400 60",
    ". NS ns.demo.test.",
    "ns.demo.test. A 127.0.0.1",
)


# A healthy server with one mailbox; its name and its domain are those of a posture.
_HEALTHY = RuleServer(software="ESMTP checker-smtp demo", mailboxes=frozenset({"postmaster"}))


def _zone(domain: str) -> tuple[str, ...]:
    """Return a view in which `domain` has one MX, with an address and a forward-confirmed PTR."""
    return (
        *_ROOT,
        f"{domain}. MX 10 mx.{domain}.",
        f"mx.{domain}. A 127.0.0.1",
        f"1.0.0.127.in-addr.arpa. PTR mx.{domain}.",
    )


def _posture(
    domain: str, description: str, server: RuleServer = _HEALTHY, zone: tuple[str, ...] | None = None
) -> Posture:
    """Return the posture of `domain`, whose records are by default those of `_zone`."""
    return Posture(
        domain=domain,
        description=description,
        zone=_zone(domain) if zone is None else zone,
        server=replace(server, host=f"mx.{domain}", local_domains=(domain,), received=[]),
    )


POSTURES: tuple[Posture, ...] = (
    _posture("healthy.demo.test", "Everything is as it should be."),
    _posture(
        "open-relay.demo.test",
        "The server accepts mail from anybody for anybody: spammers will find it within hours.",
        replace(_HEALTHY, relays=True),
    ),
    _posture(
        "no-starttls.demo.test",
        "The server offers no encryption: every message arrives in the clear.",
        replace(_HEALTHY, starttls=False),
    ),
    _posture(
        "auth-in-clear.demo.test",
        "The server invites clients to send their password before the connection is encrypted.",
        replace(_HEALTHY, auth_in_clear=True),
    ),
    _posture(
        "no-postmaster.demo.test",
        "Nobody can write to postmaster, the one mailbox every domain must have.",
        replace(_HEALTHY, mailboxes=frozenset({"info"})),
    ),
    _posture(
        "no-null-sender.demo.test",
        "The server refuses bounces: its users never learn that their own mail failed.",
        replace(_HEALTHY, null_sender=False),
    ),
    _posture(
        "cname-mx.demo.test",
        "The MX record names an alias, which RFC 2181 forbids; the server behind it is healthy.",
        zone=(
            *_ROOT,
            "cname-mx.demo.test. MX 10 mail.cname-mx.demo.test.",
            "mail.cname-mx.demo.test. CNAME mx.cname-mx.demo.test.",
            "mx.cname-mx.demo.test. A 127.0.0.1",
            "1.0.0.127.in-addr.arpa. PTR mx.cname-mx.demo.test.",
        ),
    ),
    _posture(
        "no-ptr.demo.test",
        "The server's address has no name in the reverse DNS.",
        zone=tuple(record for record in _zone("no-ptr.demo.test") if " PTR " not in record),
    ),
    Posture(
        domain="null-mx.demo.test",
        description="The domain declares, as RFC 7505 allows, that it receives no mail at all.",
        zone=(*_ROOT, "null-mx.demo.test. MX 0 ."),
        server=None,
    ),
)
