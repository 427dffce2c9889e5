"""The observation as the host keeps it: JSON without what is as it is by default, and of bounded size.

The host hands it back in bodies of at most 1 MiB, to be judged and told again, so what is larger would be
lost. An honest domain's is far smaller: six kilobytes an endpoint. Where a server or a zone said more than
has room, that is cut: texts, transcripts and what else only makes it longer, never what a verdict rests on.
The other endpoints are left as they are.
"""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import msgspec

from checker_smtp.probes.observation import Observation

__all__ = ["encode_observation"]

# octets of all sessions together, of all answers of the DNS, and of the MX records; what is left of 1 MiB is
# for the states and for what other checkers found
_SESSIONS, _DNS, _MX = 500_000, 100_000, 100_000
# how many items of a long list and how many characters of a text are kept: the first of these that fits. No
# name is cut, for verdicts rest on names; what is said in a session may be cut shorter.
_CUTS = ((300, 2000), (60, 600), (10, 300))
_SESSION_CUTS = (*_CUTS, (4, 60))
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
    """The observation as JSON; `report.document.load_observation` reads it back."""
    plain = _plain(observation)
    share = _SESSIONS // max(len(plain["endpoints"]), 1)
    for endpoint in plain["endpoints"]:
        endpoint["sessions"] = _fitted(endpoint["sessions"], share, _SESSION_CUTS)
    plain["dns"] = _fitted(plain["dns"], _DNS)
    if "records" in plain["mx"]:
        plain["mx"]["records"] = _fitted(plain["mx"]["records"], _MX)
    return msgspec.json.encode(plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        named = ((field, getattr(value, field.name)) for field in fields(value))
        return {f.name: _plain(v) for f, v in named if f.default is MISSING or v != f.default}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _fitted(items: list[Any], room: int, cuts: tuple[tuple[int, int], ...] = _CUTS) -> list[Any]:
    """The items, each cut to its share of `room` where it is larger."""
    share = room // max(len(items), 1)
    return [_cut_to(item, share, cuts) for item in items]


def _cut_to(item: Any, room: int, cuts: tuple[tuple[int, int], ...]) -> Any:
    for most, length in cuts:
        if len(msgspec.json.encode(item)) <= room:
            break
        item = _cut(item, most, length)
    return item


def _cut(value: Any, most: int, length: int, name: str = "") -> Any:
    if isinstance(value, str):
        return value[:length]
    if isinstance(value, dict):
        return {key: _cut(item, most, length, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, most, length) for item in (value[:most] if name in _LONG else value)]
    return value
