"""The JSON document: a version, the observation, the findings, the status.

ASCII only, so that no reply of a server can control a terminal. `load` reads a document of `dump` without
loss, for another evaluation. Within a version, fields are only added, with a default, and unknown fields are
ignored. So older documents stay readable, even those without a version. A document may come from anyone:
the result of `load` is safe to evaluate and to render.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from checker_smtp.probes.observation import Entry, Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Severity

__all__ = [
    "NOT_CHECKED",
    "STATUSES",
    "VERSION",
    "DocumentError",
    "dump",
    "dump_line",
    "dump_not_checked",
    "load",
    "load_observation",
]

VERSION = 1
_not_ascii = re.compile(r"[^\x00-\x7f]+")
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
    version: int = VERSION


def dump(result: Result) -> str:
    """Return the document of `result`, indented, with a final newline."""
    document = {"version": VERSION, **msgspec.to_builtins(result)}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def dump_line(result: Result) -> bytes:
    """Return the document as one line of a scan's results, without the line end."""
    line = msgspec.json.encode(result)
    if not line.isascii():
        # in JSON only strings contain such characters, so each can be escaped in place
        line = _not_ascii.sub(lambda match: json.dumps(match[0])[1:-1], line.decode()).encode()
    return b'{"version":%d,%s' % (VERSION, line[1:])


def dump_not_checked(domain: str, why: str, reason: str) -> bytes:
    """Return the line of a name that was not checked: `why` is a word, `reason` a sentence."""
    line = {"version": VERSION, "domain": domain, NOT_CHECKED: why, "reason": reason}
    return json.dumps(line, separators=(",", ":")).encode()


def load(text: str | bytes) -> Result:
    """Read a document and return its result.

    Raises `DocumentError` where the text is not a document, has a newer version, or contradicts itself.
    """
    try:
        # the version first: the structure of a newer version is not known
        version = msgspec.json.decode(text, type=_Head).version
        if version > VERSION:
            raise DocumentError(
                f"this document has version {version}, and this checker-smtp reads versions up to {VERSION}: "
                "install a newer checker-smtp"
            )
        result = msgspec.json.decode(text, type=Result)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DocumentError(f"this is not a document of checker-smtp: {error}") from error
    error_text = next(_errors(result.observation), "")
    if result.status not in STATUSES:
        error_text = f"the status {result.status[:40]!r} is none of {', '.join(STATUSES)}"
    if version < 1:
        error_text = f"the version is {version}"
    if error_text:
        raise DocumentError(f"this is not a document of checker-smtp: {error_text}")
    return result


def load_observation(text: str | bytes) -> Observation:
    """Read the observation of a document on its own and return it. Raises `DocumentError`, as `load` does."""
    try:
        observation = msgspec.json.decode(text, type=Observation)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DocumentError(f"this is not an observation of checker-smtp: {error}") from error
    if error_text := next(_errors(observation), ""):
        raise DocumentError(f"this is not an observation of checker-smtp: {error_text}")
    return observation


def _errors(observation: Observation) -> Iterator[str]:
    """Yield the violations of the invariants that the types do not express and rules and reports rely on."""
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
    secured = kind == "upgrade" and "failed" not in entry
    return entry.keys() >= _ENTRIES[kind] | (_SECURED if secured else set())
