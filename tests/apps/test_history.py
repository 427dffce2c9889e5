"""Input of the history that cannot be used: one sentence, the code 3, and no file that was changed."""

import sqlite3
from pathlib import Path

import pytest

from checker_smtp.history.store import History
from tests.apps.command import run
from tests.report.results import POSTURES

CHECK = ("check", "example.test", "--resolver", "192.0.2.53")


def another_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cookies (name)")
    connection.commit()
    connection.close()


def newer(path: Path) -> None:
    with History(path) as history:
        history.keep(POSTURES["healthy"]())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


FILES = {
    "another program": (
        another_program,
        "it is a database of another program. To fix it, give a history, or a",
    ),
    "newer": (newer, "it has version 99, and this checker-smtp reads versions up to 1. To fix it, install a"),
    "no database": (
        lambda path: path.write_text("a text\n" * 300),
        "it is no file of SQLite. To fix it, give a",
    ),
    "folder": (Path.mkdir, "it is no regular file. To fix it, give the name of a file."),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "command",
    [CHECK, ("history", "example.test"), ("history", "show", "1"), ("history", "prune", "--keep", "1d")],
)
def test_a_file_that_is_no_history(tmp_path: Path, kind: str, command: tuple[str, ...]) -> None:
    file = tmp_path / "file.db"
    make, sentence = FILES[kind]
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    done = run(*command, "--history", file)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"checker-smtp: the history {str(file)!r} cannot be used: {sentence}")
    assert done.err.count("\n") == 1
    assert not file.is_file() or file.read_bytes() == before


def test_a_file_that_another_program_has_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file.db"
    with History(file) as history:
        kept = history.keep(POSTURES["healthy"]())
    defaults = "checker_smtp.history.store.History.__init__.__kwdefaults__"
    monkeypatch.setattr(defaults, {"create": True, "timeout": 0.0})
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    done = run(*CHECK, "--history", file)
    other.close()
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"checker-smtp: the history {str(file)!r} cannot be used: another program has locked it. "
        "To fix it, end that program, or try again later.\n"
    )
    with History(file) as history:
        assert history.find(1) == kept


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [*CHECK, "--changes-only"],
            "compares with the last kept check: give --history FILE, and no --mx",
        ),
        (
            [*CHECK, "--changes-only", "--history", "h.db", "--format", "nagios"],
            "--changes-only has no nagios: give --format text or json, or html for one domain",
        ),
        (
            [*CHECK, "example.org", "--changes-only", "--history", "h.db", "--format", "html", "-o", "pages"],
            "--changes-only has no html for several domains: give --format text or json, or html for one",
        ),
        (
            [*CHECK, "--history", "missing/h.db"],
            "No such file or directory. To fix it, the file and its folder",
        ),
        (
            [*CHECK, "--accept", "smtp.open_rely"],
            "there is no code 'smtp.open_rely': did you mean smtp.open_relay",
        ),
        (
            [*CHECK, "--accept", "smtp.open_relay@"],
            "has no subject: give one as in smtp.open_relay@192.0.2.1:25",
        ),
        (["history"], "Missing command"),
        (["history", "example.test"], "Missing option '--history'"),
        (
            ["history", "example.test", "--history", "h.db"],
            "it does not exist. To fix it, give the file of a",
        ),
        (["history", "not a name", "--history", "kept.db"], "'not a name' contains a space"),
        (
            ["history", "example.test", "--history", "kept.db"],
            "has no such check of example.test: Keep one with",
        ),
        (
            ["history", "example.org", "--since", "2999-01-01", "--history", "kept.db"],
            "Give an earlier time",
        ),
        (
            ["history", "example.org", "--since", "soon", "--history", "kept.db"],
            "'soon' is no time: give a date",
        ),
        (["history", "show", "first", "--history", "kept.db"], "'first' is not a valid integer range"),
        (["history", "show", "0", "--history", "kept.db"], "0 is not in the range"),
        (["history", "show", "7", "--history", "kept.db"], "has no check 7: it was pruned, or never kept."),
        (["history", "prune", "--history", "kept.db"], "Missing option '--keep'"),
        (
            ["history", "prune", "--keep", "90", "--history", "kept.db"],
            "'90' is no age: give hours, days or weeks",
        ),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with History(tmp_path / "kept.db") as history:
        history.keep(POSTURES["healthy"]())
    done = run(*arguments, cwd=tmp_path)
    assert done.code == 3
    # Nagios reads standard output
    said = done.out if "nagios" in arguments else done.err
    assert sentence in said
    assert (done.out + done.err).count("\n") == 1
    assert not (tmp_path / "h.db").exists()


def test_the_time_line_and_a_report_of_a_kept_check(tmp_path: Path) -> None:
    file = tmp_path / "kept.db"
    with History(file) as history:
        history.keep(POSTURES["healthy"]())
        history.keep(POSTURES["relay"]())
    for since in (
        [],
        ["--since", "2026-02-28T13:00+02:00"],
        ["--since", "2026-03-01"],
        ["--since", "90000d"],
    ):
        line = run("history", "EXAMPLE.org.", *since, "--history", file)
        assert (line.code, line.err) == (0, "")
        assert line.out.startswith("#1, 2026-03-01 12:00:00 UTC: the first check (ok)\n\n#2, ")
    shown = run("history", "show", "2", "--history", file, "--format", "nagios")
    assert (shown.code, shown.err) == (2, "")
    assert shown.out.startswith("SMTP CRITICAL: ")
    page = tmp_path / "page.html"
    assert run("history", "show", "2", "--history", file, "-o", page).code == 2
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_the_file_and_its_commands_are_configured_once(tmp_path: Path) -> None:
    file, configuration = tmp_path / "kept.db", tmp_path / "checker-smtp.toml"
    with History(file) as history:
        history.keep(POSTURES["healthy"]())
    configuration.write_text(f'history = "{file}"\n')
    assert run("history", "example.org", "--config", configuration).out.startswith("#1, ")
    assert run("history", "example.org", CHECKER_SMTP_HISTORY=str(file)).out.startswith("#1, ")
    configuration.write_text(f'[history]\nhistory = "{file}"\nformat = "nagios"\nkeep = "5"\n')
    assert run("history", "show", "1", "--config", configuration).out.startswith("SMTP OK: ")
    done = run("history", "prune", "--config", configuration)
    assert done.code == 3
    assert done.err.startswith(f"checker-smtp: {configuration}, history.keep: '5' is no age: give hours, ")
