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
        return _host(self.domain)


_ROOT = (
    ". SOA ns.demo.test. hostmaster.demo.test. 1 3600 600 86400 60",
    ". NS ns.demo.test.",
    "ns.demo.test. A 127.0.0.1",
)


def _host(domain: str) -> str:
    return f"mx.{domain}"


def _server(domain: str) -> RuleServer:
    """Return a healthy server for `domain`, with one mailbox."""
    return RuleServer(
        host=_host(domain),
        software="ESMTP checker-smtp demo",
        local_domains=(domain,),
        mailboxes=frozenset({"postmaster"}),
    )


def _zone(domain: str) -> tuple[str, ...]:
    """Return a view in which `domain` has one MX, with an address and a forward-confirmed PTR."""
    return (
        *_ROOT,
        f"{domain}. MX 10 mx.{domain}.",
        f"mx.{domain}. A 127.0.0.1",
        f"1.0.0.127.in-addr.arpa. PTR mx.{domain}.",
    )


POSTURES: tuple[Posture, ...] = (
    Posture(
        domain="healthy.demo.test",
        description="Everything is as it should be.",
        zone=_zone("healthy.demo.test"),
        server=_server("healthy.demo.test"),
    ),
    Posture(
        domain="open-relay.demo.test",
        description="The server accepts mail from anybody for anybody: spammers will find it within hours.",
        zone=_zone("open-relay.demo.test"),
        server=replace(_server("open-relay.demo.test"), relays=True),
    ),
    Posture(
        domain="no-starttls.demo.test",
        description="The server offers no encryption: every message arrives in the clear.",
        zone=_zone("no-starttls.demo.test"),
        server=replace(_server("no-starttls.demo.test"), starttls=False),
    ),
    Posture(
        domain="auth-in-clear.demo.test",
        description="The server invites clients to send their password before the connection is encrypted.",
        zone=_zone("auth-in-clear.demo.test"),
        server=replace(_server("auth-in-clear.demo.test"), auth_in_clear=True),
    ),
    Posture(
        domain="no-postmaster.demo.test",
        description="Nobody can write to postmaster, the one mailbox every domain must have.",
        zone=_zone("no-postmaster.demo.test"),
        server=replace(_server("no-postmaster.demo.test"), mailboxes=frozenset({"info"})),
    ),
    Posture(
        domain="no-null-sender.demo.test",
        description="The server refuses bounces: its users never learn that their own mail failed.",
        zone=_zone("no-null-sender.demo.test"),
        server=replace(_server("no-null-sender.demo.test"), null_sender=False),
    ),
    Posture(
        domain="cname-mx.demo.test",
        description="The MX record names an alias, which RFC 2181 forbids; the server behind it is healthy.",
        zone=(
            *_ROOT,
            "cname-mx.demo.test. MX 10 mail.cname-mx.demo.test.",
            "mail.cname-mx.demo.test. CNAME mx.cname-mx.demo.test.",
            "mx.cname-mx.demo.test. A 127.0.0.1",
            "1.0.0.127.in-addr.arpa. PTR mx.cname-mx.demo.test.",
        ),
        server=_server("cname-mx.demo.test"),
    ),
    Posture(
        domain="no-ptr.demo.test",
        description="The server's address has no name in the reverse DNS.",
        zone=tuple(record for record in _zone("no-ptr.demo.test") if " PTR " not in record),
        server=_server("no-ptr.demo.test"),
    ),
    Posture(
        domain="null-mx.demo.test",
        description="The domain declares, as RFC 7505 allows, that it receives no mail at all.",
        zone=(*_ROOT, "null-mx.demo.test. MX 0 ."),
        server=None,
    ),
)
