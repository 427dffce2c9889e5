"""The state of the domain's mail: accepted, refused or deferred by its servers, unknown, or not wanted.

It says if mail arrives; findings say what to fix. It comes from the answers about the domain's own
recipients. One server that accepts them is enough, because senders try every one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from checker_smtp.probes.observation import Endpoint, Mx, MxTarget, Observation, ReplySeen
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.refusals import Reason, Step

from ._answers import (
    Kind,
    client_refusal,
    names_client,
    own_answer,
    perhaps_served_elsewhere,
    read_reply,
)
from ._finding import Finding
from ._reach import blamed, lost

__all__ = ["MAIL_REASONS", "Delivery", "MailState", "judge_delivery"]

_NULL_MX, _NO_MX, _UNRESOLVED, _UNREACHABLE = "null-mx", "no-mx", "unresolved", "unreachable"
_NOT_ASKED, _NOT_TESTED, _CLIENT_REFUSED, _DESYNC = "not-asked", "not-tested", "client-refused", "desync"
MAIL_REASONS = (
    *(str(reason) for reason in Reason),
    *(_NULL_MX, _NO_MX, _UNRESOLVED, _UNREACHABLE, _NOT_ASKED, _NOT_TESTED, _CLIENT_REFUSED, _DESYNC),
)
"""The reasons of a state: those of refusals, then those without a refusal."""

_VAGUE = (Reason.POLICY, Reason.UNCLEAR)


class MailState(StrEnum):
    """The possible answers to the question if mail to the domain arrives."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of the domain's mail, and the reason.

    `accepted`: a server accepts one of the domain's own recipients. `refused`: none does, and a server
    refuses them for good, or none can be found. `deferred`: the same for now. `none`: the domain has no mail
    server, or declares that it receives no mail. `unknown`: this client was refused, or nothing was answered.
    """

    state: MailState
    reason: str = ""


_ACCEPTED = Delivery(state=MailState.ACCEPTED)
_none, _refused, _deferred, _unknown = (
    partial(Delivery, state)
    for state in (MailState.NONE, MailState.REFUSED, MailState.DEFERRED, MailState.UNKNOWN)
)


def judge_delivery(observation: Observation, findings: Iterable[Finding]) -> Delivery:
    """Return whether mail to the domain arrives; `findings` are those on the observation."""
    if observation.mx.null_mx:
        return _none(_NULL_MX)
    if not observation.endpoints:
        return _without_endpoint(observation.mx)
    found = {(finding.code, finding.subject) for finding in findings}
    theirs, _ = blamed(observation)
    unreachable = {endpoint.subject for endpoint in theirs}
    behind = perhaps_served_elsewhere(observation)
    deliveries = [(e.subject, _at(observation, e, found, unreachable)) for e in observation.endpoints]
    # whether senders reach a less preferred server is not known where the one before it is not
    counted = (d for subject, d in deliveries if d.state is not MailState.REFUSED or subject not in behind)
    return min(counted, key=_weight)


def _weight(delivery: Delivery) -> int:
    """Return the position in the order in which the servers' answers count, from 0.

    A refusal of this client is stronger than a dead server beside it: the server that is alive decides.
    """
    if delivery.reason == _UNREACHABLE:
        return 4
    if delivery.reason in (_NOT_ASKED, _NOT_TESTED):
        return 5
    return list(MailState).index(delivery.state)


def _without_endpoint(mx: Mx) -> Delivery:
    if mx.status is DnsStatus.NXDOMAIN:
        return _none(_NO_MX)
    targets = mx.records
    statuses = [status for t in targets for status in (t.ipv4_status, t.ipv6_status) if status is not None]
    asked = (mx.status, *mx.address_status, *statuses)
    if any(status.is_ours for status in asked):
        return _unknown(_NOT_TESTED)
    if not all(status.known for status in asked):
        return _deferred(_UNRESOLVED)
    if not targets:
        return _none(_NO_MX)
    if any(_has_public_address(target) for target in targets):
        return _unknown(_NOT_TESTED)
    return _refused(_UNRESOLVED)


def _has_public_address(target: MxTarget) -> bool:
    excluded = {address for address, _ in target.not_public}
    return any(address not in excluded for address in (*target.ipv4, *target.ipv6))


def _at(
    observation: Observation, endpoint: Endpoint, found: set[tuple[str, str]], unreachable: set[str]
) -> Delivery:
    """Return what one server says."""
    if ("smtp.protocol.desync", endpoint.subject) in found:
        # this client pairs its replies all the same; whether another one does is not known
        return _unknown(_DESYNC)
    answer = own_answer(endpoint)
    reason = str(answer.refusal.reason) if answer.refusal is not None else ""
    if answer.kind is Kind.ACCEPTED:
        return _ACCEPTED
    if (client := client_refusal(endpoint)) is not None:
        refusal = client.refusal
        is_general = refusal.reason in _VAGUE and names_client(refusal)
        return _unknown(_CLIENT_REFUSED if is_general else str(refusal.reason))
    if answer.kind in (Kind.REFUSED, Kind.LOGIN):
        return _by_class(answer.reply, reason)
    if answer.kind is Kind.DEFERRED:
        return _deferred(reason)
    if answer.kind in (Kind.UNDECIDED, Kind.TLS, Kind.CLIENT):
        return _unknown(reason)
    if endpoint.subject in unreachable:
        return _deferred(_UNREACHABLE)
    return _before_mail(observation, endpoint, ("smtp.banner.refused", endpoint.subject) in found)


def _before_mail(observation: Observation, endpoint: Endpoint, is_closed: bool) -> Delivery:
    """Return what a server says that answered nothing about the domain; `is_closed`: it serves nobody."""
    settings, session, greeting = observation.settings, endpoint.main, endpoint.main.greeting
    if greeting is not None and not greeting.positive:
        reason = _reason_of(greeting, Step.GREETING)
        return _by_class(greeting, reason) if is_closed or greeting.transient else _unknown(reason)
    if greeting is None and endpoint.connected and session.end is not None:
        return _unknown(_NOT_TESTED) if lost(session.end) else _deferred(_UNREACHABLE)
    last = endpoint.sessions[-1]
    hello = last.helo or last.ehlo or session.ehlo
    if endpoint.ready_session is None and hello is not None and hello.code >= 400:
        return _by_class(hello, _reason_of(hello, Step.EHLO))
    for reply in (session.starttls, session.ehlo_tls):
        refusal = read_reply(reply, Step.EHLO) if reply is not None and reply.code >= 400 else None
        if refusal is not None and refusal.blames_client:
            return _unknown(str(refusal.reason))
    is_asked = settings.test_null_sender or settings.test_postmaster
    return _unknown(_NOT_TESTED if is_asked and session.purpose != "not-held" else _NOT_ASKED)


def _reason_of(reply: ReplySeen, step: Step) -> str:
    return str(read_reply(reply, step).reason) if reply.code >= 400 else str(Reason.UNCLEAR)


def _by_class(reply: ReplySeen | None, reason: str) -> Delivery:
    return _deferred(reason) if reply is not None and reply.transient else _refused(reason)
