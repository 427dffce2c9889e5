"""What the host sends, read from JSON: unknown fields are passed over, null is what Go sends for nothing."""

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
    """A body that cannot be read; the message is one sentence that says where it goes wrong."""


class PrecheckRequest(msgspec.Struct):
    """`POST /definition`."""

    options: dict[str, object] | None = None


class CollectRequest(msgspec.Struct):
    """`POST /collect`; whose the target is matters to the host alone."""

    key: str = ""
    options: dict[str, object] | None = None
    enabled_rules: dict[str, bool] | None = msgspec.field(name="enabledRules", default=None)


class EvaluateRequest(msgspec.Struct):
    """`POST /evaluate`; observations by key, as they were collected."""

    observations: dict[str, msgspec.Raw] | None = None
    enabled_rules: dict[str, bool] | None = msgspec.field(name="enabledRules", default=None)


class _State(msgspec.Struct):
    rule: str = ""


class ReportRequest(msgspec.Struct):
    """`POST /report`; what other checkers found by its key, and the rules of the states come to."""

    key: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    related: dict[str, object] | None = None
    states: list[_State] | None = None


def decode(body: bytes, kind: type[_T]) -> _T:
    """The body as an object of this kind. Raises `BodyError`."""
    if not body.strip():
        raise BodyError("the body is empty: send a JSON object")
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise BodyError("the body is nested too deeply: no field of this protocol needs that") from None
    except msgspec.ValidationError as error:
        raise BodyError(f"the body is not what this route takes: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BodyError(f"the body is not JSON: {error}") from None


def decode_or_none(text: str | bytes) -> object:
    """What another program wrote as JSON; None where it cannot be read."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
