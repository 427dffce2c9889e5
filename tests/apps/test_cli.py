"""The command line, offline: what it prints where, in which form, and its exit codes."""

import json
import os
import pkgutil
import re
import subprocess
from importlib import import_module
from pathlib import Path

import click
import pytest

import checker_smtp
from checker_smtp.cli import commands
from checker_smtp.cli.output import Output
from checker_smtp.probes.rules import CODES, RULES
from checker_smtp.report.document import load
from tests.apps.command import FIXTURES, environment, invocation, run, run_in_terminal, run_process

# the status of the worst finding, and the exit code for a monitoring system
EXIT_CODES = {
    "postfix-dual-stack": ("ok", 0),
    "postfix-healthy": ("info", 0),
    "exim-greeting-451": ("warning", 1),
    "postfix-greeting-421": ("unknown", 3),
    "postfix-open-relay": ("critical", 2),
    "postfix-blocklisted": ("unknown", 3),
}
CONTROLS = {*map(chr, range(32)), "\x7f"} - {"\n"}


def case(name: str) -> Path:
    return FIXTURES / name


def test_the_version_is_the_package_s() -> None:
    done = run_process("--version")
    assert (done.code, done.out, done.err) == (0, f"checker-smtp {checker_smtp.__version__}\n", "")


@pytest.mark.parametrize("command", [[], ["check"], ["replay"], ["rules"], ["demo"]])
def test_help_names_the_command(command: list[str]) -> None:
    done = run_process(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(" ".join(["Usage: checker-smtp", *command, ""]))
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_a_module_of_commands_defines_the_command_of_its_name() -> None:
    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    problems = [
        f"checker_smtp/cli/commands/{name}.py has no command {name}: define a function of that name with "
        "@click.command(), or move the module to checker_smtp/cli"
        for name in names
        if not isinstance(getattr(import_module(f"{commands.__name__}.{name}"), name, None), click.Command)
    ]
    assert not problems, "\n".join(problems)
    assert {name.rstrip("_") for name in names} == set(
        re.findall(r"^  ([a-z]+) ", run("--help").out.partition("Commands:")[2], re.MULTILINE)
    )


def test_rules_lists_every_rule_and_code() -> None:
    done = run("rules")
    assert (done.code, done.err) == (0, "")
    words = [line.split() for line in done.out.splitlines()]
    assert {line[0] for line in words} == {*RULES, *CODES}
    severities = {line[0]: line[1] for line in words if line[1].isalpha()}
    assert severities == {name: str(code.severity) for name, code in CODES.items()}


@pytest.mark.parametrize("name", EXIT_CODES)
def test_the_exit_code_is_the_verdict(name: str) -> None:
    status, code = EXIT_CODES[name]
    done = run("replay", case(name), "--format", "json")
    assert (done.code, done.err) == (code, "")
    assert json.loads(done.out)["status"] == status


def test_json_is_the_whole_document() -> None:
    done = run("replay", case("postfix-open-relay"), "--format", "json")
    assert done.out.isascii()
    read = json.loads(done.out)
    assert {"observation", "findings", "status"} <= set(read)
    assert read["mail"] == {"state": "accepted", "reason": ""}
    relay, *others = read["findings"]
    assert set(relay) == {
        *("code", "severity", "outcome", "rule", "subject"),
        *("message", "fix", "reference", "evidence"),
        *("id", "reason", "words", "rule_severity", "acceptance"),
    }
    assert relay["id"] == "dev-openrelay.test smtp.open_relay 127.1.1.11:25"
    assert (relay["code"], relay["severity"], relay["outcome"]) == ("smtp.open_relay", "crit", "fail")
    assert relay["rule"] in RULES
    main, control = read["observation"]["endpoints"][0]["sessions"]
    assert relay["subject"] == "127.1.1.11:25"
    for evidence in relay["evidence"]:
        session = (main, control)[evidence["session"]]
        assert evidence["quote"] in session["transcript"][evidence["entry"]]["got"]
    assert [finding["severity"] for finding in others] == ["info"]
    assert load(done.out).status == read["status"] == "critical"


def test_text_begins_with_the_verdict_and_goes_on_with_what_to_fix() -> None:
    done = run("replay", case("dns-mx-with-different-faults"))
    verdict, *rest = done.out.splitlines()
    assert verdict.startswith(
        "dev-mixed.test: CRITICAL. Mail can arrive. 1 critical fault and 1 warning to fix."
    )
    fix = rest.index("What to fix")
    assert rest[fix - 1] == ""
    assert rest[fix + 1] == "  CRIT  The server accepts mail from outside for other domains"
    assert rest[fix + 2].startswith("        127.1.1.11:25 (mx.dev-openrelay.test): ")
    parts = ("  CRIT  ", "  WARN  ", "\nNotes\n", "\nMail servers of the domain\n", "\n127.1.1.10:25 ")
    order = [done.out.index(words) for words in parts]
    assert order == sorted(order)
    assert "Fix in Postfix: See what is wider than meant:" in done.out
    assert "> 250 2.1.5 Ok" in done.out
    # what is to be copied is not broken into lines
    copied = ("        $ ", "            ")
    assert all(len(line) <= 100 for line in done.out.splitlines() if not line.startswith(copied))
    assert "\n        $ swaks --server 127.1.1.11 --port 25 " in done.out


def test_text_of_a_healthy_domain_is_one_screen() -> None:
    done = run("replay", case("postfix-dual-stack"))
    assert done.out.startswith("dev-v6.test: OK. Mail can arrive. Nothing to fix.\n")
    assert "What to fix" not in done.out
    assert len(run("replay", case("postfix-healthy")).out.splitlines()) <= 24


def test_text_says_what_is_no_fault_of_the_domain() -> None:
    done = run("replay", case("postfix-blocklisted"))
    assert done.out.startswith("dev-dnsbl.test: UNKNOWN. It is not known if mail can arrive")
    assert "What to fix" not in done.out
    assert done.out.index("\nAbout this checker\n") < done.out.index("blocked using rbl.dev-dnsbl.test")


def test_what_a_server_says_cannot_drive_a_terminal() -> None:
    done = run("replay", case("odd-eight-bit-text"))
    assert not CONTROLS & set(done.out)
    assert r"220 mx.dev-latin1.test caf\xe9 ü \x00 \x1b[31m ESMTP" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_without_utf_8_gets_ascii(encoding: str) -> None:
    changes = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    for name in ("odd-eight-bit-text", "dns-mx-alias"):
        done = run_process("replay", case(name), **changes)
        assert (done.out.isascii(), done.err) == (True, "")
        assert " - " in done.out
    assert run_process("rules", **changes).err == ""
    refused = run_process("check", "a." * 400, **changes).err
    assert refused.isascii()
    assert "..." in refused
    assert "\\u" not in refused


def test_no_escape_reaches_a_pipe() -> None:
    done = run_process("replay", case("postfix-open-relay"), FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in done.out


@pytest.mark.parametrize("arguments", [["rules"], ["replay", case("postfix-healthy")], ["check", "a b"]])
def test_nothing_is_left_open(arguments: list[str | Path]) -> None:
    done = run_process(*arguments, PYTHONDEVMODE="1")
    # asyncio says so where the machine is busy
    said = [line for line in done.err.splitlines() if not line.startswith("Executing <")]
    assert len(said) == (done.code == 3)


@pytest.mark.parametrize(
    ("changes", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals(changes: dict[str, str], coloured: bool) -> None:
    done = run_in_terminal("replay", case("postfix-open-relay"), **changes)
    assert done.code == 2
    assert ("\x1b[" in done.out) is coloured
    assert "dev-openrelay.test: CRITICAL" in done.out


def test_a_file_is_the_whole_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run("replay", case("postfix-open-relay"), "--format", "json", "-o", report)
    assert (done.code, done.out, done.err) == (2, "", "")
    assert report.read_text() == run("replay", case("postfix-open-relay"), "--format", "json").out
    assert list(tmp_path.iterdir()) == [report]
    # as for any file that a program makes
    (tmp_path / "other").touch()
    assert report.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_that_was_there_is_replaced_as_it_is(tmp_path: Path) -> None:
    report, link = tmp_path / "report", tmp_path / "link"
    report.write_text("old")
    report.chmod(0o640)
    link.symlink_to(report)
    assert run("replay", case("postfix-healthy"), "-o", link).code == 0
    assert link.is_symlink()
    assert report.read_text().startswith("dev-healthy.test: OK")
    assert report.stat().st_mode & 0o777 == 0o640


def test_a_run_that_failed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("old")
    assert run("replay", tmp_path, "-o", report).code == 3
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        Output(report).write("half" * 10_000 + "\udcff")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_device_is_written_to_and_stays_a_device() -> None:
    done = run("replay", case("postfix-healthy"), "-o", os.devnull)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert not Path(os.devnull).is_file()


def test_a_dash_is_standard_output(tmp_path: Path) -> None:
    assert run("replay", case("postfix-healthy"), "-o", "-", cwd=tmp_path).out.startswith(
        "dev-healthy.test: OK"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_has_read_enough_is_no_error(form: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        invocation("replay", case("postfix-open-relay"), "--format", form),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_may_be_closed(closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *invocation("replay", case("exim-greeting-451"))],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert bool(done.stdout) is (closed == "2>&-")


def test_a_full_disk_is_reported() -> None:
    done = run("replay", case("postfix-healthy"), "-o", "/dev/full")
    assert (done.code, done.out) == (3, "")
    assert (
        done.err == "checker-smtp: the report could not be written to '/dev/full': No space left on device\n"
    )
