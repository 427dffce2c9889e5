"""Every code is explained, in a terminal and on the page of all codes."""

import importlib.util
import re
from pathlib import Path

import pytest

from checker_smtp.probes.rules import CODES
from checker_smtp.report.advice import all_advice
from checker_smtp.report.advice.explain import UnknownCodeError, find_code, render_explanation, steps
from checker_smtp.report.terminal import Terminal
from tests.report.results import NASTY, WIDER, hidden

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code: str) -> None:
    text = render_explanation(find_code(code), Terminal(width=10_000))
    known = CODES[code]
    assert text.startswith(code)
    for text_of_code in (known.title, known.why, known.fix, known.reference):
        assert text_of_code in text
    for software, advice in all_advice(code).items():
        assert f"How to fix in {software}" in text
        assert all(line in text for _, line in steps(advice))
    assert re.search(r"^  smtp\.\w+: ", text, re.MULTILINE)


def test_a_narrow_terminal_without_colours_or_letters() -> None:
    for code in CODES:
        text = render_explanation(find_code(code), Terminal(width=60, ascii_only=True))
        assert text.isascii()
        assert not hidden(text)
        prose = [line for line in text.splitlines() if not line.startswith("      ")]
        assert max(map(len, prose)) <= 60


def test_colours_are_there_when_asked_for() -> None:
    assert "\x1b[" in render_explanation(find_code("smtp.open_relay"), Terminal(colour=True))
    assert "\x1b[" not in render_explanation(find_code("smtp.open_relay"))


def test_case_and_spaces_do_not_matter() -> None:
    assert find_code(" SMTP.Open_Relay\n") == find_code("smtp.open_relay")


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("smtp.open_rely", "smtp.open_relay"),
        ("open_relay", "smtp.open_relay"),
        ("smtp.null_sender", "smtp.null_sender.rejected"),
        ("smtp.mx", "smtp.mx.none"),
        ("smtp.tls.weak_tls_versoin", "smtp.tls.weak_tls_version"),
        ("smtp.tls.certificate_expired", "the TLS checker"),
        ("xyz", "`checker-smtp rules`"),
        ("", "`checker-smtp rules`"),
        (NASTY + WIDER, "`checker-smtp rules`"),
        ("smtp." * 100_000, ""),
    ],
)
def test_an_unknown_code_is_one_sentence_with_what_may_be_meant(code: str, meant: str) -> None:
    with pytest.raises(UnknownCodeError) as caught:
        find_code(code)
    said = str(caught.value)
    assert meant in said
    assert not hidden(said)
    assert "\n" not in said
    assert len(said) < 300


def test_lines_to_be_copied_keep_their_indent() -> None:
    assert list(steps("Do:\n    a\n      b\n\nThen.")) == [
        (False, "Do:"),
        (True, "a"),
        (True, "  b"),
        (False, "Then."),
    ]


def test_the_page_has_every_code() -> None:
    spec = importlib.util.spec_from_file_location("codes_page", ROOT / "scripts" / "codes.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.page()
    assert all(f"### {code}\n" in page for code in CODES)
    assert page.count("```") % 2 == 0
