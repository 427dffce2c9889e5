"""The parts of a result that do not depend on the way it was obtained."""

import re
from dataclasses import replace
from typing import Any

from msgspec import to_builtins

from checker_smtp.probes.observation import Session
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, load
from tests.probes.sessions import plain

__all__ = ["comparable"]


def comparable(result: Result) -> dict[str, Any]:
    """Return a result without times, random addresses, positions of evidence in a transcript, and the SNI.

    The SNI is the MX host of the first domain: an address is probed once, under however many names.
    """
    result = load(re.sub("nobody-[0-9a-f]{16}|[0-9a-f]{16}[.]invalid", "nobody", dump(result)))
    document: dict[str, Any] = to_builtins(result)
    seen = document["observation"]
    for field in ("run_at", "seconds"):
        del seen[field]
    seen["dns"] = sorted(seen["dns"], key=lambda answer: (answer["name"], answer["rdtype"]))
    for answer in seen["dns"]:
        del answer["seconds"]
    for endpoint, observed in zip(seen["endpoints"], result.observation.endpoints, strict=True):
        endpoint["sessions"] = [plain(_nameless(session)) for session in observed.sessions]
    for finding in document["findings"]:
        finding["evidence"] = len(finding["evidence"])
    return document


def _nameless(session: Session) -> Session:
    return replace(session, tls=session.tls and replace(session.tls, server_name=""))
