"""Replies as a server sends them, taken apart for `read_refusal`."""

import re
from pathlib import Path

from checker_smtp.probes.refusals import Refusal, Step, read_refusal

_CODE = re.compile(r"^([45][0-9]{2})(?:[ -]|$)", re.MULTILINE)
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![.0-9])")


def parts_of(reply: str) -> tuple[int, str, str]:
    """Return basic code, enhanced code and text of a reply, as the parser of the project gives them."""
    code = int(reply[:3])
    text = _CODE.sub("", reply)
    enhanced = _ENHANCED.match(text)
    return (code, enhanced[0], text[enhanced.end() :].lstrip()) if enhanced else (code, "", text)


def read(reply: str, step: Step = Step.RCPT, sender: str = "") -> Refusal:
    """Return what a reply says."""
    code, enhanced_code, text = parts_of(reply)
    return read_refusal(code, enhanced_code, text, step=step, sender=sender)


def from_file(name: str) -> list[tuple[str, str]]:
    """Return expected reasons and reply of each line of a file below this folder."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    rows = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    return [(expected, reply.replace("\\n", "\n")) for expected, reply in rows]
