"""Encode an observation for the host: JSON without default values, truncated to a bounded size.

The host sends it back in bodies of at most 1 MiB, for evaluations and reports, so a larger observation would
be lost. A typical one is far smaller: six kilobytes for each endpoint. If the replies of a server or the
records of a zone exceed their share, texts and transcripts are truncated, and never a field that a verdict
depends on. The other endpoints are not truncated.
"""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import msgspec

from checker_smtp.probes.observation import Observation

__all__ = ["encode_observation"]

# octets for all sessions, all DNS answers, and the MX records; the rest of 1 MiB is for the states and for
# the observations of other checkers
_SESSIONS, _DNS, _MX = 500_000, 100_000, 100_000
# Limits for items of a long list and characters of a text; the first that is small enough is applied. Texts
# keep at least 300 characters, more than any name, because verdicts depend on names. Replies may be shorter.
_LIMITS = ((300, 2000), (60, 600), (10, 300))
_SESSION_LIMITS = (*_LIMITS, (4, 60))
_LONG = (
    "transcript",
    "deviations",
    "unsolicited",
    "parameters",
    "records",
    "ipv4",
    "ipv6",
    "not_public",
    "aliases",
)


def encode_observation(observation: Observation) -> bytes:
    """Return the observation as JSON, which `report.document.load_observation` decodes."""
    document = _without_defaults(observation)
    share = _SESSIONS // max(len(document["endpoints"]), 1)
    for endpoint in document["endpoints"]:
        endpoint["sessions"] = _truncate_items(endpoint["sessions"], share, _SESSION_LIMITS)
    document["dns"] = _truncate_items(document["dns"], _DNS)
    if "records" in document["mx"]:
        document["mx"]["records"] = _truncate_items(document["mx"]["records"], _MX)
    return msgspec.json.encode(document)


def _without_defaults(value: Any) -> Any:
    if is_dataclass(value):
        named = ((field, getattr(value, field.name)) for field in fields(value))
        return {f.name: _without_defaults(v) for f, v in named if f.default is MISSING or v != f.default}
    return [_without_defaults(item) for item in value] if isinstance(value, tuple) else value


def _truncate_items(
    items: list[Any], max_size: int, limits: tuple[tuple[int, int], ...] = _LIMITS
) -> list[Any]:
    """Truncate each item that is larger than its share of `max_size` octets."""
    share = max_size // max(len(items), 1)
    return [_truncate(item, share, limits) for item in items]


def _truncate(item: Any, max_size: int, limits: tuple[tuple[int, int], ...]) -> Any:
    for max_items, max_chars in limits:
        if len(msgspec.json.encode(item)) <= max_size:
            break
        item = _cut(item, max_items, max_chars)
    return item


def _cut(value: Any, max_items: int, max_chars: int, name: str = "") -> Any:
    if isinstance(value, str):
        return value[:max_chars]
    if isinstance(value, dict):
        return {key: _cut(item, max_items, max_chars, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, max_items, max_chars) for item in (value[:max_items] if name in _LONG else value)]
    return value
