"""Rules from other packages: given to a check, or found by their entry points."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import anyio
import pytest

import checker_smtp
from checker_smtp.api import Format
from checker_smtp.probes.rules import RULES
from checker_smtp.rules import (
    Code,
    Finding,
    HoldSession,
    Input,
    Observation,
    RegistryError,
    Rule,
    RuleOption,
    Severity,
    rule,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "greeting-version"
EXIM = ROOT / "fixtures" / "exim-healthy"
FORMS = ("text", "html", "json", "nagios", "prometheus", "junit")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Rule:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    made: Rule = import_module("greeting_version").greeting_version
    return made


# given to one check


@pytest.mark.anyio
async def test_a_rule_that_is_given_is_evaluated_in_this_check_only(example: Rule) -> None:
    result = await checker_smtp.replay(EXIM, [example])
    (found,) = (finding for finding in result.findings if finding.rule == example.name)
    assert found.message == "The greeting names the software with its version: Exim 4.96."
    assert found.evidence[0].quote.startswith("220 ")
    assert checker_smtp.evaluate(result.observation, [example]).findings == result.findings
    assert example.name not in RULES
    assert found not in (await checker_smtp.replay(EXIM)).findings


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_its_finding_is_in_every_format(example: Rule, form: Format) -> None:
    text = checker_smtp.render(await checker_smtp.replay(EXIM, [example]), form)
    assert "example.greeting" in text
    if form in ("text", "html"):
        assert "The greeting shows the version of the software" in text
    if form == "html":
        assert "Programs that look for a vulnerable version" in text
        assert "Shows its version" in text


@pytest.mark.anyio
async def test_greetings_without_a_version_have_no_finding(example: Rule) -> None:
    for name in ("odd-greeting-521", "postfix-greeting-554", "exim-greeting-550-in-three-lines"):
        result = await checker_smtp.replay(ROOT / "fixtures" / name, [example])
        assert [finding for finding in result.findings if finding.rule == example.name] == []


def made(name: str, code: str) -> Rule:
    record = Code(
        code,
        Severity.INFO,
        title="A title",
        why="A reason.",
        fix="A fix.",
        reference="RFC 5321",
        reproduce=HoldSession(until="greeting"),
    )

    @rule(
        name,
        Severity.INFO,
        "A description.",
        order=1,
        codes=(record,),
        needs=Input.DNS,
        tested=lambda _: True,
    )
    def one(observation: Observation) -> Iterator[Finding]:
        yield record.finding("", "A message.")

    return one


@pytest.mark.anyio
async def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"there already is a rule smtp\.null_mx: give this one a name"):
        await checker_smtp.replay(EXIM, [made("smtp.null_mx", "example.one")])
    with pytest.raises(RegistryError, match=r"there already is a code smtp\.null_mx: give this one a name"):
        await checker_smtp.replay(EXIM, [made("example.one", "smtp.null_mx")])


@pytest.mark.anyio
async def test_a_rule_that_was_edited_replaces_itself() -> None:
    """As in a notebook, where the cell with the rule runs a second time."""
    for _ in range(2):
        result = await checker_smtp.replay(EXIM, [made("example.cell", "example.cell.found")])
        assert "example.cell.found" in {finding.code for finding in result.findings}


# installed


def install(folder: Path, entry: str, module: str, source: str) -> None:
    """Leave what pip leaves: the module, and the metadata that names its entry point."""
    (folder / f"{module}.py").write_text(source, "utf-8")
    info = folder / f"{module}-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[checker_smtp.rules]\n{entry} = {module}\n", "utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(folder, "greeting", "greeting_version", (EXAMPLE / "greeting_version.py").read_text("utf-8"))
    install(folder, "broken", "broken_rule", "raise RuntimeError('no licence file')\n")
    install(folder, "empty", "empty_rule", "")
    return folder


def tool(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "checker_smtp", *words]
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=site, check=False)


def test_an_installed_rule_is_a_rule_everywhere(site: Path) -> None:
    listed = tool(site, "rules")
    assert listed.returncode == 0
    assert "example.greeting_version" in listed.stdout
    explained = tool(site, "explain", "example.greeting.version")
    assert "Leave the version out of the greeting" in explained.stdout
    told = json.loads(tool(site, "replay", str(EXIM), "--format", "json").stdout)
    assert "example.greeting.version" in {finding["code"] for finding in told["findings"]}
    metrics = tool(site, "replay", str(EXIM), "--format", "prometheus").stdout
    assert 'code="example.greeting.version"' in metrics


@pytest.mark.parametrize("first", ["greeting_version", "checker_smtp.rules", "checker_smtp"])
def test_an_installed_rule_is_found_whatever_is_imported_first(site: Path, first: str) -> None:
    code = f"""
import {first}, anyio, pathlib
from checker_smtp import replay
print(*(finding.code for finding in anyio.run(replay, pathlib.Path({str(EXIM)!r})).findings))
"""
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=site, check=True)
    assert "example.greeting.version" in done.stdout
    assert "greeting_version" not in done.stderr


def test_its_options_are_listed_and_applied(site: Path, tmp_path: Path) -> None:
    assert "--rule-option example.greeting_version.allowed=: A version" in tool(site, "rules").stdout
    case = shutil.copytree(EXIM, tmp_path / "case")
    header = (case / "case.toml").read_text("utf-8")
    entry = 'rule_options = ["example.greeting_version.allowed=4.96"]'
    (case / "case.toml").write_text(header.replace("[options]", f"[options]\n{entry}"), "utf-8")
    told = json.loads(tool(site, "replay", str(case), "--format", "json").stdout)
    assert "example.greeting.version" not in {finding["code"] for finding in told["findings"]}
    assert told["observation"]["settings"]["rule_options"] == ["example.greeting_version.allowed=4.96"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "example.greeting_version.alowed=1",
            "is no option of a rule: give NAME=VALUE, with one of example.",
        ),
        ("example.greeting_version.allowed", "is no option of a rule: give NAME=VALUE, with one of example."),
    ],
)
def test_an_option_that_no_rule_has_is_refused(site: Path, given: str, told: str) -> None:
    done = tool(site, "check", "example.org", "--rule-option", given)
    assert done.returncode == 3
    assert told in done.stderr.splitlines()[-1]


def test_values_have_the_type_of_the_default() -> None:
    seen = anyio.run(checker_smtp.replay, EXIM).observation
    switch, level = RuleOption("x.y.switch", True, "A switch."), RuleOption("x.y.level", 2.5, "A level.")
    assert (switch.value(seen), level.value(seen)) == (True, 2.5)
    settings = replace(seen.settings, rule_options=("x.y.switch=no", "x.y.level=1", "x.y.level=3e2"))
    seen = replace(seen, settings=settings)
    assert (switch.value(seen), level.value(seen)) == (False, 300.0)
    for option, text in ((switch, "maybe"), (level, "high"), (level, "nan")):
        with pytest.raises(checker_smtp.OptionError, match=rf"{option.name} is '{text}': give "):
            option.parse(text)


def test_a_package_that_cannot_be_used_is_said_in_a_sentence_and_the_rest_goes_on(site: Path) -> None:
    done = tool(site, "rules")
    assert done.returncode == 0
    assert "smtp.null_mx" in done.stdout
    broken, empty = done.stderr.splitlines()
    assert broken == "the rule broken_rule of another package cannot be used: RuntimeError: no licence file"
    assert "empty_rule holds 0 rules: decorate one function with @rule(…)" in empty


SERVICE = """
import json, sys
from checker_smtp.service.happydomain.definition import definition
from checker_smtp.service.options import build_options
from checker_smtp.service.settings import ServiceSettings
settings = ServiceSettings()
groups = definition(settings)["options"]
given = build_options({"domain": "example.org", "example.greeting_version.allowed": "4.96"}, settings)
json.dump([groups["userOpts"][-1], given.rule_options], sys.stdout)
"""


def test_a_host_sets_its_options(site: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SERVICE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=site, check=True)
    field, given = json.loads(done.stdout)
    assert field == {
        "id": "example.greeting_version.allowed",
        "type": "string",
        "label": "example.greeting_version.allowed",
        "description": "A version that may be shown, such as 4.96.",
        "default": "",
    }
    assert given == ["example.greeting_version.allowed=4.96"]
