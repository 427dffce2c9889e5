"""The requests of the host as JSON: unknown fields are ignored, and null is Go's empty value."""

from typing import TypeVar

import msgspec

__all__ = [
    "BodyError",
    "CollectRequest",
    "EvaluateRequest",
    "PrecheckRequest",
    "ReportRequest",
    "decode",
    "decode_or_none",
]

_T = TypeVar("_T")


class BodyError(ValueError):
    """A body that cannot be decoded; the message is one sentence that names the field or the position."""


class PrecheckRequest(msgspec.Struct):
    """`POST /definition`."""

    options: dict[str, object] | None = None


class CollectRequest(msgspec.Struct):
    """`POST /collect`; the owner of the target is of interest to the host alone, and is ignored."""

    key: str = ""
    options: dict[str, object] | None = None
    enabled_rules: dict[str, bool] | None = msgspec.field(name="enabledRules", default=None)


class EvaluateRequest(msgspec.Struct):
    """`POST /evaluate`; the collected observations by their keys."""

    observations: dict[str, msgspec.Raw] | None = None
    enabled_rules: dict[str, bool] | None = msgspec.field(name="enabledRules", default=None)


class _State(msgspec.Struct):
    rule: str = ""


class ReportRequest(msgspec.Struct):
    """`POST /report`; `related` has other checkers' observations by their keys, `states` the evaluation."""

    key: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    related: dict[str, object] | None = None
    states: list[_State] | None = None


def decode(body: bytes, kind: type[_T]) -> _T:
    """Decode the body into an object of this type. Raises `BodyError`."""
    if not body.strip():
        raise BodyError("the body is empty: send a JSON object")
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise BodyError("the body is nested too deeply: no field of this protocol needs that") from None
    except msgspec.ValidationError as error:
        raise BodyError(f"the body does not fit this route: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BodyError(f"the body is not JSON: {error}") from None


def decode_or_none(text: str | bytes) -> object:
    """Decode another program's JSON; None if it is malformed."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
