"""A difference as text, JSON and a page; the commands `diff`, `explain` and `schema`."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import html5lib
import pytest

from checker_smtp.cli.commands.diff import diff
from checker_smtp.cli.commands.explain import explain
from checker_smtp.cli.commands.schema import schema
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.diff.compare import Difference, compare
from checker_smtp.report.diff.html import render_difference_html
from checker_smtp.report.diff.sections import build_headline, build_sections
from checker_smtp.report.diff.text import dump_difference, render_difference_text
from checker_smtp.report.document import VERSION, dump
from checker_smtp.report.terminal import Terminal
from tests.report.results import (
    DATA,
    FIXTURES,
    WIDER,
    endpoint,
    everywhere_hostile,
    finding,
    hidden,
    observation,
    session,
)

HEALTHY = observation()

CHANGES: dict[str, Callable[[], Difference]] = {
    "nothing": lambda: compare(evaluate(HEALTHY), evaluate(HEALTHY)),
    "worse": lambda: compare(evaluate(HEALTHY), _one(session(tls="", relays=True))),
    "better": lambda: compare(_one(session(relays=True)), _one(session())),
    "hostile": lambda: compare(replace(everywhere_hostile(), findings=()), _otherwise_hostile()),
}


def _otherwise_hostile() -> Result:
    result = everywhere_hostile()
    seen = result.observation
    (held,) = seen.endpoints
    (talk,) = held.sessions
    fewer: Endpoint = replace(held, sessions=(replace(talk, capabilities=(), tls=None),))
    records = tuple(replace(record, target="x" + WIDER, preference=7) for record in seen.mx.records)
    return replace(
        result,
        observation=replace(seen, endpoints=(fewer,), mx=replace(seen.mx, records=records), resolver=WIDER),
    )


@pytest.mark.parametrize("change", CHANGES)
def test_text(change: str) -> None:
    difference = CHANGES[change]()
    text = render_difference_text(difference, Terminal(width=72, ascii_only=True))
    assert build_headline(difference) in " ".join(text.split())
    assert not hidden(text)
    assert text.isascii()
    assert all(len(line) <= 72 for line in text.splitlines())
    for section in build_sections(difference):
        assert section.title in text
    coloured = render_difference_text(difference, Terminal(colour=True))
    plain = render_difference_text(difference)
    assert coloured.replace("\x1b[", "").count("\x1b") == 0
    assert "\x1b" not in plain


@pytest.mark.parametrize("change", CHANGES)
def test_json(change: str) -> None:
    text = dump_difference(CHANGES[change]())
    document = json.loads(text)
    assert document["version"] == VERSION
    assert document["worse"] is CHANGES[change]().worse is bool(document["reasons"])
    assert text.isascii()


@pytest.mark.parametrize("change", CHANGES)
def test_html(change: str) -> None:
    difference = CHANGES[change]()
    page = render_difference_html(difference)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert not [
        element.tag for element in tree.iter() if element.tag in ("script", "img", "iframe", "object")
    ]
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert "url(" not in page
    headings = [element.tag for element in tree.iter() if str(element.tag) in ("h1", "h2", "h3")]
    assert headings == ["h1", "h2"] + ["h2"] * len(build_sections(difference))
    text = " ".join("".join(tree.find("body").itertext()).split())
    for section in build_sections(difference):
        for item in section.items:
            assert " ".join(item.text.split()) in text
    assert not hidden(page)
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))


group = click.Group(commands={"diff": diff, "explain": explain, "schema": schema})


def run(*args: str) -> Any:
    return group.main(list(args), standalone_mode=False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(dump(evaluate(HEALTHY)))
    new.write_text(
        dump(evaluate(observation(endpoint("192.0.2.1", session(relays=True)), endpoint("2001:db8::1"))))
    )
    return str(old), str(new)


def test_the_exit_code_is_1_if_it_got_worse(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files
    assert run("diff", old, new) == 1
    assert capsys.readouterr().out.startswith("example.org: it got worse (ok → warning)\n")
    assert run("diff", new, old) == 0
    assert run("diff", old, old) == 0


def test_every_format_and_a_file(files: tuple[str, str], tmp_path: Path) -> None:
    for form, begin in (("text", "example.org"), ("json", "{"), ("html", "<!DOCTYPE html>")):
        target = tmp_path / f"difference.{form}"
        assert run("diff", *files, "--format", form, "-o", str(target)) == 1
        assert target.read_text().startswith(begin)


def test_both_checks_are_evaluated_by_the_rules_of_today(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(dump(evaluate(HEALTHY)))
    new.write_text(dump(replace(evaluate(HEALTHY), findings=(finding(),), status="critical")))
    assert run("diff", str(old), str(new)) == 0


def test_an_old_document_can_be_compared() -> None:
    old = str(DATA / "before-versions.json")
    assert run("diff", old, old) == 0


@pytest.mark.parametrize("folder", FIXTURES[:3], ids=lambda folder: folder.name)
def test_a_recorded_case_can_be_compared(folder: Path) -> None:
    assert run("diff", str(folder), str(folder)) == 0


def test_an_error_of_diff_is_one_sentence(files: tuple[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(dump(evaluate(replace(HEALTHY, domain="example.net"))))
    nothing = tmp_path / "nothing.json"
    nothing.write_bytes(b"\x00\xff")
    for path in (other, nothing, tmp_path / "missing.json", "/proc/self/mem"):
        with pytest.raises(click.ClickException) as caught:
            run("diff", files[0], str(path))
        assert "\n" not in caught.value.format_message()


def test_a_failed_diff_keeps_the_old_file(files: tuple[str, str], tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("kept")
    with pytest.raises(click.ClickException):
        run("diff", files[0], str(tmp_path / "missing"), "-o", str(target))
    assert target.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.txt", "new.json", "old.json"]


def test_explain_and_schema_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run("explain", "smtp.open_relay")
    assert capsys.readouterr().out.startswith("smtp.open_relay (critical)\n")
    assert not run("schema")
    assert json.loads(capsys.readouterr().out)["title"]
    with pytest.raises(click.ClickException, match=r"did you mean smtp\.open_relay"):
        run("explain", "smtp.open_rely")


def _one(held: Session) -> Result:
    return evaluate(observation(endpoint("192.0.2.1", held)))
