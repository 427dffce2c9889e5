"""The fix for each kind of finding in each mail server, for the report and for `explain`.

The texts are in `texts/`, one file a code, or one for codes that share the `advice` of their records.
They are prose for postmasters: a key for each mail server, paragraphs with settings in backticks, and lines
with four spaces in front that are to be copied as they are. Names below example.org and the addresses of
RFC 5737 stand for the reader's own. A server without a better text than the general fix has no key. The table
`tried` names the version on which the lines of a text were tried: a fault, the lines, a healthy server.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files

from checker_smtp.probes.rules import CODES

from .software import Software

__all__ = ["advice_for", "all_advice"]


def advice_for(code: str, software: str | None = None) -> str:
    """Return the fix for this code on this software (a name of `Software`), or the general one.

    It is empty for codes of another checker, whose findings bring their own.
    """
    tailored = all_advice(code).get(software or "")
    return tailored or (CODES[code].fix if code in CODES else "")


def all_advice(code: str) -> dict[str, str]:
    """Return the fixes that are particular to one software, by its name, in the order of `Software`."""
    texts = _texts(CODES[code].advice or code) if code in CODES else {}
    return {str(software): texts[software] for software in Software if software in texts}


@cache
def _texts(name: str) -> dict[str, str]:
    file = files(__package__).joinpath("texts", f"{name}.toml")
    if not file.is_file():
        return {}
    texts = tomllib.loads(file.read_text("utf-8"))
    tried = texts.pop("tried", {})
    return {software: _with_trial(_unwrap(text), tried.get(software, "")) for software, text in texts.items()}


def _with_trial(text: str, version: str) -> str:
    """Return the text with a sentence on how far its lines can be trusted; prose alone needs none."""
    if not re.search("^    ", text, re.MULTILINE):
        return text
    return f"{text}\n" + (f"Tried on {version}." if version else "Not tried on a server.")


def _unwrap(text: str) -> str:
    """Return one line a paragraph, whatever the width of the file; lines to be copied stay."""
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        copied = line.startswith("    ")
        if lines and not copied and not lines[-1].startswith("    "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)
