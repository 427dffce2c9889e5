"""Every MX target is a host name, no alias, and has public addresses only."""

from collections.abc import Iterator
from ipaddress import ip_address

from checker_smtp.probes.observation import MxTarget, Observation
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._lookups import failure_of, failure_words
from ._mistyped import Mistyped, read_mistyped
from ._reading import any_target, dns_evidence, failed_targets, listed
from ._reproduction import QueryDns
from ._rule import Input, rule
from ._shared import ALIAS_BESIDE, NOT_TESTED

IP_LITERAL = Code(
    "smtp.mx.ip_literal",
    Severity.CRIT,
    title="An MX target is an IP address instead of a host name",
    why="An MX record names a host. Most senders look the digits up as a name, find no address, and skip "
    "this target; a few deliver anyway, which hides the fault.",
    fix="Give the server a host name with an A or AAAA record and put that name into the MX record.",
    reference="RFC 5321 §5.1, RFC 1035 §3.3.9",
    reproduce=QueryDns(names="domain", rdtypes=("MX",)),
    urgency=Urgency.STOPS_MAIL,
)
CNAME = Code(
    "smtp.mx.cname",
    Severity.CRIT,
    title="An MX target is an alias",
    why="The target of an MX record must not be a CNAME. Many senders follow it, strict ones do not, and "
    "certificate and DANE checks use the wrong name.",
    fix="Let the MX record name the host that the alias points to, or give the target A and AAAA records "
    "of its own.",
    reference="RFC 5321 §5.1, RFC 2181 §10.3",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)
UNRESOLVED = Code(
    "smtp.mx.unresolved",
    Severity.CRIT,
    title="An MX target has no address",
    why="Senders cannot reach this server; with no other MX the mail is queued and then returned.",
    fix="Publish an A or AAAA record for the target, or remove the MX record.",
    reference="RFC 5321 §5.1",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)
NOT_PUBLIC = Code(
    "smtp.mx.not_public",
    Severity.CRIT,
    title="An MX target has an address that the Internet cannot reach",
    why="Senders try an address inside their own network, or none at all, and the mail does not arrive.",
    fix="Publish the server's public address, and keep internal addresses in internal DNS.",
    reference="RFC 6890, RFC 5321 §5.1",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.STOPS_MAIL,
)


ADDRESS_LOOKUP_FAILED = Code(
    "smtp.mx.address_lookup_failed",
    Severity.WARN,
    title="A lookup of an MX target's addresses failed",
    why="Senders that need this address wait and retry later, or take the name for dead; mail is delayed.",
    fix="Check the name servers of the target's zone: each has to answer for A and for AAAA. Where there "
    "is no such record, the right answer is NOERROR without records.",
    reference="RFC 4074 §4, RFC 5321 §5.1",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
    urgency=Urgency.LOSES_MAIL,
)
UNDERSCORE = Code(
    "smtp.mx.underscore",
    Severity.INFO,
    title="The name of an MX target has an underscore",
    why="Host names have letters, digits and hyphens. Most senders deliver all the same, strict ones refuse.",
    fix="Give the server a name without an underscore, and put that name into the MX record.",
    reference="RFC 1123 §2.1, RFC 5321 §2.3.5",
    reproduce=QueryDns(names="targets", rdtypes=("A", "AAAA")),
)
TRANSLATED = Code(
    "smtp.mx.translated",
    Severity.INFO,
    title="This side's resolver made an IPv6 address of an IPv4 address",
    why="The network of this checker has DNS64 for hosts without IPv4. The domain does not publish this "
    "address, and no one else sees it.",
    fix="Nothing at the domain. Repeat the check with a resolver without DNS64 (`--resolver 9.9.9.9`) to see "
    "the records as they are published.",
    reference="RFC 6147, RFC 7050",
    reproduce=QueryDns(names="targets", rdtypes=("AAAA",)),
    about_checker=True,
)
# addresses of one target that are reported, each as a finding
_MAX_ADDRESSES = 10
_INSIDE_VIEW = (
    "This resolver may show an inside view, for hosts of a network only: repeat the check with another one, "
    "such as `--resolver 9.9.9.9`. If the Internet sees the same, publish the server's public address, and "
    "keep internal addresses in internal DNS."
)


@rule(
    "smtp.mx_sanity",
    Severity.CRIT,
    "Checks that no MX target is an IP literal, an alias, without an address, or not public.",
    order=30,
    codes=(
        IP_LITERAL,
        CNAME,
        UNRESOLVED,
        NOT_PUBLIC,
        ADDRESS_LOOKUP_FAILED,
        UNDERSCORE,
        TRANSLATED,
        ALIAS_BESIDE,
        NOT_TESTED,
    ),
    needs=Input.DNS,
    tested=any_target,
)
def mx_sanity(observation: Observation) -> Iterator[Finding]:
    targets: dict[str, MxTarget] = {}
    for record in observation.mx.records:
        targets.setdefault(record.target, record)
    # where no target could be looked up, `smtp.mx_present` says so once
    is_known = not failed_targets(observation)
    for target in targets.values():
        if target.literal:
            yield _literal(observation, target)
        elif target.aliases and not observation.mx.implicit_mx:
            evidence = dns_evidence(observation, target.target, "A", "AAAA")
            yield CNAME.finding(target.target, _alias(target), *evidence)
        else:
            yield from _addresses(observation, target, is_known=is_known)
        yield from _not_public(observation, target)
        yield from _remarks(observation, target)


def _literal(observation: Observation, target: MxTarget) -> Finding:
    hint = (
        " If no mail is wanted, the null MX is `MX 0 .`, with the dot alone." if target.target == "0" else ""
    )
    spelling = (
        "is an IP address" if target.target == target.literal else f"spells the IP address {target.literal}"
    )
    return IP_LITERAL.finding(
        target.target,
        f"The MX target {target.target} {spelling}; it was not contacted.{hint}",
        *dns_evidence(observation, observation.domain, "MX"),
    )


def _alias(target: MxTarget) -> str:
    chain = " → ".join((target.target, *target.aliases))
    if target.alias_problem == "loop":
        return f"The MX target is an alias that leads back to itself: {chain}."
    if target.alias_problem == "too-long":
        return f"The MX target is an alias, and no end of its chain was found: {listed(chain.split(' → '))}."
    if target.alias_problem == "dangling":
        return f"The MX target is an alias of a name that has no address: {chain}."
    return f"The MX target is an alias: {chain}."


def _addresses(observation: Observation, target: MxTarget, *, is_known: bool) -> Iterator[Finding]:
    asked = {"A": target.ipv4_status, "AAAA": target.ipv6_status}
    failed = {t: status for t, status in asked.items() if status is not None and not status.known}
    if failed:
        if is_known:
            yield _lookup_failed(observation, target, failed)
    elif not (target.ipv4 or target.ipv6 or target.translated):
        yield _unresolved(observation, target)
    elif DnsStatus.NXDOMAIN in asked.values():
        denied = next(rdtype for rdtype, status in asked.items() if status is DnsStatus.NXDOMAIN)
        yield ADDRESS_LOOKUP_FAILED.finding(
            target.target,
            f"The name servers of {target.target} say that the name does not exist (NXDOMAIN) when they are "
            f"asked for {denied}, although it has an address: some senders take it for dead.",
            *dns_evidence(observation, target.target, "A", "AAAA"),
            fix="Have the name server repaired: for a record that is missing at a name that exists it has to "
            "answer NOERROR without records.",
        )


def _lookup_failed(observation: Observation, target: MxTarget, failed: dict[str, DnsStatus]) -> Finding:
    failure = failure_of(*failed.values(), bogus=target.bogus)
    found = target.ipv4 or target.ipv6
    reasons = [f"{rdtype} ({failure_words(observation, target.target, rdtype)})" for rdtype in failed]
    if failure.is_ours:
        consequence = (
            "that is the resolver of this side, and it is not known if the target has such an address"
        )
    elif found:
        consequence = (
            f"the server has an address all the same, but senders wait for the {listed(list(failed))}"
        )
    else:
        # the rule yields this only where another target is known
        consequence = "senders try the other MX targets, or retry later"
    is_fault = failure.outcome is Outcome.FAIL and (found or target.bogus)
    return ADDRESS_LOOKUP_FAILED.finding(
        target.target,
        f"The lookup of {target.target} failed for {listed(reasons)}: {consequence}.",
        *dns_evidence(observation, target.target, "A", "AAAA"),
        outcome=Outcome.TRANSIENT if failure.outcome is Outcome.FAIL and not is_fault else failure.outcome,
        severity=min(failure.severity, Severity.WARN, key=lambda severity: severity.rank),
        fix=failure.fix,
    )


def _unresolved(observation: Observation, target: MxTarget) -> Finding:
    statuses = {target.ipv4_status, target.ipv6_status}
    is_denied = statuses == {DnsStatus.NXDOMAIN}
    message = (
        f"The MX target {target.target} "
        f"{'does not exist' if is_denied else 'has neither an A nor an AAAA record'}."
    )
    if any(answer.records for answer in observation.answers_about(target.target, "A", "AAAA")):
        message += (
            " The records that came with the answer are of other names, or of an answer that denies them."
        )
    mistyped = _mistyped(observation, target)
    if mistyped is not None:
        message += f" {mistyped.cause}"
    return UNRESOLVED.finding(
        target.target,
        message,
        *dns_evidence(observation, target.target, "A", "AAAA"),
        fix=_correction(mistyped) if mistyped is not None else "",
    )


def _correction(mistyped: Mistyped) -> str:
    if not mistyped.record:
        return "Put the host name of the mail server, and nothing else, into the MX record."
    beside = f", and publish `{mistyped.beside}`" if mistyped.beside else ""
    return f"Correct the MX record: `{mistyped.record}`{beside}."


def _mistyped(observation: Observation, target: MxTarget) -> Mistyped | None:
    if observation.mx.implicit_mx:
        return None
    return read_mistyped(target.target, target.preference, observation.domain)


def _not_public(observation: Observation, target: MxTarget) -> Iterator[Finding]:
    published = target.ipv4 + target.ipv6
    # a resolver that blocks a name answers 0.0.0.0 or ::, often in one family only
    is_blocked = any(ip_address(address).is_unspecified for address in published)
    is_inside = is_blocked or len(target.not_public) == len(published)
    evidence = dns_evidence(observation, target.target, "A", "AAAA")
    more = len(target.not_public) - _MAX_ADDRESSES
    for number, (address, reason) in enumerate(target.not_public[:_MAX_ADDRESSES], start=1):
        others = f" So are {more} more of its addresses." if number == _MAX_ADDRESSES and more > 0 else ""
        yield NOT_PUBLIC.finding(
            target.target,
            f"{target.target} has the address {address}, which is {reason}; it was not contacted.{others}",
            *evidence,
            fix=_INSIDE_VIEW if is_inside else "",
        )


def _remarks(observation: Observation, target: MxTarget) -> Iterator[Finding]:
    evidence = dns_evidence(observation, target.target, "A", "AAAA")
    if "_" in target.target and (target.ipv4 or target.ipv6):
        yield UNDERSCORE.finding(target.target, f"The name {target.target} has an underscore.", *evidence)
    if target.has_alias_beside:
        yield ALIAS_BESIDE.finding(
            target.target,
            f"{target.target} has addresses and a CNAME beside them; the addresses were used.",
            *evidence,
        )
    for translated, address in target.translated:
        yield TRANSLATED.finding(
            target.target,
            f"{translated} was made of {address} by the resolver (DNS64); it was ignored as an address of "
            f"{target.target}.",
            *evidence,
            outcome=Outcome.NOT_APPLICABLE,
        )
    if target.omitted:
        yield NOT_TESTED.finding(
            target.target,
            f"{target.target} has {target.omitted} more addresses than are read here; those were not tested.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
