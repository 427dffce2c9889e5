"""The JSON Schema (draft 2020-12) of the document that `document.dump` writes, and of older ones.

It is made from the types, so the two cannot differ; this module adds the descriptions. Unknown properties are
allowed, because a later release may add some without a new version.
"""

import inspect
import json
from typing import Any

import msgspec

from checker_smtp.probes.result import Result
from checker_smtp.report.document import MAX_REASON, MAX_WORDS, REASON_PATTERN, STATUSES, VERSION

__all__ = ["build_schema", "dump_schema"]

_ID = f"urn:checker-smtp:document:{VERSION}"
_OCTETS = "Octets as latin-1 text: one character, one octet."
_REASON = {"maxLength": MAX_REASON, "pattern": REASON_PATTERN}
_AT = "Seconds since the session began."

# The meaning and the limits of a field, where its name and type do not give them.
_FIELDS: dict[str, dict[str, Any]] = {
    "Result.status": {"enum": list(STATUSES), "description": "The verdict in one word."},
    "Result.findings": {"description": "The findings, worst first."},
    "Result.mail": {"description": "Whether mail to the domain arrives, and the reason."},
    "Delivery.reason": {**_REASON, "description": "The reason in a word; empty where mail is accepted."},
    "Observation.domain": {"description": "The domain checked, in A-labels."},
    "Observation.run_at": {"format": "date-time", "description": "The start of the check."},
    "Observation.seconds": {"description": "Duration of the check."},
    "Observation.dns": {"description": "All DNS queries with their answers."},
    "Observation.resolver": {"description": "The DNS server; empty for that of the system."},
    "DnsAnswer.seconds": {"description": "Duration of the query."},
    "Settings.timeout": {"description": "The time limit of each step, in seconds."},
    "Endpoint.sessions": {"minItems": 1, "description": "All sessions, the main one first."},
    "Endpoint.targets": {"description": "The MX targets with this address."},
    "Finding.code": {"description": "The kind of finding; `checker-smtp explain` describes it."},
    "Finding.subject": {"description": "An endpoint, an MX target, or empty for the domain."},
    "Finding.id": {"description": "Domain, code and subject: the same for the same fault in every check."},
    "Finding.reason": {**_REASON, "description": "The reason of a refusal in a word; empty without one."},
    "Finding.words": {
        "maxLength": MAX_WORDS,
        "description": "The words of the reply, or its code, that show the reason, verbatim.",
    },
    "Finding.rule_severity": {
        "description": "The severity that the rule gave, if the configuration gave another one; else null.",
    },
    "Finding.acceptance": {
        "description": "Why the operator accepts the finding, which then does not count; else null."
    },
    "Result.unused_acceptances": {
        "description": "Acceptances for this domain that are over, or match no finding."
    },
    "Acceptance.until": {"description": "The last day, in UTC; null for no end."},
    "Finding.rule": {"description": "The rule that reported it."},
    "Evidence.source": {"enum": ["dns", "session"]},
    "Evidence.quote": {"description": f"Verbatim. In a session: {_OCTETS[0].lower()}{_OCTETS[1:]}"},
    "ReplySeen.raw": {"description": _OCTETS},
    "ReplySeen.at": {"description": _AT},
    "Irregularity.excerpt": {"description": _OCTETS},
    "Ending.excerpt": {"description": _OCTETS},
    "Ending.at": {"description": _AT},
    "Tls.at": {"description": _AT},
    "Certificate.sha256": {"description": "Of the DER encoding, in hexadecimal digits."},
    "Certificate.not_before": {"description": "RFC 3339, in UTC; empty where it could not be read."},
    "Certificate.not_after": {"description": "RFC 3339, in UTC; empty where it could not be read."},
    "Session.connected_at": {"description": f"{_AT} Null without a connection."},
    "Session.transcript": {
        "description": "Each operation on the network with its result. `do` is connect, send, receive or "
        "upgrade; `data` was sent and `got` received, both octets as latin-1 text; `at` is in seconds. Past "
        "64 reads in a row, reads are joined: `reads` is their number, `first` the time of the first. "
        "`failed` is `evidence` or `check-budget` where a limit of the check ended the session."
    },
    "TlsIssue.severity": {"enum": ["info", "warn", "crit"]},
}


def build_schema() -> dict[str, Any]:
    """Build the schema; each call returns a new copy."""
    _, types = msgspec.json.schema_components([Result], ref_template="#/$defs/{name}")
    for kind in types.values():
        if "description" in kind:
            kind["description"] = inspect.cleandoc(kind["description"])
    for place, words in _FIELDS.items():
        name, _, field = place.partition(".")
        types[name]["properties"][field] |= words
    # the type has a default for convenience, but `load` requires a session
    del types["Endpoint"]["properties"]["sessions"]["default"]
    types["Endpoint"]["required"].append("sessions")
    document = types.pop("Result")
    version = {
        "type": "integer",
        "minimum": 1,
        "maximum": VERSION,
        "default": 1,
        "description": "The version of this format; the first documents have none, and no `mail`.",
    }
    refusals = {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 1},
        "default": {},
        "description": "For each endpoint that refused something, the number of refusals in the sessions "
        "shown here: replies of 4yz or 5yz to the connection, EHLO, HELO, MAIL or RCPT, and 421 at any "
        "step. Each is a line in the log of the server. Counted from the observation, and ignored where a "
        "document is read.",
    }
    document_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "A check by checker-smtp",
        "description": "The observation of the inbound mail service of a domain, and the verdict on it.",
        "type": "object",
        "properties": {"version": version, **document["properties"], "refusals": refusals},
        "required": [name for name in document["required"] if name != "mail"],
        "if": {"required": ["version"], "properties": {"version": {"minimum": 2}}},
        "then": {"required": ["mail"]},
        "$defs": types,
    }
    # through JSON, which turns tuples into lists and copies the parts of this module
    plain: dict[str, Any] = json.loads(json.dumps(document_schema))
    return plain


def dump_schema() -> str:
    """Return the schema as text, with a final newline."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=True) + "\n"
