"""The JSON document: a version, the observation, the findings, the status.

ASCII only, so that nothing a server said can reach a terminal as anything but text. `load` reads back what
`dump` wrote, without loss, for judging again. Fields are only ever added within a version, with a default,
and unknown ones are passed over; so older documents stay readable, among them those from before there was
a version. What `load` returns can be judged and told, though a stranger may have written it.
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
# what a line of a transcript has beside `do` and `at`
_ENTRIES: dict[str, set[str]] = {
    "connect": {"host", "port"},
    "send": {"data"},
    "receive": set(),
    "upgrade": {"server_name"},
}
_SECURED = {"version", "cipher"}


class DocumentError(ValueError):
    """The text is no document of ours; the message says where it goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    version: int = VERSION


def dump(result: Result) -> str:
    """The document, indented, with a final newline."""
    document = {"version": VERSION, **msgspec.to_builtins(result)}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def dump_line(result: Result) -> bytes:
    """The document as one line of a scan's results, without its end."""
    line = msgspec.json.encode(result)
    if not line.isascii():
        # in JSON only strings hold such characters, so each can be escaped where it stands
        line = _not_ascii.sub(lambda found: json.dumps(found[0])[1:-1], line.decode()).encode()
    return b'{"version":%d,%s' % (VERSION, line[1:])


def dump_not_checked(domain: str, why: str, reason: str) -> bytes:
    """The line of a name that was not checked: `why` in a word, `reason` in a sentence."""
    line = {"version": VERSION, "domain": domain, NOT_CHECKED: why, "reason": reason}
    return json.dumps(line, separators=(",", ":")).encode()


def load(text: str | bytes) -> Result:
    """Read a document. Raises `DocumentError`."""
    try:
        # the version first: what a newer one looks like is not ours to judge
        version = msgspec.json.decode(text, type=_Head).version
        if version > VERSION:
            raise DocumentError(
                f"this document has version {version}, and this checker-smtp reads versions up to {VERSION}: "
                "install a newer one"
            )
        result = msgspec.json.decode(text, type=Result)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DocumentError(f"this is no document of checker-smtp: {error}") from error
    wrong = next(_wrong(result.observation), "")
    if result.status not in STATUSES:
        wrong = f"the status {result.status[:40]!r} is none of {', '.join(STATUSES)}"
    if version < 1:
        wrong = f"the version is {version}"
    if wrong:
        raise DocumentError(f"this is no document of checker-smtp: {wrong}")
    return result


def load_observation(text: str | bytes) -> Observation:
    """Read an observation alone, as a document has it. Raises `DocumentError`."""
    try:
        observation = msgspec.json.decode(text, type=Observation)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DocumentError(f"this is no observation of checker-smtp: {error}") from error
    if wrong := next(_wrong(observation), ""):
        raise DocumentError(f"this is no observation of checker-smtp: {wrong}")
    return observation


def _wrong(seen: Observation) -> Iterator[str]:
    """What the types cannot say, and whoever reads an observation relies on."""
    for endpoint in seen.endpoints:
        if not endpoint.sessions:
            yield f"the endpoint {endpoint.subject[:60]!r} has no session"
        try:
            ip_address(endpoint.address)
        except ValueError:
            yield f"the endpoint {endpoint.subject[:60]!r} has no IP address"
        if not all(_is_entry(entry) for session in endpoint.sessions for entry in session.transcript):
            yield f"a transcript of the endpoint {endpoint.subject[:60]!r} has a line that says nothing"
    for issue in (issue for probe in seen.tls_probes for issue in probe.issues):
        if issue.severity not in tuple(Severity):
            yield f"the severity {issue.severity[:40]!r} is none of {', '.join(Severity)}"


def _is_entry(entry: Entry) -> bool:
    kind = str(entry.get("do"))
    if kind not in _ENTRIES or not isinstance(entry.get("at"), int | float):
        return False
    secured = kind == "upgrade" and "failed" not in entry
    return entry.keys() >= _ENTRIES[kind] | (_SECURED if secured else set())
