"""Every code has advice that is complete and can be printed on any terminal."""

import re
import tomllib
from importlib.resources import files

import pytest

from checker_smtp.probes.rules import CODES
from checker_smtp.report.advice import advice_for, all_advice
from checker_smtp.report.advice.software import Software

TAILORED = [(code, software) for code in CODES for software in all_advice(code)]
# What most operators run, and what can be wrong with all of it.
COMMON = (Software.POSTFIX, Software.EXIM)
THEIRS = (
    "smtp.all_no_starttls",
    "smtp.auth.plaintext",
    "smtp.banner.deferred",
    "smtp.banner.refused",
    "smtp.ehlo.failed",
    "smtp.null_sender.rejected",
    "smtp.open_relay",
    "smtp.postmaster.rejected",
    "smtp.starttls.failed",
    "smtp.tls.weak_tls_version",
)


def test_every_code_has_a_fix_for_everybody() -> None:
    for code in CODES:
        assert advice_for(code) == CODES[code].fix
        assert all(advice_for(code, software) for software in [*Software, "something else"]), code
        assert advice_for(code, "something else") == CODES[code].fix


@pytest.mark.parametrize("code", THEIRS)
def test_what_a_configuration_can_get_wrong_is_tailored(code: str) -> None:
    assert set(COMMON) <= set(all_advice(code))


def test_every_software_has_advice() -> None:
    assert {software for _, software in TAILORED} == set(map(str, Software))
    for code in ("smtp.open_relay", "smtp.all_no_starttls"):
        assert list(all_advice(code)) == [
            str(software) for software in Software if software in all_advice(code)
        ]
    assert list(all_advice("smtp.all_no_starttls")) == list(map(str, Software))


def test_no_advice_is_for_an_unknown_code_or_software() -> None:
    folder = files("checker_smtp.report.advice").joinpath("texts")
    names = {file.name.removesuffix(".toml") for file in folder.iterdir()}
    assert names <= {record.advice or record.code for record in CODES.values()}
    assert {record.advice for record in CODES.values()} - {""} <= names
    for name in names:
        texts = tomllib.loads(folder.joinpath(f"{name}.toml").read_text("utf-8"))
        assert set(texts.pop("tried", {})) <= set(texts) <= set(map(str, Software)), name


def test_a_text_is_well_made() -> None:
    for code, software in TAILORED:
        text = advice_for(code, software)
        assert text == text.strip("\n")
        assert {c for c in text if not c.isprintable()} <= {"\n"}
        for line in text.split("\n"):
            assert line == line.rstrip()
            assert line, (code, software)
            if not line.startswith("    "):
                assert not line.startswith(" "), (code, software)
                assert line.count("`") % 2 == 0, f"a backtick is open in {line!r}"
                assert line[-1] in ".:;", f"this is no whole sentence: {line!r}"


def test_a_text_with_lines_to_copy_says_on_which_version_they_were_tried() -> None:
    for code, software in TAILORED:
        text = advice_for(code, software)
        last = text.rpartition("\n")[2]
        has_lines = any(line.startswith("    ") for line in text.split("\n"))
        is_tried = bool(re.fullmatch(r"Tried on .+ [0-9][0-9.p]*\.|Not tried on a server\.", last))
        assert has_lines == is_tried, (code, software)


def test_tried_lines_are_marked() -> None:
    assert advice_for("smtp.open_relay", "Postfix").endswith("\nTried on Postfix 3.7.11.")
    assert advice_for("smtp.open_relay", "Exchange Server").endswith("\nNot tried on a server.")


def test_codes_of_another_checker_bring_their_own() -> None:
    assert advice_for("smtp.tls.expired", "Postfix") == ""
    assert all_advice("smtp.tls.expired") == {}
