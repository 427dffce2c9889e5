"""One module more is one rule more, everywhere: command line, reports, service. No other file is touched."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = '''
"""The greeting wishes a good day."""

from checker_smtp.probes.rules._finding import Code, Severity
from checker_smtp.probes.rules._reading import any_greeted, reply_evidence
from checker_smtp.probes.rules._reproduction import HoldSession
from checker_smtp.probes.rules._rule import Input, rule

GRUMPY = Code(
    "smtp.politeness.grumpy",
    Severity.WARN,
    title="The greeting wishes nothing",
    why="Clients like to be welcome.",
    fix="Add a wish to the greeting.",
    reference="RFC 5321 §4.2",
    reproduce=HoldSession(until="greeting"),
    badge="Grumpy",
)


@rule(
    "smtp.politeness",
    Severity.WARN,
    "Checks that the greeting wishes a good day.",
    order=55,
    codes=(GRUMPY,),
    needs=Input.SESSION,
    tested=any_greeted,
)
def politeness(observation):
    for endpoint in observation.endpoints:
        greeting = endpoint.main.greeting
        if greeting is not None and "good day" not in greeting.text:
            yield GRUMPY.finding(
                endpoint.subject, "No good day was wished.", *reply_evidence(endpoint, greeting)
            )
'''
# What the package does when it is imported, for a folder more.
PROGRAM = """
import sys
from checker_smtp.probes import rules
rules.__path__.append(sys.argv.pop(1))
rules.load_rules()
"""
COMMAND = PROGRAM + "from checker_smtp.cli.main import main\nmain()"
SERVICE = (
    PROGRAM
    + """
import json
from checker_smtp.service.happydomain.definition import definition
from checker_smtp.service.happydomain.evaluate import evaluate
from checker_smtp.service.happydomain.schemas import EvaluateRequest
seen = json.load(sys.stdin)["observation"]
states = evaluate(EvaluateRequest(observations={"smtp": json.dumps(seen).encode()}))
json.dump({**definition(), **states}, sys.stdout)
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("rules")
    (folder / "politeness.py").write_text(MODULE, encoding="utf-8")
    return folder


def run(program: str, folder: Path, *words: str, given: str = "", code: int = 0) -> str:
    line = [sys.executable, "-c", program, str(folder), *words]
    done = subprocess.run(line, input=given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (code, ""), done.stderr
    return done.stdout


def report(folder: Path, form: str) -> str:
    """The report on a healthy server, which the rule alone warns about."""
    case = ROOT / "fixtures" / "postfix-healthy"
    return run(COMMAND, folder, "replay", str(case), "--format", form, code=1)


def test_the_command_line_lists_and_explains_it(folder: Path) -> None:
    listed = run(COMMAND, folder, "rules").splitlines()
    names = [line.split()[0] for line in listed if not line.startswith(" ")]
    assert names[names.index("smtp.politeness") - 1 :][:3] == [
        "smtp.banner_sanity",
        "smtp.politeness",
        "smtp.ehlo_supported",
    ]
    assert any(line.split()[:2] == ["smtp.politeness.grumpy", "warn"] for line in listed)
    explained = run(COMMAND, folder, "explain", "smtp.politeness.grumpy")
    for words in ("The greeting wishes nothing.", "Add a wish to the greeting.", "Checks that the greeting"):
        assert words in explained


def test_json(folder: Path) -> None:
    findings = json.loads(report(folder, "json"))["findings"]
    (finding,) = (finding for finding in findings if finding["rule"] == "smtp.politeness")
    assert (finding["code"], finding["severity"]) == ("smtp.politeness.grumpy", "warn")


@pytest.mark.parametrize("form", ["text", "html"])
def test_reports_for_people(folder: Path, form: str) -> None:
    # a command in the page is a word a tag
    without_tags = re.sub(r"</?span>", "", report(folder, form))
    for words in (
        "smtp.politeness.grumpy",
        "The greeting wishes nothing",
        "No good day was wished.",
        "Clients like to be welcome.",
        "Grumpy",
        "--quit-after BANNER",
    ):
        assert words in without_tags


def test_nagios(folder: Path) -> None:
    text = report(folder, "nagios")
    assert "'warnings'=1;" in text
    assert "No good day was wished. [smtp.politeness.grumpy]" in text


def test_prometheus(folder: Path) -> None:
    counted = [line for line in report(folder, "prometheus").splitlines() if 'severity="warn' in line]
    assert [line.split()[-1] for line in counted] == ["1.0", "1.0"]
    assert 'code="smtp.politeness.grumpy"' in counted[1]


def test_junit(folder: Path) -> None:
    text = report(folder, "junit")
    assert 'name="smtp.politeness"' in text
    assert 'type="smtp.politeness.grumpy"' in text


def test_the_service_defines_and_evaluates_it(folder: Path) -> None:
    given = report(folder, "json")
    answer = json.loads(run(SERVICE, folder, given=given))
    rules = {rule["name"]: rule["description"] for rule in answer["rules"]}
    assert rules["smtp.politeness"] == "Checks that the greeting wishes a good day."
    states = [state for state in answer["states"] if state["rule"] == "smtp.politeness"]
    assert [(state["code"], state["status"]) for state in states] == [("smtp.politeness.grumpy", 3)]
