"""Code, help, templates and documentation are in plain English: each word that is not plain is reported.

CONTRIBUTING.md has the rules. A docstring must not have a sentence that begins with who, what or whether.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checker_smtp.__main__ import main

ROOT = Path(__file__).parents[2]
SUFFIXES = {".css", ".html", ".j2", ".js", ".md", ".py", ".service", ".toml", ".yaml", ".yml"}
PLACES = ["smtp_sansio", "checker_smtp", "scripts", "benchmarks", "docs", "deploy", ".github"]
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "fixtures/README.md",
    "pyproject.toml",
]

# Files and folders that are not in plain English yet.
NOT_YET = ()

USE_INSTEAD = {
    "tell|tells|telling|told": "report, print or show",
    "whoever|whom": "the name of the program or the person",
    "knock|knocks|knocked|knocking": "connect or probe",
    "mend|mends|mended|mending": "fix",
    "put off|puts off|putting off": "defer",
    "guest|guests": "the domains that share a session",
    "gone on": "continue or resume",
    "decent|decently|manners": "polite, politeness",
    "so many": "the number itself",
    "come to|comes to|coming to|came to": "reach, become or get",
    "leave alone|leaves alone|left alone": "skip or exclude",
    "what is there": "the name of the content",
    'it is [^.,;:!?"`]{1,40} that': "a sentence that begins with its subject",
}
# A phrase may be wrapped, in a comment too, or be a part of a name.
BETWEEN = r"(?:[ _]|[ ]*\n[ #]*)"
WORDS = {
    re.compile(f"(?i)(?<![a-z])(?:{words.replace(' ', BETWEEN)})(?![a-z])"): instead
    for words, instead in USE_INSTEAD.items()
}
QUESTION = re.compile(r"(?:^|[.;!?]\s+)(Who|Whoever|What|Whether)\b")


def objections(text: str, name: str) -> Iterator[str]:
    """Yield a sentence for each word that is not plain; `name` is that of a file or a command."""
    for pattern, instead in WORDS.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            words = re.sub(r"[ #]*\n[ #]*", " ", match[0])
            yield f"{name}:{line}: {words!r} is not plain English. Use {instead}."


def questions(source: str, name: str) -> Iterator[str]:
    """Yield a sentence for each docstring with a sentence that begins with who, what or whether."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if match := QUESTION.search(ast.get_docstring(node) or ""):
            line = getattr(node, "lineno", 1)
            yield f"{name}:{line}: a sentence begins with {match[1]!r}. Begin with a verb or the subject."


def files(place: str) -> Iterator[tuple[Path, str]]:
    """Yield the files at `place` with their names from the top of the source tree."""
    path = ROOT / place
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(ROOT).as_posix()
        if file.suffix in SUFFIXES and not f"{name}/".startswith(tuple(f"{part}/" for part in NOT_YET)):
            yield file, name


@pytest.mark.parametrize("place", [*PLACES, *PAGES])
def test_files_are_in_plain_english(place: str) -> None:
    found: list[str] = []
    for file, name in files(place):
        text = file.read_text("utf-8")
        found += objections(text, name)
        found += questions(text, name) if file.suffix == ".py" else ()
    assert not found, "\n".join(found)


def test_help_is_in_plain_english(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def help_of(*command: str) -> str:
        monkeypatch.setattr(sys, "argv", ["checker-smtp", *command, "--help"])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    overview = help_of()
    commands = re.findall(r"^  ([a-z]+) ", overview.partition("Commands:")[2], re.MULTILINE)
    assert {"check", "scan", "serve"} <= set(commands)
    texts = {"checker-smtp": overview} | {f"checker-smtp {name}": help_of(name) for name in commands}
    found = [
        objection
        for command, text in texts.items()
        if command not in NOT_YET
        for objection in objections(text, f"{command} --help")
    ]
    assert not found, "\n".join(found)


def test_a_word_is_found_across_lines_and_in_names() -> None:
    source = 'def tell_all():\n    """Whether it works."""\n    # mail is put\n    # off for a day\n'
    assert [*objections(source, "a.py"), *questions(source, "a.py")] == [
        "a.py:1: 'tell' is not plain English. Use report, print or show.",
        "a.py:3: 'put off' is not plain English. Use defer.",
        "a.py:1: a sentence begins with 'Whether'. Begin with a verb or the subject.",
    ]
    assert not [*objections("an intelligent reply to the client is sent", "a.md")]
