"""How each kind of finding is mended in each mail server: what the report and `explain` both print.

The texts are in `advice_texts/*.toml`, by theme, because they are prose for postmasters and not code. A text
is paragraphs with settings in backticks; lines that begin with four spaces are to be copied as they are.
Names below example.org and the addresses of RFC 5737 stand for the reader's own. Where nothing better than
the code's general advice is known for a server there is no entry, and the general advice is given.
"""

import tomllib
from functools import cache
from importlib.resources import files

from checker_smtp.probes.rules import CODES

from .software import Software

__all__ = ["advice_for", "all_advice"]


def advice_for(code: str, software: str | None = None) -> str:
    """The fix for this code on this software (a name of `Software`), in general where there is no other.

    Empty for codes of another checker, which bring their own.
    """
    tailored = all_advice(code).get(software or "")
    return tailored or (CODES[code].fix if code in CODES else "")


def all_advice(code: str) -> dict[str, str]:
    """The fixes that are particular to one software, by its name, in the order of `Software`."""
    known = _texts().get(code, {})
    return {str(software): known[software] for software in Software if software in known}


@cache
def _texts() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = {}
    for file in files(__package__).joinpath("advice_texts").iterdir():
        if file.name.endswith(".toml"):
            for entry in tomllib.loads(file.read_text("utf-8"))["fix"]:
                told = {name: _unwrapped(text) for name, text in entry.items() if name != "codes"}
                for code in entry["codes"]:
                    texts.setdefault(code, {}).update(told)
    return texts


def _unwrapped(text: str) -> str:
    """One line a paragraph, whatever the width of the file; lines to be copied stay."""
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        copied = line.startswith("    ")
        if lines and not copied and not lines[-1].startswith("    "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)
