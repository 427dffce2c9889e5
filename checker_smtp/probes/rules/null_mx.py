"""A null MX says that the domain receives no mail (RFC 7505); a valid one makes all other tests needless."""

from collections.abc import Iterator

from checker_smtp.probes.observation import Observation

from ._finding import Code, Finding, Outcome, Severity
from ._reading import dns_evidence
from ._reproduction import QueryDns
from ._rule import Input, rule

NULL_MX = Code(
    "smtp.null_mx",
    Severity.INFO,
    title="The domain says that it receives no mail",
    why="Senders see the null MX and return mail at once instead of trying for days.",
    fix="Nothing, if the domain is not meant to receive mail; otherwise publish MX records in its place.",
    reference="RFC 7505 §3",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
)
MIXED = Code(
    "smtp.null_mx.mixed",
    Severity.WARN,
    title="The null MX is published in an invalid form",
    why="A null MX beside other MX records, or with a preference other than 0, has no defined meaning: "
    "some senders return the mail, others deliver it.",
    fix="Publish either the single record `MX 0 .` (no mail) or real MX records only.",
    reference="RFC 7505 §3",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
)


@rule(
    "smtp.null_mx",
    Severity.INFO,
    "Checks whether the domain declares by a null MX that it receives no mail.",
    order=10,
    codes=(NULL_MX, MIXED),
    needs=Input.DNS,
    reads_null_mx=True,
    tested=lambda observation: observation.mx.status.known,
)
def null_mx(observation: Observation) -> Iterator[Finding]:
    mx = observation.mx
    evidence = dns_evidence(observation, observation.domain, "MX")
    if not mx.null_preferences:
        return
    if not mx.null_mx:
        yield MIXED.finding(
            "", "A null MX (`.`) is published beside other MX records; the others were checked.", *evidence
        )
    elif mx.null_preferences != (0,):
        preferences = ", ".join(map(str, mx.null_preferences))
        yield MIXED.finding(
            "",
            f"The null MX has the preference {preferences}; only 0 is valid, in one record.",
            *evidence,
        )
    else:
        publisher = f"is an alias of {mx.aliases[-1]}, which publishes" if mx.aliases else "publishes"
        yield NULL_MX.finding(
            "", f"The domain {publisher} a null MX: it receives no mail.", *evidence, outcome=Outcome.PASS
        )
