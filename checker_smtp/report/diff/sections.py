"""The words and the order of a difference, the same in a terminal and on a page.

All text from servers and DNS is made visible here; a renderer only lays the sections out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checker_smtp.probes.rules import Finding
from checker_smtp.report.model.mail_state import describe_mail
from checker_smtp.report.visible import visible

from .compare import Difference, FindingChange

__all__ = ["DiffLine", "DiffSection", "build_headline", "build_sections", "describe_status"]

_SETTINGS = "Different options"


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
        return "nothing changed"
    return "it got better" if difference.better else "it changed, but did not get worse"


def describe_status(difference: Difference) -> str:
    """Return the status of both checks in words."""
    old, new = difference.old_status, difference.new_status
    return f"still {new}" if old == new else f"{old} → {new}"


def build_sections(difference: Difference) -> tuple[DiffSection, ...]:
    """Return the sections that are not empty, the most urgent first."""
    all_ = (
        DiffSection(
            title="Why it is worse",
            items=tuple(DiffLine(mark="", text=visible(r)) for r in difference.reasons),
        ),
        DiffSection(title="Mail", items=tuple(_mail(difference))),
        DiffSection(title="New findings", items=tuple(_finding(f, "+") for f in difference.appeared)),
        DiffSection(title="Changed findings", items=tuple(_change(pair) for pair in difference.changed)),
        DiffSection(title="Gone", items=tuple(_finding(f, "-") for f in difference.gone)),
        DiffSection(
            title="Not tested again",
            items=tuple(_finding(f, "") for f in difference.unsettled),
            hint="The new check could not test these again.",
        ),
        DiffSection(title="MX", items=tuple(_mx(difference))),
        DiffSection(title="Addresses", items=tuple(_addresses(difference))),
        DiffSection(title="TLS", items=tuple(_tls(difference))),
        DiffSection(title="Extensions", items=tuple(_extensions(difference))),
        DiffSection(
            title=_SETTINGS,
            items=tuple(
                DiffLine(mark="~", text=visible(f"{s.name}: {s.old or 'none'} → {s.new or 'none'}"))
                for s in difference.settings
            ),
            hint="The two checks had different options, which may explain some of the changes.",
        ),
    )
    return tuple(section for section in all_ if section.items)


def _finding(finding: Finding, mark: str) -> DiffLine:
    details = [visible(f"Fix: {finding.fix}")] if mark == "+" else []
    details.append(visible(" · ".join(filter(None, (finding.code, finding.reference)))))
    return DiffLine(
        mark=mark,
        severity=finding.severity,
        text=visible(f"{finding.subject}  {finding.message}" if finding.subject else finding.message),
        details=tuple(details),
    )


def _change(pair: FindingChange) -> DiffLine:
    old, new = pair.old, pair.new
    details = [f"was: {old.severity.upper()} {old.message}"]
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


def _extensions(difference: Difference) -> Iterator[DiffLine]:
    for change in difference.extensions:
        where = f"{change.endpoint}, {'after' if change.tls else 'before'} TLS"
        yield from (DiffLine(mark="-", text=visible(f"{where}: {line}")) for line in change.lost)
        yield from (DiffLine(mark="+", text=visible(f"{where}: {line}")) for line in change.gained)
        yield from (DiffLine(mark="~", text=visible(f"{where}: {a} → {b}")) for a, b in change.changed)
