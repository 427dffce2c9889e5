"""The JSON Schema (draft 2020-12) of the document that `document.dump` writes.

Made from the types, so it cannot say anything else than they do; this module adds the words that the types
have no place for. Unknown properties are allowed, because a later release may add some without a new version.
"""

import inspect
import json
from typing import Any

import msgspec

from checker_smtp.probes.result import Result

from .document import STATUSES, VERSION

__all__ = ["build_schema", "dump_schema"]

_ID = f"urn:checker-smtp:document:{VERSION}"
_OCTETS = "Octets as latin-1 text: one character, one octet."
_AT = "Seconds since the session began."

# What a field means or may hold, where its name and type do not say it; more than one type may have it.
_FIELDS: dict[str, dict[str, Any]] = {
    "Result.status": {"enum": list(STATUSES), "description": "The verdict in one word."},
    "Result.findings": {"description": "The worst first."},
    "Observation.domain": {"description": "The domain checked, in A-labels."},
    "Observation.run_at": {"format": "date-time", "description": "When the check began."},
    "Observation.seconds": {"description": "How long the check took."},
    "Observation.dns": {"description": "Every question asked, with its answer."},
    "Observation.resolver": {"description": "The DNS server asked; empty for the system's."},
    "DnsAnswer.seconds": {"description": "How long the answer took."},
    "Settings.timeout": {"description": "The longest silence waited for, in seconds."},
    "Endpoint.sessions": {"minItems": 1, "description": "Every connection made, the main one first."},
    "Endpoint.targets": {"description": "The MX targets that lead here."},
    "Finding.code": {"description": "What kind it is; `checker-smtp explain` tells what that means."},
    "Finding.subject": {"description": "An endpoint, an MX target, or empty for the domain."},
    "Finding.rule": {"description": "The rule that made it."},
    "Evidence.source": {"enum": ["dns", "session"]},
    "Evidence.quote": {"description": f"Verbatim. In a session: {_OCTETS[0].lower()}{_OCTETS[1:]}"},
    "ReplySeen.raw": {"description": _OCTETS},
    "ReplySeen.at": {"description": _AT},
    "Irregularity.excerpt": {"description": _OCTETS},
    "Ending.excerpt": {"description": _OCTETS},
    "Ending.at": {"description": _AT},
    "Tls.at": {"description": _AT},
    "Session.connected_at": {"description": f"{_AT} Null where no connection was made."},
    "Session.transcript": {
        "description": "What was asked of the network and what came of it. `do` is connect, send, receive or "
        "upgrade; `data` was sent and `got` received, both octets as latin-1 text; `at` is in seconds."
    },
    "TlsIssue.severity": {"enum": ["info", "warn", "crit"]},
}


def build_schema() -> dict[str, Any]:
    """The schema, a new copy each time."""
    _, types = msgspec.json.schema_components([Result], ref_template="#/$defs/{name}")
    for kind in types.values():
        if "description" in kind:
            kind["description"] = inspect.cleandoc(kind["description"])
    for place, words in _FIELDS.items():
        name, _, field = place.partition(".")
        types[name]["properties"][field] |= words
    # where the type has a default for convenience, `load` does not
    del types["Endpoint"]["properties"]["sessions"]["default"]
    types["Endpoint"]["required"].append("sessions")
    document = types.pop("Result")
    version = {
        "type": "integer",
        "const": VERSION,
        "default": VERSION,
        "description": "The version of this format; documents made before there was one have none.",
    }
    told = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "A check by checker-smtp",
        "description": "What was seen of the inbound mail service of a domain, and the verdict on it.",
        "type": "object",
        "properties": {"version": version, **document["properties"]},
        "required": document["required"],
        "$defs": types,
    }
    # through JSON, so that tuples become lists and nothing is shared with this module
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def dump_schema() -> str:
    """The schema as text, with a final newline."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=True) + "\n"
