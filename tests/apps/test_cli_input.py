"""Input that cannot be used: a sentence that says what was wrong and what would be right, and the code 3."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from checker_smtp.backends.recording.case import CaseError
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.cli.commands.check import check
from checker_smtp.cli.commands.demo import demo
from checker_smtp.cli.commands.scan import scan
from checker_smtp.cli.commands.vantage import vantage
from checker_smtp.testing import FakeNetwork, FakeResolver, RuleServer
from tests.apps.command import FIXTURES, Run, run, run_process

LONG = "a" * 64

# the domain, and what is said of it
DOMAINS = {
    "nothing": ("", "domain is empty: give a host name such as example.com"),
    "blank": (" ", "domain is empty"),
    "url": ("https://example.com/", "is a URL: give a host name"),
    "path": ("example.com/mail", "is a URL: give a host name"),
    "address": (
        "me@example.com",
        "is an e-mail address: to check its domain, type checker-smtp check example",
    ),
    "ipv4": ("192.0.2.1", "is an IP address: give a host name"),
    "ipv6": ("2001:db8::1", "is an IP address: give a host name"),
    "bracketed": ("[192.0.2.1]", "is an IP address: give a host name"),
    "space": ("exa mple.com", "contains a space or a character no host name has"),
    "line end": ("example.com\r\n", r"'example.com\r\n' contains a space"),
    "command": ("example.com\r\nDATA", r"'example.com\r\nDATA' contains a space"),
    "angles": ("<>", "contains a space or a character no host name has"),
    "escape": ("\x1b[31m.com", r"'\x1b[31m.com' contains a space"),
    "long label": (f"{LONG}.com", "a label has at most 63 octets"),
    "long name": (".".join([LONG[:63]] * 5), "a name 253"),
    "empty label": ("a..com", "is not a host name: give a host name"),
    "hyphen": ("-a.com", "is not a host name: give a host name"),
    "number": ("example.1", "ends like an IP address"),
    "idn": ("b\u00fccher..de", "is not an internationalised host name"),
    "no text": ("\udcff.com", "is not an internationalised host name"),
}

# options beside a good domain
OPTIONS = {
    "resolver name": ("--resolver dns.example", "give an IP address such as 9.9.9.9, 127.0.0.1:5353"),
    "resolver port": ("--resolver 192.0.2.1:0", "'192.0.2.1:0' is not a resolver"),
    "resolver brackets": ("--resolver [::1", "give an IP address"),
    "format": ("--format xml", "'xml' is not one of 'text', "),
    "backend": ("--backend curio", "'curio' is not one of 'asyncio', 'trio'"),
    "timeout": ("--timeout 0", "timeout is 0: give seconds, more than 0, at most 3600"),
    "no time": ("--timeout nan", "timeout is nan: give seconds"),
    "no budget": ("--check-budget 0", "checker-smtp: --check-budget is 0: give seconds, more than 0"),
    "words": ("--timeout soon", "'soon' is not a valid float"),
    "port": ("--port 65536", "port is 65536: give a number from 1 to 65535"),
    "helo name": ("--helo-name me@example.com", "is an e-mail address: give a host name"),
    "probe address": ("--probe-address example.com", "give one such as postmaster@example.com"),
    "network": ("--allow-target loopback", "give one in CIDR notation such as 192.0.2.0/24"),
    "option": ("--fromat json", "No such option"),
    "ports": (
        "--mx a.test --mx b.test:26",
        "different ports (25, 26): a check has one, so give the same one",
    ),
    "server": ("--mx a..test", "'a..test' is not a host name: give a host name"),
    "source": ("--source-address here", "'here' is not an IP address: give one of this machine"),
    "twice": ("example.net EXAMPLE.com.", "'example.com' is given 2 times: give each domain once"),
    "pages": ("example.net --format html", "give a folder for them, as in -o reports"),
    "no value": ("--format", "requires an argument"),
}


def refused(done: Run) -> str:
    """The one sentence; nothing else was said, and nothing done."""
    assert (done.code, done.out) == (3, "")
    assert re.fullmatch(r"checker-smtp: [ -~\u00a1-\uffff]+\n", done.err)
    return done.err


@pytest.mark.parametrize(("domain", "words"), DOMAINS.values(), ids=DOMAINS)
def test_no_domain(domain: str, words: str) -> None:
    assert words in refused(run("check", "--", domain))


@pytest.mark.parametrize(("options", "words"), OPTIONS.values(), ids=OPTIONS)
def test_no_such_option(options: str, words: str) -> None:
    assert words in refused(run("check", "example.com", *options.split()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chek"], "No such command 'chek': 'check' is near to it (checker-smtp --help has the details)"),
        (["xyzzy"], "No such command 'xyzzy': give one of anonymize, check, config, demo,"),
        (["example.org"], "'example.org': to check the domain, type checker-smtp check example.org ("),
        (["me@example.org"], "'me@example.org': to check the domain, type checker-smtp check example.org ("),
        (
            ["check", "me@example.org"],
            "an e-mail address: to check its domain, type checker-smtp check example.org",
        ),
        (["check"], "Missing argument 'DOMAIN...' (checker-smtp check --help has the details)"),
        (["replay"], "Missing argument 'DIR' (checker-smtp replay --help has the details)"),
    ],
)
def test_no_such_command(arguments: list[str], words: str) -> None:
    assert words in refused(run(*arguments))


def test_a_folder_to_record_to_has_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "is not empty: name a folder that is, or does not exist yet" in refused(
        run("check", "example.com", "--record", tmp_path)
    )
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    assert "is a file" in refused(run("check", "example.com", "--record", tmp_path / "mine.txt" / "case"))


class Offline(FakeNetwork):
    def find_sources(self, _: object) -> tuple[str, ...]:
        return ()


def test_a_check_that_cannot_be_recorded_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full at the end: the report was lost, and those of all other domains."""
    zone = """
        a.test      MX 10 mx.a.test.
        b.test      MX 10 mx.a.test.
        mx.a.test   A  198.41.0.4
    """
    network = Offline(FakeResolver(zone), RuleServer(local_domains=("a.test", "b.test")))
    monkeypatch.setattr("checker_smtp.backends.network.Network", lambda *_, **__: network)
    full = CaseError("cases/b.test could not be written: No space left on device")

    def save(_: Recording, folder: Path, *__: object, **___: object) -> None:
        if folder.name == "b.test":
            raise full

    monkeypatch.setattr(Recording, "save", save)
    done = run("check", "a.test", "b.test", "--helo-name", "probe.test", "--record", tmp_path / "cases")
    assert done.code == 3
    assert "a.test: WARNING. Mail can arrive." in done.out
    assert "b.test: WARNING. Mail can arrive." in done.out
    assert done.err == f"checker-smtp: {full}\n"


def test_a_file_to_write_to_has_to_be_writable(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "such" / "file"
    for wrong, words in ((tmp_path, "name of a file"), (missing, "Give a file in a folder that exists")):
        assert words in refused(run("check", "example.com", "-o", wrong))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_replay_has_to_be_there(tmp_path: Path) -> None:
    assert "No such file" in refused(run("replay", tmp_path / "nowhere"))
    assert "case.toml is missing: a case has" in refused(run("replay", tmp_path))
    (tmp_path / "file").touch()
    assert "is no case, which is a folder" in refused(run("replay", tmp_path / "file"))


def lines_of(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Return a function that changes the lines of one file."""

    def apply(folder: Path) -> None:
        path = folder / name
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return apply


SESSION = "1-127.1.1.10.jsonl"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "toml": (lines_of("case.toml", lambda got: ["version = \n", *got]), "case.toml, line 1: this is no TOML"),
    "option": (lines_of("case.toml", lambda got: [*got, "speed = 9\n"]), "there is no 'speed' here"),
    "value": (
        lines_of("case.toml", lambda got: [line.replace("25", "0") for line in got]),
        "port is 0: give a number",
    ),
    "json": (lines_of("dns.jsonl", lambda got: [got[0], '{"name": \n']), "dns.jsonl, line 2: "),
    "session": (lines_of(SESSION, lambda got: [*got[:2], "{\n"]), f"{SESSION}, line 3: "),
    "octets": (lambda folder: (folder / SESSION).write_bytes(b"\xff\n"), "is no text in UTF-8"),
    "no answers": (lambda folder: (folder / "dns.jsonl").unlink(), "dns.jsonl is missing"),
    "no findings": (lambda folder: (folder / "expected.json").unlink(), "expected.json is missing"),
    "foreign": (lambda folder: (folder / "\x1bnotes").touch(), r"\x1bnotes does not belong to a case"),
    "unasked": (
        lines_of("dns.jsonl", lambda got: [line for line in got if '"PTR"' not in line]),
        "10.1.1.127.in-addr.arpa PTR is asked for, and was not recorded",
    ),
    "unused": (
        lines_of("dns.jsonl", lambda got: [*got, got[0].replace("127.in-addr", "128.in-addr")]),
        "recorded, but no longer used: 10.1.1.128.in-addr.arpa PTR",
    ),
}


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "postfix-healthy", tmp_path / "case"))


@pytest.mark.parametrize(("spoil", "words"), BROKEN.values(), ids=BROKEN)
def test_a_spoiled_case(case: Path, spoil: Callable[[Path], object], words: str) -> None:
    spoil(case)
    assert words in refused(run("replay", case))


def test_a_case_of_another_conversation(case: Path) -> None:
    lines_of(SESSION, lambda got: [line.replace("EHLO probe", "EHLO other") for line in got])(case)
    done = run("replay", case)
    assert (done.code, done.out) == (3, "")
    where, recorded, asked = done.err.splitlines()
    assert where.startswith("checker-smtp: ")
    assert f"{SESSION}, line 3" in where
    assert (recorded.split()[0], asked.split()[0]) == ("recorded:", "asked:")
    assert "EHLO other.dev-probe.test" in recorded
    assert "EHLO probe.dev-probe.test" in asked


def test_a_case_without_its_session(case: Path) -> None:
    (case / SESSION).unlink()
    done = run("replay", case)
    assert (done.code, done.out) == (3, "")
    assert "Traceback" not in done.err
    assert "no connection to 127.1.1.10 is left" in done.err


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(check, ["example.com"]), (demo, []), (scan, ["-", "-o", "r.jsonl"]), (vantage, [])],
)
def test_an_event_loop_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, command: click.Command, arguments: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trio", None)
    done = CliRunner().invoke(command, [*arguments, "--backend", "trio"])
    assert done.exit_code == 2
    assert "trio is not installed: pip install 'checker-smtp[trio]'" in done.output


def test_without_a_command_the_help_is_printed() -> None:
    done = run_process()
    assert (done.code, done.err) == (0, "")
    assert done.out == run_process("--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "me@example.org", "--format", "nagios"],
        ["check", "example.org", "--port", "0", "--format=nagios"],
        ["check", "--timeout", "soon", "--format", "nagios", "example.org"],
        ["replay", "/nowhere", "--format", "nagios"],
        ["check", "example.org", "--config", "/nowhere", "--format", "nagios"],
    ],
)
def test_a_monitoring_plugin_has_its_status_line_on_standard_output(arguments: list[str]) -> None:
    done = run_process(*arguments)
    assert (done.code, done.err) == (3, "")
    assert re.fullmatch(r"SMTP UNKNOWN: [^|\n]{20,}\n", done.out)
    by_variable = run("check", "a.test", "--port", "0", CHECKER_SMTP_FORMAT="nagios")
    assert by_variable.out == "SMTP UNKNOWN: port is 0: give a number from 1 to 65535\n"


def test_the_status_line_of_an_error_replaces_an_old_report(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("SMTP OK: long ago\n")
    arguments = ("check", "a.test", "--port", "0", "--format", "nagios", "-o")
    done = run(*arguments, tmp_path / "status")
    assert (done.code, done.out, done.err) == (3, "", "")
    assert (tmp_path / "status").read_text().startswith("SMTP UNKNOWN: port is 0")
    assert run(*arguments, tmp_path).out.startswith("SMTP UNKNOWN: ")
