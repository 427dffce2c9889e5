"""The JSON document: a version, the observation, the findings, the status.

ASCII only, so that nothing a server said can reach a terminal as anything but text. `load` reads back what
`dump` wrote, without loss, for judging again. Fields are only ever added within a version, with a default,
and unknown ones are passed over; so older documents stay readable, among them those from before there was
a version. What `load` returns can be judged and told, though a stranger may have written it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from probes.result import Result
from probes.rules import Severity

__all__ = ["STATUSES", "VERSION", "DocumentError", "dump", "load"]

VERSION = 1
STATUSES = ("ok", "info", "warning", "critical", "unknown")


class DocumentError(ValueError):
    """The text is no document of ours; the message says where it goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    version: int = VERSION


def dump(result: Result) -> str:
    """The document, indented, with a final newline."""
    document = {"version": VERSION, **msgspec.to_builtins(result)}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


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
    wrong = f"the version is {version}" if version < 1 else next(_wrong(result), "")
    if wrong:
        raise DocumentError(f"this is no document of checker-smtp: {wrong}")
    return result


def _wrong(result: Result) -> Iterator[str]:
    """What the types cannot say, and whoever reads a result relies on."""
    seen = result.observation
    if result.status not in STATUSES:
        yield f"the status {result.status[:40]!r} is none of {', '.join(STATUSES)}"
    for endpoint in seen.endpoints:
        if not endpoint.sessions:
            yield f"the endpoint {endpoint.subject[:60]!r} has no session"
        try:
            ip_address(endpoint.address)
        except ValueError:
            yield f"the endpoint {endpoint.subject[:60]!r} has no IP address"
    for issue in (issue for probe in seen.tls_probes for issue in probe.issues):
        if issue.severity not in tuple(Severity):
            yield f"the severity {issue.severity[:40]!r} is none of {', '.join(Severity)}"
