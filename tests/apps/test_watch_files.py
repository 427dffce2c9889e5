"""The cron lines, the timer and its service in `deploy/`: valid, and with options that the commands have."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from checker_smtp.cli.main import find_commands, group
from checker_smtp.history.store import History
from tests.apps.command import ROOT, run
from tests.report.results import POSTURES

DEPLOY = ROOT / "deploy"
SERVICE = (DEPLOY / "checker-smtp-watch.service").read_text()
# minute, hour, day of the month, month, day of the week, user, command
_cron_line = re.compile(r"(\d+) +(\d+) +(\*|\d+) +(\*|\d+) +(\*|\d) +([a-z]+) +(/.+)").fullmatch


def commands() -> list[list[str]]:
    """Return the words of each command in the files, without the program."""
    cron = [line for line in (DEPLOY / "checker-smtp.cron").read_text().splitlines() if line[:1].isdigit()]
    matches = [_cron_line(line) for line in cron]
    units = re.findall(r"^ExecStart(?:Post)?=(.*)$", SERVICE, re.MULTILINE)
    lines = [match[7].removesuffix(" >/dev/null") for match in matches if match] + units
    assert (len(cron), len(lines)) == (2, 4)
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_take_these_options(words: list[str], tmp_path: Path) -> None:
    configuration = tmp_path / "checker-smtp.toml"
    configuration.write_text(f'history = "{tmp_path}/history.db"\n')
    given = [str(configuration) if word == "/etc/checker-smtp.toml" else word for word in words]
    given = [word.replace("${STATE_DIRECTORY}", str(tmp_path)) for word in given]
    assert str(configuration) in given
    if words[0] == "history":
        with History(tmp_path / "history.db") as history:
            history.keep(POSTURES["healthy"]())
        assert run(*given).code == 0
    else:
        context = find_commands()["check"].make_context("check", given[1:], parent=click.Context(group))
        assert context.params["changes_only"] is True
        assert context.params["history_file"] == tmp_path / "history.db"


def test_cron_reports_to_somebody_and_prunes_in_silence() -> None:
    text = (DEPLOY / "checker-smtp.cron").read_text()
    assert re.search(r"^MAILTO=\S+$", text, re.MULTILINE)
    assert "--changes-only" in text
    assert "%" not in text
    assert text.endswith("\n")


def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    # the program is not installed there, and that would be all it says
    text, replaced = re.subn(r"^(ExecStart\w*)=\S+", r"\1=/bin/true", SERVICE, flags=re.MULTILINE)
    assert replaced == 2
    service = tmp_path / "checker-smtp-watch.service"
    service.write_text(text)
    timer = tmp_path / "checker-smtp-watch.timer"
    timer.write_text((DEPLOY / timer.name).read_text())
    done = subprocess.run(
        [analyze, "verify", "--man=no", service, timer],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_accepted_fault_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "history.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert tomllib.loads(example)["accept"]
    configuration = tmp_path / "checker-smtp.toml"
    configuration.write_text(example)
    assert run("config", "--config", configuration).code == 0
