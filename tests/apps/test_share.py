"""The man pages and the completion are those of the commands, and work."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from checker_smtp.cli.main import find_commands
from scripts.share import SHARE
from tests.apps.command import ROOT, environment

CLICK = tuple(map(int, version("click").split(".")[:2]))
# zsh has compadd and what is built on it only while a person types; they print here
_ZSH = """
compdef() {}; _describe() { print -l -- ${(P)3} }
compadd() { print -l -- $completions }; _path_files() { print file }
source $1; words=("${@:2}"); CURRENT=$#words
_checker_smtp_completion
"""
_BASH = """
source "$1"
COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_checker_smtp_completion checker-smtp
printf '%s\n' "${COMPREPLY[@]}"
"""
_COMPLETE = {
    "bash": ["bash", "--norc", "-c", _BASH, "bash", f"{SHARE}/bash-completion/completions/checker-smtp"],
    "zsh": ["zsh", "-f", "-c", _ZSH, "zsh", f"{SHARE}/zsh/site-functions/_checker-smtp"],
    "fish": [
        *("fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2..]"'),
        f"{SHARE}/fish/vendor_completions.d/checker-smtp.fish",
    ],
}


# the lines of a man page break as the help does, which newer releases changed
@pytest.mark.skipif(CLICK < (8, 5), reason="the man pages are made with a newer click")
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


def complete(tmp_path: Path, *words: str, shell: str = "bash") -> list[str]:
    """Return what a shell proposes for the last of these words."""
    program = tmp_path / "checker-smtp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m checker_smtp "$@"\n')
    program.chmod(0o755)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [*_COMPLETE[shell], *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}", HOME=str(tmp_path)),
        cwd=ROOT,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_commands_options_and_choices(tmp_path: Path, shell: str) -> None:
    program = "checker-smtp"
    # with the help of each in its words behind the name
    assert complete(tmp_path, program, "ch", shell=shell)[0].partition(":")[0] == "check"
    (option, *_) = complete(tmp_path, program, "check", "--m", shell=shell)
    assert option.partition(":")[0] == "--mx"
    assert complete(tmp_path, program, "check", "--format", "n", shell=shell) == ["nagios"]
    assert complete(tmp_path, program, "explain", "smtp.mx.al", shell=shell) == ["smtp.mx.alias_beside"]
    folder = "fixtures/postfix-open-r"
    files = complete(tmp_path, program, "replay", folder, shell=shell)
    assert files == ["file"] if shell == "zsh" else files == ["fixtures/postfix-open-relay/"]


def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    assert complete(tmp_path, "checker-smtp", "ch") == ["check"]
    assert {"--mx", "--max"} & {*complete(tmp_path, "checker-smtp", "check", "--m")} == {"--mx"}
    assert complete(tmp_path, "checker-smtp", "check", "--format", "n") == ["nagios"]


def test_completion_works_whatever_the_configuration_is(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("a =")
    words = ("checker-smtp", "check", "--config", str(tmp_path / "broken.toml"), "--format", "n")
    assert complete(tmp_path, *words) == ["nagios"]
