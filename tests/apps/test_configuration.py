"""The configuration: command line, environment, file and default, in this order, for every option."""

import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from checker_smtp.cli.commands import __path__ as commands_path
from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.main import find_commands
from checker_smtp.cli.option_names import options_of, variable_of
from tests.apps.command import FIXTURES, Run, run, run_process

RELAY = FIXTURES / "postfix-open-relay"
Write = Callable[[str], Path]
# how the output of each format begins
FORMATS = {"text": "dev-openrelay", "json": "{", "nagios": "SMTP ", "junit": "<?xml", "html": "<!doctype"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a configuration and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def form_of(done: Run) -> str:
    (found,) = (name for name, start in FORMATS.items() if done.out.lower().startswith(start.lower()))
    return found


def test_the_command_line_wins_over_variable_file_and_default(write: Write) -> None:
    file = write('format = "html"\n[replay]\nformat = "json"')
    assert form_of(run("replay", RELAY)) == "text"
    assert form_of(run("replay", RELAY, "--config", file)) == "json"
    assert form_of(run("replay", RELAY, "--config", file, CHECKER_SMTP_FORMAT="nagios")) == "nagios"
    third = run("replay", RELAY, "--config", file, "--format", "junit", CHECKER_SMTP_FORMAT="nagios")
    assert form_of(third) == "junit"


def test_the_file_may_be_named_by_a_variable_or_lie_in_the_xdg_folder(tmp_path: Path, write: Write) -> None:
    (tmp_path / "checker-smtp.toml").write_text('replay.format = "json"')
    assert form_of(run_process("replay", RELAY, XDG_CONFIG_HOME=str(tmp_path))) == "json"
    # the specification: a relative path is ignored
    assert form_of(run("replay", RELAY, cwd=tmp_path, XDG_CONFIG_HOME=".", HOME=str(tmp_path))) == "text"
    other = write('replay.format = "nagios"')
    named = run("replay", RELAY, XDG_CONFIG_HOME=str(tmp_path), CHECKER_SMTP_CONFIG=str(other))
    assert form_of(named) == "nagios"
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "checker-smtp.toml").write_text('replay.format = "junit"')
    assert form_of(run("replay", RELAY, XDG_CONFIG_HOME="", HOME=str(home))) == "junit"


def test_every_option_of_every_command_is_configurable() -> None:
    names = {path.stem.rstrip("_") for path in Path(commands_path[0]).glob("[a-z]*.py")}
    commands = find_commands()
    assert set(commands) == names
    for name, command in commands.items():
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert isinstance(command, ConfiguredCommand) or not options, (
            f"{name} has options: make it a @click.command(cls=ConfiguredCommand)"
        )
        variables = {option.envvar for option in options_of(command).values()}
        assert variables == {variable_of(option) for option in options_of(command).values()}
        assert "CHECKER_SMTP_PORT" not in variables


def test_replay_has_no_option_of_a_check() -> None:
    assert set(options_of(find_commands()["replay"])) == {"format", "output"}


def test_config_shows_each_value_and_its_place(write: Write) -> None:
    file = write('timeout = 5\n[check]\nformat = "json"\nallow-target = ["192.0.2.0/24"]\n')
    done = run_process("config", "--config", file, CHECKER_SMTP_SMTP_PORT="2525", CHECKER_SMTP_TOKEN="hush")
    assert (done.code, done.err) == (0, "")
    table = done.out.partition("[check]\n")[2].partition("\n\n")[0]
    lines = dict(re.fullmatch(r"(.+?) +# (.+)", line).groups() for line in table.splitlines())  # type: ignore[union-attr]
    assert lines['format = "json"'] == f"{file}, check.format"
    assert lines['allow-target = ["192.0.2.0/24"]'] == f"{file}, check.allow-target"
    assert lines["timeout = 5.0"] == f"{file}, timeout"
    assert lines["port = 2525"] == "variable CHECKER_SMTP_SMTP_PORT"
    assert lines["# ipv4 = false"] == "default; variable CHECKER_SMTP_IPV4"
    assert lines["# output ="] == "default; variable CHECKER_SMTP_OUTPUT"
    assert "hush" not in done.out
    assert re.search(r"^# token is secret +# variable CHECKER_SMTP_TOKEN$", done.out, re.MULTILINE)


def test_one_value_is_a_list_of_one(write: Write) -> None:
    shown = run("config", "--config", write('resolver = "192.0.2.53"\n[check]\ncontrol = "a.test"')).out
    assert re.search(r'^control = \["a.test"\] ', shown, re.MULTILINE)
    found = re.findall(r"^resolver = (\S+) ", shown, re.MULTILINE)
    assert sorted(found) == sorted(['"192.0.2.53"'] * 3 + ['["192.0.2.53"]'])


def test_what_config_shows_is_a_configuration_with_the_same_result(write: Write) -> None:
    text = (
        'timeout = 5\n[check]\nport = 2525\ncontrol = ["a.test", "b.test"]\nrecord = "a \\"b\\""\n'
        '[severity]\n"smtp.mx.cname" = "warn"\n'
        '[[accept]]\ncode = "smtp.ipv6.none"\ndomain = "a.test"\nuntil = 2027-01-31\nreason = "in spring"\n'
        '[[accept]]\ncode = "smtp.ptr.missing"\nreason = "ours"\nsubject = "192.0.2.1:25"\n'
    )
    first = run("config", "--config", write(text))
    second = run("config", "--config", write(first.out))
    assert (second.code, second.err) == (0, "")

    def values(done: Run) -> list[str]:
        return [line.partition("  #")[0].rstrip() for line in done.out.splitlines()[1:]]

    assert values(first) == values(second)
    for line in ('record = "a \\"b\\""', 'control = ["a.test", "b.test"]', '"smtp.mx.cname" = "warn"'):
        assert line in values(first)
    assert values(first).count("[[accept]]") == 2
    assert "until = 2027-01-31" in values(first)


def test_a_changed_severity_counts_and_is_named(write: Write) -> None:
    file = write('[severity]\nsmtp.open_relay = "warn"\n"smtp.ipv6.none" = "crit"\n')
    done = run_process("replay", RELAY, "--config", file)
    # a note is no failure, so it becomes a warning at most where it is one of the rules' own outcomes
    assert done.out.startswith("dev-openrelay.test: ")
    assert "Severity: warn by the configuration of this checker; its rule gives crit" in done.out
    warned = run("replay", RELAY, "--config", write('[severity]\nsmtp.open_relay = "warn"'))
    assert (warned.code, run("replay", RELAY).code) == (1, 2)
    assert warned.out.startswith("dev-openrelay.test: WARNING.")
    for form in ("json", "nagios", "junit", "html"):
        shown = run("replay", RELAY, "--config", file, "--format", form).out
        assert ('"rule_severity": "crit"' if form == "json" else "by the configuration") in shown, form


BAD = {
    "key": ("tiemout = 5", "tiemout: there is no key 'tiemout': 'timeout' is near to it"),
    "strange key": ("xyzzy = 5", "xyzzy: there is no key 'xyzzy': give an option of a command"),
    "key of another": (
        "[replay]\ntimeout = 5",
        "replay.timeout: there is no key 'timeout': give an option of checker-smtp replay",
    ),
    "table": ("[chekc]\n", "[chekc]: there is no table 'chekc': 'check' is near to it"),
    "text": (
        'timeout = "5"',
        "timeout is '5': give a number in checker-smtp check. A",
    ),
    "truth": ("[check]\ntimeout = true", "check.timeout is true: give a number"),
    "fraction": ("[check]\nport = 2.5", "check.port is 2.5: give a whole number"),
    "switch": ('[check]\nipv4 = "yes"', "check.ipv4 is 'yes': give true or false"),
    "list": ("[check]\ncontrol = [1]", "check.control is [1]: give text in quotes, several in brackets"),
    "choice": ('[check]\nformat = "xml"', "check.format: 'xml' is not one of 'text', "),
    "range": ("[serve]\nmax-checks = 0", "serve.max-checks: 0 is not in the range"),
    "value": ("[check]\nport = 70000", "check.port: port is 70000: give a number from 1 to 65535"),
    "resolver of a scan": ('[scan]\nresolver = ["dns"]', "scan.resolver: 'dns' is not a resolver: give"),
    "resolver": ('[check]\nresolver = "dns"', "check.resolver: 'dns' is not a resolver: give an IP address"),
    "toml": ("timeout = 5\na = ", "line 2: this is no TOML (a =)"),
    "no date": (
        '[[accept]]\nuntil = 2027-02-30\ncode = "smtp.ptr.missing"\nreason = "a"',
        "line 2: this is no TOML (until = 2027-02-30): Invalid date",
    ),
    "quoted date": (
        '[[accept]]\ncode = "smtp.ptr.missing"\nreason = "a"\nuntil = "2027-01-31"',
        "accept 1, until is '2027-01-31': give a date without quotes, such as 2027-01-31",
    ),
    "time": (
        '[[accept]]\ncode = "smtp.ptr.missing"\nreason = "a"\nuntil = 2027-01-31T10:00:00',
        "accept 1, until is 2027-01-31 10:00:00: give a date",
    ),
    "no reason": ('[[accept]]\ncode = "smtp.ptr.missing"', "accept 1 has no reason: add reason = "),
    "no code": ('[[accept]]\nreason = "a"', "accept 1 has no code: add code = "),
    "empty reason": (
        '[[accept]]\ncode = "smtp.ptr.missing"\nreason = " "',
        "accept 1, reason is ' ': give text in quotes",
    ),
    "strange accept": ("[[accept]]\nuntli = 1", "accept 1, untli: there is no key 'untli': 'until' is near"),
    "no tables": ('accept = ["smtp.ptr.missing"]', "accept is ['smtp.ptr.missing']: give [[accept]]"),
    "accepted domain": (
        '[[accept]]\ncode = "smtp.ptr.missing"\nreason = "a"\ndomain = "a@b.test"',
        "accept 1, domain: 'a@b.test' is an e-mail address",
    ),
    "accepted code": ('[[accept]]\ncode = "x"\nreason = "a"', "accept 1, code: there is no code 'x'"),
    "severity": ("[severity]\nsmtp.mx.cname = 3", "severity.smtp.mx.cname is 3: give info, warn or crit"),
    "code": (
        '[severity]\n"smtp.mx.cnam" = "warn"',
        "severity.smtp.mx.cnam: there is no code 'smtp.mx.cnam': 'smtp.mx.cname' is near to it",
    ),
    "severities": ("severity = 3", "severity is 3: give a table of codes"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_wrong_entry_is_one_sentence_with_file_key_and_remedy(write: Write, text: str, words: str) -> None:
    file = write(text)
    command = "scan" if text.startswith("[scan]") else "check"
    done = run(command, "a.test", "--config", file)
    assert (done.code, done.out) == (3, "")
    assert re.fullmatch(rf"checker-smtp: {re.escape(str(file))}[:,] [ -~]+\n", done.err), done.err
    assert words in done.err


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "nowhere", "No such file or directory")):
        done = run("check", "a.test", "--config", path)
        assert (done.code, done.out) == (3, "")
        assert f"the configuration {str(path)!r} cannot be read: {words}. Give another --config" in done.err
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    assert "this is no text in UTF-8" in run("check", "a.test", "--config", tmp_path / "latin.toml").err


def test_a_wrong_variable_is_named() -> None:
    for name, value, words in (
        ("CHECKER_SMTP_TIMEOUT", "soon", "'soon' is not a valid float"),
        ("CHECKER_SMTP_SMTP_PORT", "0", "port is 0: give a number from 1 to 65535"),
        ("CHECKER_SMTP_RESOLVER", "dns", "'dns' is not a resolver"),
    ):
        done = run("check", "a.test", **{name: value})
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"checker-smtp: {name}: {words}")
    shown = run("config", CHECKER_SMTP_TIMEOUT="soon")
    assert (shown.code, shown.out) == (3, "")
    assert shown.err.startswith("checker-smtp: CHECKER_SMTP_TIMEOUT: 'soon' is not")


def test_help_is_shown_whatever_the_configuration_is(write: Write) -> None:
    assert run("check", "--help", CHECKER_SMTP_CONFIG=str(write("a = "))).code == 0
