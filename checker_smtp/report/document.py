"""The JSON document: a version, the observation, the findings, the status, the state of the domain's mail.

ASCII only, so that no reply of a server can control a terminal. `load` reads a document of `dump` without
loss, for another evaluation. Within a version, fields are only added, with a default, and unknown fields are
ignored. So older documents stay readable, even those without a version. Version 2 added `mail`, and the `id`,
`reason` and `words` of a finding; in an older document `load` computes the first two and leaves the others
empty. `refusals` is counted for readers, and `load` does not read it. A document may come from anyone: the
result of `load` is safe to evaluate and to render, and not larger than that of a check (`bounds`).
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from ipaddress import ip_address
from typing import TypeVar

import msgspec

from checker_smtp.probes.observation import Entry, Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Acceptance, Delivery, Finding, Severity, finding_id, judge_delivery

from .bounds import excess_findings, excess_parts
from .refusal_count import count_refusals

__all__ = [
    "MAX_REASON",
    "MAX_WORDS",
    "NOT_CHECKED",
    "REASON_PATTERN",
    "STATUSES",
    "VERSION",
    "DocumentError",
    "dump",
    "dump_line",
    "dump_not_checked",
    "load",
    "load_observation",
]

_T = TypeVar("_T")
VERSION = 2
# documents without a version are of the first one
_FIRST = 1
# A later release may have other reasons, but each is a word.
MAX_REASON = 40
MAX_WORDS = 200
REASON_PATTERN = "^[a-z0-9-]*$"
_is_reason = re.compile(r"[a-z0-9-]*").fullmatch
# Escapes characters beyond ASCII, as an error handler of Python's codecs.
_ESCAPE = "checker_smtp.json"
_PIECE = 64 * 1024


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - it is named for encoding only
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPE, _escape)
NOT_CHECKED = "not_checked"
STATUSES = ("ok", "info", "warning", "critical", "unknown")
# the keys that a transcript entry has besides `do` and `at`
_ENTRIES: dict[str, set[str]] = {
    "connect": {"host", "port"},
    "send": {"data"},
    "receive": set(),
    "upgrade": {"server_name"},
}
_SECURED = {"version", "cipher"}


class DocumentError(ValueError):
    """The text is not a document of checker-smtp; the message says where it is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    version: int = _FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The members of a document of any version; `Result` documents them."""

    observation: Observation
    findings: tuple[Finding, ...]
    status: str
    mail: Delivery | None = None
    unused_acceptances: tuple[Acceptance, ...] = ()


def dump(result: Result) -> str:
    """Return the document of `result`, indented, with a final newline."""
    line = dump_line(result)
    try:
        return msgspec.json.format(line, indent=2).decode() + "\n"
    except msgspec.DecodeError:  # half of a surrogate pair
        return json.dumps(json.loads(line), indent=2) + "\n"


def dump_line(result: Result) -> bytes:
    """Return the document as one line of a scan's results, without the line end."""
    try:
        line = msgspec.json.encode(result)
    except UnicodeEncodeError:  # half of a surrogate pair, which no server can send, but a caller may
        line = json.dumps(msgspec.to_builtins(result), separators=(",", ":")).encode()
    out = BytesIO()
    out.write(b'{"version":%d,' % VERSION)
    # in pieces, because a whole document as text takes up to four times its octets
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), memoryview(line)[1:-1]
    for start in range(0, len(rest), _PIECE):
        # in JSON only strings contain other characters, so each can be escaped in place
        out.write(decoder.decode(rest[start : start + _PIECE]).encode("ascii", _ESCAPE))
    counts = json.dumps(count_refusals(result.observation), separators=(",", ":"))
    out.write(b',"refusals":%b}' % counts.encode())
    return out.getvalue()


def dump_not_checked(domain: str, why: str, reason: str) -> bytes:
    """Return the line of a name that was not checked: `why` is a word, `reason` a sentence."""
    line = {"version": VERSION, "domain": domain, NOT_CHECKED: why, "reason": reason}
    return json.dumps(line, separators=(",", ":")).encode()


def load(text: str | bytes) -> Result:
    """Read a document and return its result.

    Raises `DocumentError` where the text is not a document, has a newer version, or contradicts itself.
    """
    # the version first: the structure of a newer version is not known
    version = _decode(text, _Head, "a document").version
    if version > VERSION:
        raise DocumentError(
            f"this document has version {version}, and this checker-smtp reads versions up to {VERSION}: "
            "install a newer checker-smtp"
        )
    document = _decode(text, _Document, "a document")
    _refuse(_document_errors(version, document), "a document")
    observation = document.observation
    return Result(
        observation=observation,
        findings=tuple(
            # an id is made of other fields, so the document's own is not needed
            replace(finding, id=finding_id(observation.domain, finding.code, finding.subject))
            for finding in document.findings
        ),
        status=document.status,
        mail=document.mail or judge_delivery(observation, document.findings),
        unused_acceptances=document.unused_acceptances,
    )


def _document_errors(version: int, document: _Document) -> Iterator[str]:
    """Yield the violations of the invariants of a document, the most fundamental first."""
    if version < _FIRST:
        yield f"the version is {version}"
    if document.status not in STATUSES:
        yield f"the status {document.status[:40]!r} is none of {', '.join(STATUSES)}"
    if document.mail is None and version > _FIRST:
        yield "the object misses the required field `mail`"
    yield from excess_findings(document.findings)
    reasons = [finding.reason for finding in document.findings]
    for reason in (*reasons, document.mail.reason if document.mail is not None else ""):
        if len(reason) > MAX_REASON or not _is_reason(reason):
            yield f"the reason {reason[:MAX_REASON]!r} is no word of at most {MAX_REASON} characters"
    if any(len(finding.words) > MAX_WORDS for finding in document.findings):
        yield f"the words of a finding have more than {MAX_WORDS} characters"
    yield from _errors(document.observation)


def load_observation(text: str | bytes) -> Observation:
    """Read the observation of a document on its own and return it. Raises `DocumentError`, as `load` does."""
    observation = _decode(text, Observation, "an observation")
    _refuse(_errors(observation), "an observation")
    return observation


def _decode(text: str | bytes, kind: type[_T], noun: str) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DocumentError(f"this is not {noun} of checker-smtp: {error}") from error


def _refuse(errors: Iterator[str], noun: str) -> None:
    """Raise the first of the errors, if there is one."""
    for error in errors:
        raise DocumentError(f"this is not {noun} of checker-smtp: {error}")


def _errors(observation: Observation) -> Iterator[str]:
    """Yield the violations of the invariants that the types do not express and rules and reports rely on."""
    yield from excess_parts(observation)
    for endpoint in observation.endpoints:
        if not endpoint.sessions:
            yield f"the endpoint {endpoint.subject[:60]!r} has no session"
        try:
            ip_address(endpoint.address)
        except ValueError:
            yield f"the endpoint {endpoint.subject[:60]!r} has no IP address"
        if not all(_is_entry(entry) for session in endpoint.sessions for entry in session.transcript):
            yield f"a transcript of the endpoint {endpoint.subject[:60]!r} has an invalid entry"
    for issue in (issue for probe in observation.tls_probes for issue in probe.issues):
        if issue.severity not in tuple(Severity):
            yield f"the severity {issue.severity[:40]!r} is none of {', '.join(Severity)}"


def _is_entry(entry: Entry) -> bool:
    kind = str(entry.get("do"))
    if kind not in _ENTRIES or not isinstance(entry.get("at"), int | float):
        return False
    if "reads" in entry and not isinstance(entry.get("first"), int | float):
        return False
    secured = kind == "upgrade" and not entry.keys() & {"failed", "got"}
    return entry.keys() >= _ENTRIES[kind] | (_SECURED if secured else set())
