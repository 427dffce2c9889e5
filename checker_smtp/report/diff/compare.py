"""The difference between two checks of a domain, and the decision if the domain got worse.

A fact is compared only if both checks know it: after a failed lookup no MX record counts as removed, and a
server without a session has lost no extension. A finding that was not tested again is listed as such.
Values that differ in every run (the random mailbox, seconds) are ignored.

The domain got worse if a warning or a critical finding appeared, if the severity of a finding rose, if TLS
is missing or has an older version, if an extension is missing that some mail cannot be sent without, or if
the domain stopped accepting mail: by a null MX, or because its servers refuse it. A server that moved to
another address with its old faults is not worse.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Acceptance, Delivery, Finding, MailState, Severity, rule_of
from checker_smtp.report.model.mail_state import describe_mail
from checker_smtp.report.model.panels import UNSETTLED, is_fault
from checker_smtp.report.visible import visible

from .endpoints import (
    ExtensionChange,
    TlsChange,
    compare_extensions,
    compare_tls,
    find_lost_extensions,
    find_weaker_tls,
    pair_endpoints,
)
from .mx import AddressChange, MxChange, compare_addresses, compare_mx

__all__ = ["Difference", "DifferenceError", "FindingChange", "SettingChange", "compare"]

_STATUS_RANK = {"ok": 0, "info": 0, "warning": 1, "critical": 2}


class DifferenceError(ValueError):
    """The two results cannot be compared; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """One finding in both checks, with another message or severity."""

    old: Finding
    new: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting that differs between the two checks."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Everything that differs.

    `reasons` are the reasons for `worse`, and `worst` is the highest severity of a finding among them.
    `unsettled` are old findings that the new check did not test again, `unused_acceptances` those that are
    over or match no finding since the old one.
    """

    domain: str
    old_run_at: str
    new_run_at: str
    old_status: str
    new_status: str
    old_mail: Delivery
    new_mail: Delivery
    worse: bool
    reasons: tuple[str, ...]
    worst: Severity | None = None
    appeared: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    unsettled: tuple[Finding, ...] = ()
    changed: tuple[FindingChange, ...] = ()
    mx: tuple[MxChange, ...] = ()
    addresses: tuple[AddressChange, ...] = ()
    tls: tuple[TlsChange, ...] = ()
    extensions: tuple[ExtensionChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    unused_acceptances: tuple[Acceptance, ...] = ()

    @property
    def is_change(self) -> bool:
        """True if anything but the options of the checks differs."""
        changes = (self.reasons, self.appeared, self.gone, self.unsettled, self.changed)
        facts = (self.mx, self.addresses, self.tls, self.extensions, self.unused_acceptances)
        states = self.old_status != self.new_status or self.old_mail.state is not self.new_mail.state
        return states or any(changes) or any(facts)

    @property
    def better(self) -> bool:
        """True if the new status is better, no old finding is open, and none is newly accepted."""
        old, new = (_STATUS_RANK.get(status) for status in (self.old_status, self.new_status))
        if any(pair.new.acceptance is not None and pair.old.acceptance is None for pair in self.changed):
            return False
        return not self.worse and not self.unsettled and old is not None and new is not None and new < old


def compare(old: Result, new: Result) -> Difference:
    """Compare two checks of a domain. Raises `DifferenceError` if they are of two domains."""
    before, after = old.observation, new.observation
    if before.domain != after.domain:
        raise DifferenceError(
            f"the old check is of {visible(before.domain)} and the new one of {visible(after.domain)}: "
            "compare two checks of one domain"
        )
    both = pair_endpoints(before, after)
    appeared, gone, changed = _findings(old, new)
    faults = tuple(_new_faults(appeared, gone, before, after))
    worsened = tuple(pair for pair in changed if _rank(pair.new) > _rank(pair.old))
    worse = (*faults, *(pair.new for pair in worsened))
    tls = tuple(compare_tls(both))
    extensions = tuple(compare_extensions(both))
    reasons = (
        *_new_null_mx(before, after),
        *_lost_mail(old.mail, new.mail),
        *(_describe(finding, "appeared") for finding in faults),
        *(_describe(pair.new, _worsening(pair)) for pair in worsened),
        *find_weaker_tls(tls),
        *find_lost_extensions(both),
    )
    if not reasons and _STATUS_RANK.get(new.status, 0) > _STATUS_RANK.get(old.status, 2):
        reasons = (f"the status was {old.status} and is {new.status}",)
    return Difference(
        domain=after.domain,
        old_run_at=before.run_at,
        new_run_at=after.run_at,
        old_status=old.status,
        new_status=new.status,
        old_mail=old.mail,
        new_mail=new.mail,
        worse=bool(reasons),
        reasons=reasons,
        worst=max((finding.severity for finding in worse), key=lambda severity: severity.rank, default=None),
        appeared=appeared,
        gone=tuple(finding for finding in gone if _tested_again(finding, new)),
        unsettled=tuple(finding for finding in gone if not _tested_again(finding, new)),
        changed=changed,
        mx=compare_mx(before, after),
        addresses=tuple(compare_addresses(before, after)),
        tls=tls,
        extensions=extensions,
        settings=tuple(_settings(before, after)),
        unused_acceptances=tuple(one for one in new.unused_acceptances if one not in old.unused_acceptances),
    )


def _findings(
    old: Result, new: Result
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[FindingChange, ...]]:
    """Return the findings that appeared, those that are gone, and those that changed."""
    unmatched: dict[tuple[str, str], list[Finding]] = {}
    for finding in old.findings:
        unmatched.setdefault((finding.code, finding.subject), []).append(finding)
    not_equal: list[Finding] = []
    for finding in new.findings:
        same = unmatched.get((finding.code, finding.subject), [])
        match = next((f for f in same if _stable_part(f, old) == _stable_part(finding, new)), None)
        if match is None:
            not_equal.append(finding)
        else:
            same.remove(match)
    appeared: list[Finding] = []
    changed: list[FindingChange] = []
    for finding in not_equal:
        same = unmatched.get((finding.code, finding.subject), [])
        match = next((f for f in same if f.rule == finding.rule), None)
        if match is None:
            appeared.append(finding)
        else:
            same.remove(match)
            changed.append(FindingChange(old=match, new=finding))
    rest = [finding for same in unmatched.values() for finding in same]
    gone = tuple(sorted(rest, key=old.findings.index))
    return tuple(appeared), gone, tuple(changed)


def _stable_part(finding: Finding, result: Result) -> tuple[str, Severity, str, bool, str]:
    """Return the finding without the values that differ in every run."""
    message = re.sub(r"\b\d+(\.\d+)? s\b", "some s", finding.message)
    for endpoint in result.observation.endpoints:
        control = endpoint.asked("relay-control")
        if control is not None:
            message = message.replace(control.recipient, "a random mailbox")
    return finding.rule, finding.severity, finding.outcome, finding.acceptance is not None, message


def _tested_again(finding: Finding, new: Result) -> bool:
    """Return True if the new check would have reported the finding again, had it persisted."""
    observation = new.observation
    rule = rule_of(finding.rule)
    if rule is None or observation.mx.null_mx or finding.outcome in UNSETTLED:
        return True
    subject = tuple(endpoint for endpoint in observation.endpoints if endpoint.subject == finding.subject)
    unsettled = any(
        f.rule == finding.rule and f.outcome in UNSETTLED and f.subject in (finding.subject, "")
        for f in new.findings
    )
    return not unsettled and rule.tested(replace(observation, endpoints=subject) if subject else observation)


def _new_faults(
    appeared: Iterable[Finding], gone: Iterable[Finding], before: Observation, after: Observation
) -> Iterator[Finding]:
    """Yield the new warnings and critical findings, except those that moved with a server."""
    removed, added = _subjects(before) - _subjects(after), _subjects(after) - _subjects(before)
    moved = Counter((f.code, f.severity) for f in gone if f.subject in removed)
    for finding in appeared:
        if not is_fault(finding):
            continue
        if finding.subject in added and moved[finding.code, finding.severity]:
            moved[finding.code, finding.severity] -= 1
        else:
            yield finding


def _subjects(observation: Observation) -> set[str]:
    return {e.subject for e in observation.endpoints} | {record.target for record in observation.mx.records}


def _rank(finding: Finding) -> tuple[int, bool]:
    return finding.severity.rank, is_fault(finding) and finding.outcome not in UNSETTLED


def _describe(finding: Finding, change: str) -> str:
    where = f" at {finding.subject}" if finding.subject else ""
    return f"{finding.code}{where} {change} ({finding.severity})"


def _worsening(pair: FindingChange) -> str:
    return "got worse" if pair.old.acceptance is None else "is not accepted any more"


def _new_null_mx(before: Observation, after: Observation) -> Iterator[str]:
    if after.mx.null_mx and not before.mx.null_mx:
        yield "the domain does not accept mail any more (null MX)"


def _lost_mail(old: Delivery, new: Delivery) -> Iterator[str]:
    # a deferral may be over in a minute; one that lasts is a finding
    if new.state is MailState.REFUSED and old.state in (MailState.ACCEPTED, MailState.DEFERRED):
        yield f"mail was {describe_mail(old)} and is {describe_mail(new)}"


def _settings(before: Observation, after: Observation) -> Iterator[SettingChange]:
    names = [field.name for field in fields(after.settings)]
    pairs = [(name, getattr(before.settings, name), getattr(after.settings, name)) for name in names]
    for name, old, new in [*pairs, ("resolver", before.resolver, after.resolver)]:
        if old != new:
            yield SettingChange(name=name, old=_as_text(old), new=_as_text(new))


def _as_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
