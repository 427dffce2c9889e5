"""What became of a domain between two checks, and whether it got worse.

Facts are compared where both checks know them: an MX lookup that failed is no MX gone, a server that did
not talk has lost no extension, and what went because it was not tested again is said to be just that.
What differs from run to run (the random mailbox, seconds) is no change.

It got worse where a warning or something critical appeared or a finding became graver, where TLS is gone
or of an older version, where an extension is gone without which some mail has to be returned, and where
the domain stopped taking mail. A server that moved to another address with its old faults is no worse.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import RULES, Finding, Severity

from .diff_endpoints import (
    ExtensionChange,
    TlsChange,
    compare_extensions,
    compare_tls,
    find_lost_extensions,
    find_weaker_tls,
    pair_endpoints,
)
from .diff_mx import AddressChange, MxChange, compare_addresses, compare_mx
from .metrics import UNSETTLED
from .visible import visible

__all__ = [
    "Difference",
    "DifferenceError",
    "ExtensionChange",
    "FindingChange",
    "SettingChange",
    "TlsChange",
    "compare",
]

_STATUS_RANK = {"ok": 0, "info": 0, "warning": 1, "critical": 2}


class DifferenceError(ValueError):
    """The two results cannot be compared; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """The same finding, worded or graded differently."""

    old: Finding
    new: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """The two checks were not run alike."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs. `reasons` say why it is worse; `unsettled` are findings that went untested."""

    domain: str
    old_run_at: str
    new_run_at: str
    old_status: str
    new_status: str
    worse: bool
    reasons: tuple[str, ...]
    appeared: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    unsettled: tuple[Finding, ...] = ()
    changed: tuple[FindingChange, ...] = ()
    mx: tuple[MxChange, ...] = ()
    addresses: tuple[AddressChange, ...] = ()
    tls: tuple[TlsChange, ...] = ()
    extensions: tuple[ExtensionChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()

    @property
    def better(self) -> bool:
        """Whether the status is a better one, and not for want of a test."""
        old, new = (_STATUS_RANK.get(status) for status in (self.old_status, self.new_status))
        return not self.worse and not self.unsettled and old is not None and new is not None and new < old


def compare(old: Result, new: Result) -> Difference:
    """What became of `old`. Raises `DifferenceError` where they are of two domains."""
    was, now = old.observation, new.observation
    if was.domain != now.domain:
        raise DifferenceError(
            f"the old check is of {visible(was.domain)} and the new one of {visible(now.domain)}: "
            "compare two checks of one domain"
        )
    both = pair_endpoints(was, now)
    appeared, gone, changed = _findings(old, new)
    tls = tuple(compare_tls(both))
    extensions = tuple(compare_extensions(both))
    reasons = (
        *_stopped(was, now),
        *(_told(finding, "appeared") for finding in _graver(appeared, gone, was, now)),
        *(_told(pair.new, "became graver") for pair in changed if _rank(pair.new) > _rank(pair.old)),
        *find_weaker_tls(tls),
        *find_lost_extensions(both),
    )
    if not reasons and _STATUS_RANK.get(new.status, 0) > _STATUS_RANK.get(old.status, 2):
        reasons = (f"the status was {old.status} and is {new.status}",)
    return Difference(
        domain=now.domain,
        old_run_at=was.run_at,
        new_run_at=now.run_at,
        old_status=old.status,
        new_status=new.status,
        worse=bool(reasons),
        reasons=reasons,
        appeared=appeared,
        gone=tuple(finding for finding in gone if _tested_again(finding, new)),
        unsettled=tuple(finding for finding in gone if not _tested_again(finding, new)),
        changed=changed,
        mx=compare_mx(was, now),
        addresses=compare_addresses(was, now),
        tls=tls,
        extensions=extensions,
        settings=tuple(_settings(was, now)),
    )


def _findings(
    old: Result, new: Result
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[FindingChange, ...]]:
    """Those that appeared, those that are gone, and the same ones told differently."""
    before: dict[tuple[str, str], list[Finding]] = {}
    for finding in old.findings:
        before.setdefault((finding.code, finding.subject), []).append(finding)
    open_: list[Finding] = []
    for finding in new.findings:
        same = before.get((finding.code, finding.subject), [])
        match = next((f for f in same if _gist(f, old) == _gist(finding, new)), None)
        if match is None:
            open_.append(finding)
        else:
            same.remove(match)
    appeared: list[Finding] = []
    changed: list[FindingChange] = []
    for finding in open_:
        same = before.get((finding.code, finding.subject), [])
        match = next((f for f in same if f.rule == finding.rule), None)
        if match is None:
            appeared.append(finding)
        else:
            same.remove(match)
            changed.append(FindingChange(old=match, new=finding))
    left = [finding for same in before.values() for finding in same]
    gone = tuple(sorted(left, key=old.findings.index))
    return tuple(appeared), gone, tuple(changed)


def _gist(finding: Finding, result: Result) -> tuple[str, Severity, str, str]:
    """The finding without what is different in every run."""
    message = re.sub(r"\b\d+(\.\d+)? s\b", "some s", finding.message)
    for endpoint in result.observation.endpoints:
        control = endpoint.asked("relay-control")
        if control is not None:
            message = message.replace(control.recipient, "a random mailbox")
    return finding.rule, finding.severity, finding.outcome, message


def _tested_again(finding: Finding, new: Result) -> bool:
    """Whether the new check would have met it again, had it still been there."""
    seen = new.observation
    rule = RULES.get(finding.rule)
    if rule is None or seen.mx.null_mx or finding.outcome in UNSETTLED:
        return True
    here = tuple(endpoint for endpoint in seen.endpoints if endpoint.subject == finding.subject)
    unsettled = any(
        f.rule == finding.rule and f.outcome in UNSETTLED and f.subject in (finding.subject, "")
        for f in new.findings
    )
    return not unsettled and rule.tested(replace(seen, endpoints=here) if here else seen)


def _graver(
    appeared: Iterable[Finding], gone: Iterable[Finding], was: Observation, now: Observation
) -> Iterator[Finding]:
    """The warnings and critical ones that did not merely move along with a server."""
    left, came = _subjects(was) - _subjects(now), _subjects(now) - _subjects(was)
    moved = Counter((f.code, f.severity) for f in gone if f.subject in left)
    for finding in appeared:
        if finding.severity is Severity.INFO:
            continue
        if finding.subject in came and moved[finding.code, finding.severity]:
            moved[finding.code, finding.severity] -= 1
        else:
            yield finding


def _subjects(seen: Observation) -> set[str]:
    return {e.subject for e in seen.endpoints} | {record.target for record in seen.mx.records}


def _rank(finding: Finding) -> tuple[int, bool]:
    return finding.severity.rank, finding.severity is not Severity.INFO and finding.outcome not in UNSETTLED


def _told(finding: Finding, what: str) -> str:
    where = f" at {finding.subject}" if finding.subject else ""
    return f"{finding.code}{where} {what} ({finding.severity})"


def _stopped(was: Observation, now: Observation) -> Iterator[str]:
    if now.mx.null_mx and not was.mx.null_mx:
        yield "the domain does not take mail any more (null MX)"


def _settings(was: Observation, now: Observation) -> Iterator[SettingChange]:
    pairs = [
        (f.name, getattr(was.settings, f.name), getattr(now.settings, f.name)) for f in fields(now.settings)
    ]
    for name, old, new in [*pairs, ("resolver", was.resolver, now.resolver)]:
        if old != new:
            yield SettingChange(name=name, old=_words(old), new=_words(new))


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
