"""The words and the order of a difference, the same in a terminal and on a page.

All text from servers and DNS is made visible here; a renderer only lays the sections out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from checker_smtp.probes.rules import Finding
from checker_smtp.report.model.mail_state import describe_mail
from checker_smtp.report.model.panels import describe_acceptance, list_unused
from checker_smtp.report.visible import visible

from .compare import Difference, FindingChange

__all__ = ["DiffLine", "DiffSection", "build_headline", "build_sections", "describe_status"]

_SETTINGS, _AGAIN = "Different options", "Not tested again"
_HINTS = {
    _AGAIN: "The new check could not test these again.",
    _SETTINGS: "The two checks had different options, which may explain some of the changes.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line: `mark` is `+`, `-`, `~` or empty; `severity` is empty for a line that is not a finding."""

    mark: str
    text: str
    severity: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffSection:
    """A title with its lines; `hint` is a sentence that explains them."""

    title: str
    items: tuple[DiffLine, ...]
    hint: str = ""


def build_headline(difference: Difference) -> str:
    """Return the verdict in words."""
    if difference.worse:
        return "it got worse"
    if difference.new_status == "unknown":
        return "it could not be tested this time"
    if all(section.title == _SETTINGS for section in build_sections(difference)):
        return "it could be tested again" if difference.old_status == "unknown" else "nothing changed"
    return "it got better" if difference.better else "it changed, but did not get worse"


def describe_status(difference: Difference) -> str:
    """Return the status of both checks in words."""
    old, new = difference.old_status, difference.new_status
    return f"still {new}" if old == new else f"{old} → {new}"


def build_sections(difference: Difference) -> tuple[DiffSection, ...]:
    """Return the sections that are not empty, the most urgent first."""
    unused = list_unused(difference.unused_acceptances, difference.new_run_at)
    sections: tuple[tuple[str, Iterable[DiffLine]], ...] = (
        ("Why it is worse", (DiffLine(mark="", text=visible(r)) for r in difference.reasons)),
        ("Mail", _mail(difference)),
        ("New findings", (_finding(f, "+") for f in difference.appeared)),
        ("Changed findings", map(_change, difference.changed)),
        ("Gone", (_finding(f, "-") for f in difference.gone)),
        (_AGAIN, (_finding(f, "") for f in difference.unsettled)),
        ("MX", _mx(difference)),
        ("Addresses", _addresses(difference)),
        ("TLS", _tls(difference)),
        ("Extensions", _extensions(difference)),
        ("Acceptances", (DiffLine(mark="", text=t) for t in unused)),
        (_SETTINGS, _settings(difference)),
    )
    all_ = (DiffSection(title=t, items=tuple(lines), hint=_HINTS.get(t, "")) for t, lines in sections)
    return tuple(section for section in all_ if section.items)


def _finding(finding: Finding, mark: str) -> DiffLine:
    is_new_fault = mark == "+" and finding.acceptance is None
    details = [visible(f"Fix: {finding.fix}")] if is_new_fault else []
    if acceptance := describe_acceptance(finding):
        details.append(acceptance)
    details.append(visible(" · ".join(filter(None, (finding.code, finding.reference)))))
    return DiffLine(
        mark=mark,
        severity=finding.severity,
        text=visible(f"{finding.subject}  {finding.message}" if finding.subject else finding.message),
        details=tuple(details),
    )


def _change(pair: FindingChange) -> DiffLine:
    old, new = pair.old, pair.new
    is_of_acceptance = (old.acceptance is None) != (new.acceptance is None)
    is_same = is_of_acceptance and (old.severity, old.outcome) == (new.severity, new.outcome)
    # the same sentence twice would look like a change of it
    details = [] if is_same else [f"was: {old.severity.upper()} {old.message}"]
    if old.acceptance is not None and new.acceptance is None:
        details.append(f"was {describe_acceptance(old)}")
    if old.outcome != new.outcome:
        details.append(f"{old.outcome} → {new.outcome}")
    line = _finding(new, "~")
    return replace(line, details=(*map(visible, details), *line.details))


def _mail(difference: Difference) -> Iterator[DiffLine]:
    old, new = difference.old_mail, difference.new_mail
    if old.state != new.state:
        yield DiffLine(mark="~", text=f"{describe_mail(old)} → {describe_mail(new)}")


def _mx(difference: Difference) -> Iterator[DiffLine]:
    for change in difference.mx:
        old, new = (" and ".join(map(str, preferences)) for preferences in (change.old, change.new))
        mark = "~" if old and new else "+" if new else "-"
        preference = f"{old} → {new}" if old and new else new or old
        yield DiffLine(mark=mark, text=visible(f"{change.target}, preference {preference}"))


def _addresses(difference: Difference) -> Iterator[DiffLine]:
    for change in difference.addresses:
        for mark, addresses in (("+", change.gained), ("-", change.lost)):
            yield from (DiffLine(mark=mark, text=visible(f"{change.target}: {a}")) for a in addresses)


def _tls(difference: Difference) -> Iterator[DiffLine]:
    for change in difference.tls:
        old = ", ".join(filter(None, (change.old_version, change.old_cipher))) or "none"
        new = ", ".join(filter(None, (change.new_version, change.new_cipher))) or "none"
        mark = "+" if not change.old_version else "~" if change.new_version else "-"
        yield DiffLine(mark=mark, text=visible(f"{change.endpoint}: {old} → {new}"))


def _settings(difference: Difference) -> Iterator[DiffLine]:
    for setting in difference.settings:
        change = f"{setting.name}: {setting.old or 'none'} → {setting.new or 'none'}"
        yield DiffLine(mark="~", text=visible(change))


def _extensions(difference: Difference) -> Iterator[DiffLine]:
    for change in difference.extensions:
        where = f"{change.endpoint}, {'after' if change.tls else 'before'} TLS"
        yield from (DiffLine(mark="-", text=visible(f"{where}: {line}")) for line in change.lost)
        yield from (DiffLine(mark="+", text=visible(f"{where}: {line}")) for line in change.gained)
        yield from (DiffLine(mark="~", text=visible(f"{where}: {a} → {b}")) for a, b in change.changed)
