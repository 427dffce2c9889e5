"""The registry of formats; it loads no renderer before its first use."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import anyio
import pytest

from checker_smtp import replay
from checker_smtp.probes.rules import CODES
from checker_smtp.report import formats
from checker_smtp.report.advice.explain import find_code, render_explanation
from checker_smtp.report.formats import FORMATS, Terminal, render
from tests.report.results import FIXTURES, POSTURES, everywhere_hostile, hidden

ROOT = Path(__file__).parents[2]
BEGINS = {
    "text": "example.org",
    "json": "{",
    "jsonl": "{",
    "html": "<!DOCTYPE html>",
    "nagios": "SMTP ",
    "prometheus": "# HELP",
    "junit": "<?xml",
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("posture", POSTURES)
def test_every_format_renders_every_posture(form: str, posture: str) -> None:
    text = render(POSTURES[posture](), form)
    assert text.startswith(BEGINS[form])
    assert text.endswith("\n")
    assert text == render(POSTURES[posture](), form, Terminal())


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_content_controls_no_terminal(form: str) -> None:
    text = render(everywhere_hostile(), form)
    assert not hidden(text)


def test_the_text_depends_on_the_terminal() -> None:
    result = POSTURES["relay"]()
    assert "\x1b[" in render(result, "text", Terminal(colour=True))
    assert render(result, "text", Terminal(ascii_only=True)).isascii()


@pytest.mark.slow
def test_without_utf_8_nothing_of_ours_is_shown_as_an_escape() -> None:
    terminal = Terminal(ascii_only=True)
    # the replies of a server keep their escapes: each octet of them is evidence
    folders = [path for path in FIXTURES if not path.name.startswith("odd-")]
    found = {path.name: render(anyio.run(replay, path), "text", terminal) for path in folders}
    found |= {code: render_explanation(find_code(code), terminal) for code in CODES}
    for name, text in found.items():
        assert text.isascii(), name
        assert not re.search(r"\\(u[0-9a-f]{4}|x[89a-f][0-9a-f])", text), name


def test_a_module_more_is_a_format_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("brief.py").write_text(
        "def render_brief(result, terminal):\n    return f'{result.status}\\n'\n", "utf-8"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    assert formats.find_formats() == tuple(sorted((*FORMATS, "brief")))
    assert render(POSTURES["relay"](), "brief") == "critical\n"


def test_every_module_is_a_format() -> None:
    problems = [
        f"report/formats/{name}.py has no function render_{name}: add it, or move the module elsewhere"
        for name in FORMATS
        if not hasattr(import_module(f"{formats.__name__}.{name}"), f"render_{name}")
    ]
    assert not problems, "\n".join(problems)


def test_the_commands_load_no_renderer() -> None:
    libraries = {"jinja2", "prometheus_client", "msgspec", "rich", "anyio", "xml.etree", "difflib"}
    heavy = libraries | {"checker_smtp.probes"}
    names = ("replay", "diff", "explain", "schema", "rules")
    program = f"import sys, {', '.join(f'checker_smtp.cli.commands.{name}' for name in names)}"
    program += f"; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
