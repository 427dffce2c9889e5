"""The man pages and the completion are those of the commands, and work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checker_smtp.cli.main import find_commands
from scripts.share import SHARE
from tests.apps.command import ROOT, environment

BASH = SHARE / "bash-completion" / "completions" / "checker-smtp"
_COMPLETE = """
source "$1"
COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_checker_smtp_completion checker-smtp
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_the_files_are_made_from_the_commands() -> None:
    # a process of its own, because click keeps the names of --help from the first use of a command
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "share.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_command_has_a_page_with_its_exit_codes() -> None:
    for name in find_commands():
        page = SHARE / "man" / "man1" / f"checker-smtp-{name}.1"
        assert "exit code" in page.read_text("utf-8"), f"the help of {name} has no exit codes"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_pages_are_right_to_roff() -> None:
    pages = sorted(map(str, SHARE.glob("man/man1/*.1")))
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def complete(tmp_path: Path, *words: str) -> list[str]:
    """Return what bash proposes for the last of these words."""
    program = tmp_path / "checker-smtp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m checker_smtp "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", _COMPLETE, "bash", str(BASH), *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}"),
        cwd=ROOT,
    )
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    assert complete(tmp_path, "checker-smtp", "ch") == ["check"]
    assert {"--mx", "--max"} & {*complete(tmp_path, "checker-smtp", "check", "--m")} == {"--mx"}
    assert complete(tmp_path, "checker-smtp", "check", "--format", "n") == ["nagios"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_completion_works_whatever_the_configuration_is(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("a =")
    words = ("checker-smtp", "check", "--config", str(tmp_path / "broken.toml"), "--format", "n")
    assert complete(tmp_path, *words) == ["nagios"]
