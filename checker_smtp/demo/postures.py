"""The demo's domains, as data.

Theory: a check is best understood by its effect on something known. Each posture is one domain with exactly
one thing wrong (or nothing), said three times: as a sentence for people, as the records its DNS answers
with, and as the few switches `smtpd` consults. All servers listen on 127.0.0.1, so each domain has a view of
the DNS of its own; that is what lets one address have a different PTR in each.

Not here: what the checker should find. The demo must be able to surprise us.
"""

from dataclasses import dataclass

__all__ = ["POSTURES", "Posture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """One demo domain: its records and how its mail server behaves.

    `zone` holds records in presentation format without TTL and class: owner, type, data. `serves` is false
    where no server exists at all. `null_sender` tells whether recipients are accepted after `MAIL FROM:<>`,
    `mailboxes` the local parts which exist at `domain`, in lower case.
    """

    domain: str
    what: str
    zone: tuple[str, ...]
    serves: bool = True
    starttls: bool = True
    auth_in_clear: bool = False
    relays: bool = False
    null_sender: bool = True
    mailboxes: frozenset[str] = frozenset({"postmaster"})

    @property
    def host(self) -> str:
        """The name the server greets with (RFC 5321 §4.1.1.1)."""
        return f"mx.{self.domain}"


# The checker asks for the root's name servers to know whether a resolver is alive, and the SOA goes with
# every negative answer (RFC 2308 §3).
_ROOT = (
    ". SOA ns.demo.test. hostmaster.demo.test. 1 3600 600 86400 60",
    ". NS ns.demo.test.",
    "ns.demo.test. A 127.0.0.1",
)


def _zone(domain: str) -> tuple[str, ...]:
    """A view in which `domain` has one MX, with an address and a forward-confirmed PTR."""
    return (
        *_ROOT,
        f"{domain}. MX 10 mx.{domain}.",
        f"mx.{domain}. A 127.0.0.1",
        f"1.0.0.127.in-addr.arpa. PTR mx.{domain}.",
    )


POSTURES: tuple[Posture, ...] = (
    Posture(
        domain="healthy.demo.test",
        what="Everything is as it should be.",
        zone=_zone("healthy.demo.test"),
    ),
    Posture(
        domain="open-relay.demo.test",
        what="The server takes mail from anybody for anybody: spammers will find it within hours.",
        zone=_zone("open-relay.demo.test"),
        relays=True,
    ),
    Posture(
        domain="no-starttls.demo.test",
        what="The server offers no encryption: every message arrives in the clear.",
        zone=_zone("no-starttls.demo.test"),
        starttls=False,
    ),
    Posture(
        domain="auth-in-clear.demo.test",
        what="The server invites clients to send their password before the connection is encrypted.",
        zone=_zone("auth-in-clear.demo.test"),
        auth_in_clear=True,
    ),
    Posture(
        domain="no-postmaster.demo.test",
        what="Nobody can write to postmaster, the one mailbox every domain must have.",
        zone=_zone("no-postmaster.demo.test"),
        mailboxes=frozenset({"info"}),
    ),
    Posture(
        domain="no-null-sender.demo.test",
        what="The server refuses bounces: its users never learn that their own mail failed.",
        zone=_zone("no-null-sender.demo.test"),
        null_sender=False,
    ),
    Posture(
        domain="cname-mx.demo.test",
        what="The MX record names an alias, which RFC 2181 forbids; the server behind it is healthy.",
        zone=(
            *_ROOT,
            "cname-mx.demo.test. MX 10 mail.cname-mx.demo.test.",
            "mail.cname-mx.demo.test. CNAME mx.cname-mx.demo.test.",
            "mx.cname-mx.demo.test. A 127.0.0.1",
            "1.0.0.127.in-addr.arpa. PTR mx.cname-mx.demo.test.",
        ),
    ),
    Posture(
        domain="no-ptr.demo.test",
        what="The server's address has no name in the reverse DNS.",
        zone=tuple(record for record in _zone("no-ptr.demo.test") if " PTR " not in record),
    ),
    Posture(
        domain="null-mx.demo.test",
        what="The domain says, as RFC 7505 lets it, that it receives no mail at all.",
        zone=(*_ROOT, "null-mx.demo.test. MX 0 ."),
        serves=False,
    ),
)
