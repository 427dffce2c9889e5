"""The JSON document: the observation, the findings, the status.

ASCII only, so that nothing a server said can reach a terminal as anything but text. `load` reads back what
`dump` wrote, without loss, for judging again.
"""

import json

import msgspec

from probes.result import Result

__all__ = ["DocumentError", "dump", "load"]


class DocumentError(ValueError):
    """The text is no document of ours; the message says where it goes wrong."""


def dump(result: Result) -> str:
    """The document, indented, with a final newline."""
    return json.dumps(msgspec.to_builtins(result), indent=2, ensure_ascii=True) + "\n"


def load(text: str | bytes) -> Result:
    """Read a document. Raises `DocumentError`."""
    try:
        return msgspec.json.decode(text, type=Result)
    except msgspec.MsgspecError as error:
        raise DocumentError(f"this is no document of checker-smtp: {error}") from error
