"""The lines of docs/monitoring.md: their options are those of the commands, and other programs take them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from getpass import getuser
from grp import getgrgid
from pathlib import Path

import click
import pytest

from checker_smtp.cli.main import find_commands
from tests.apps.command import ROOT

PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
PROGRAM = "/opt/checker-smtp/bin/checker-smtp"
BLOCKS = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(rf"{PROGRAM} ([^);\n]*)", PAGE)


def block(start: str) -> str:
    """Return the only block that begins so."""
    (text,) = (text for text in BLOCKS if text.startswith(start))
    return text


def examined(program: str, *arguments: str | Path) -> str:
    """Return what a program says about a file where it finds a fault, empty text where it finds none."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    # Icinga would become its own user, to whom the folder of a test is closed
    ourselves = {"ICINGA2_USER": getuser(), "ICINGA2_GROUP": getgrgid(os.getgid()).gr_name}
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | ourselves,
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_take_these_options(command: str, tmp_path: Path) -> None:
    name, *words = shlex.split(command)
    given = [str(tmp_path / Path(word).name) if word.startswith("/") else word for word in words]
    context = find_commands()[name].make_context(name, given, parent=click.Context(click.Group()))
    assert context.params["domains"][0] == "example.org"


def test_there_is_a_command_for_each_use() -> None:
    assert len(COMMANDS) == 4
    assert f'"{PROGRAM}", "check", "$domain$", "--format", "nagios"' in block("object CheckCommand")


@pytest.mark.parametrize(("code", "status"), [(0, "up"), (1, "up"), (2, "down"), (3, "down")])
def test_the_push_has_the_status_and_the_text_as_data(code: int, status: str, tmp_path: Path) -> None:
    """A text with the signs of a shell is a single argument, whatever it says."""
    text = "SMTP OK: `id` $(id) \"x\" 'y' ; & | %s \\n"
    programs = {
        "checker-smtp": f"print({text!r}); sys.exit({code})",
        "curl": f"open({str(tmp_path / 'sent')!r}, 'w').write('\\0'.join(sys.argv[1:]))",
    }
    for name, source in programs.items():
        (tmp_path / name).write_text(f"#!{sys.executable}\nimport sys\n{source}\n")
        (tmp_path / name).chmod(0o755)
    setting, line = block("PUSH_URL=").splitlines()
    # cron reads a % as the end of the line
    assert "%" not in line
    *_, command = line.split(maxsplit=5)
    script = f"{setting}\n{command.replace(PROGRAM, 'checker-smtp')}"
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30)
    sent = (tmp_path / "sent").read_text().split("\0")
    assert "https://status.example.org/api/push/KEY" in sent
    assert sent[-3:] == [f"status={status}", "--data-urlencode", f"msg={text}"]


def test_icinga_takes_the_objects(tmp_path: Path) -> None:
    # the least that a configuration needs around them
    (tmp_path / "icinga2.conf").write_text(
        'const NodeName = "node"\nconst ZoneName = "node"\ninclude <itl>\n'
        "object Endpoint NodeName { }\nobject Zone ZoneName { endpoints = [ NodeName ] }\n"
        'object Host "mx" { check_command = "dummy"\n  vars.mail_domain = "example.org" }\n'
        + block("object CheckCommand")
    )
    folders = [f"-DDataDir={tmp_path}", f"-DCacheDir={tmp_path}", f"-DInitRunDir={tmp_path}"]
    assert examined("icinga2", "daemon", "-C", "-c", tmp_path / "icinga2.conf", *folders) == ""


def test_prometheus_takes_the_alerts(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(block("groups:"))
    assert examined("promtool", "check", "rules", tmp_path / "rules.yml") == ""


def test_github_takes_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text(block("name: Inbound mail"))
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    schema = ("--builtin-schema", "vendor.github-workflows")
    assert examined(program, *schema, tmp_path / "workflow.yml") == ""
