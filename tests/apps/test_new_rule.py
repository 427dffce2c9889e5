"""One module more is one rule more, everywhere: command line, reports, service. No other file is touched."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
FORMS = ("text", "html", "json", "nagios", "prometheus", "junit")
COMMANDS = [
    ["rules"],
    ["explain", "smtp.politeness.grumpy"],
    # a healthy server, which the rule alone warns about
    *(["replay", "fixtures/postfix-healthy", "--format", form] for form in FORMS),
]
# A rule cannot be removed again, so this is a process of its own; one for all tests, because a start is slow.
PROGRAM = """
import io, json, sys
from contextlib import redirect_stdout
from checker_smtp.probes import rules
rules.__path__.append(sys.argv[1])
rules.load_rules()
from checker_smtp.__main__ import main

def run(words):
    sys.argv[1:] = words
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            main()
    except SystemExit as end:
        return [end.code, out.getvalue()]

printed = {words[-1]: run(words) for words in json.loads(sys.argv[2])}

from checker_smtp.service.happydomain.definition import definition
from checker_smtp.service.happydomain.evaluate import evaluate
from checker_smtp.service.happydomain.schemas import EvaluateRequest
from checker_smtp.service.settings import ServiceSettings
observation = json.loads(printed["json"][1])["observation"]
states = evaluate(EvaluateRequest(observations={"smtp": json.dumps(observation).encode()}))
json.dump({"printed": printed, "service": {**definition(ServiceSettings()), **states}}, sys.stdout)
"""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the commands print and what the service replies, with the module in a folder of rules."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "politeness.py").write_text(MODULE, encoding="utf-8")
    line = [sys.executable, "-c", PROGRAM, str(folder), json.dumps(COMMANDS)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def printed(everything: dict[str, Any]) -> Callable[[str], str]:
    def output(command: str) -> str:
        code, text = everything["printed"][command]
        assert code == (1 if command in FORMS else 0)
        return str(text)

    return output


def test_the_command_line_lists_and_explains_it(printed: Callable[[str], str]) -> None:
    listed = printed("rules").splitlines()
    names = [line.split()[0] for line in listed if not line.startswith(" ")]
    assert names[names.index("smtp.politeness") - 1 :][:3] == [
        "smtp.banner_sanity",
        "smtp.politeness",
        "smtp.ehlo_supported",
    ]
    assert any(line.split()[:2] == ["smtp.politeness.grumpy", "warn"] for line in listed)
    explained = printed("smtp.politeness.grumpy")
    for words in ("The greeting wishes nothing.", "Add a wish to the greeting.", "Checks that the greeting"):
        assert words in explained


def test_json(printed: Callable[[str], str]) -> None:
    findings = json.loads(printed("json"))["findings"]
    (finding,) = (finding for finding in findings if finding["rule"] == "smtp.politeness")
    assert (finding["code"], finding["severity"]) == ("smtp.politeness.grumpy", "warn")


@pytest.mark.parametrize("form", ["text", "html"])
def test_reports_for_people(printed: Callable[[str], str], form: str) -> None:
    # a command in the page is a word a tag
    without_tags = re.sub(r"</?span>", "", printed(form))
    for words in (
        "smtp.politeness.grumpy",
        "The greeting wishes nothing",
        "No good day was wished.",
        "Clients like to be welcome.",
        "Grumpy",
        "--quit-after BANNER",
    ):
        assert words in without_tags


def test_nagios(printed: Callable[[str], str]) -> None:
    text = printed("nagios")
    assert "'warnings'=1;" in text
    assert "No good day was wished. [smtp.politeness.grumpy]" in text


def test_prometheus(printed: Callable[[str], str]) -> None:
    counted = [line for line in printed("prometheus").splitlines() if 'severity="warn' in line]
    assert [line.split()[-1] for line in counted] == ["1.0", "1.0"]
    assert 'code="smtp.politeness.grumpy"' in counted[1]


def test_junit(printed: Callable[[str], str]) -> None:
    text = printed("junit")
    assert 'name="smtp.politeness"' in text
    assert 'type="smtp.politeness.grumpy"' in text


def test_the_service_defines_and_evaluates_it(everything: dict[str, Any]) -> None:
    answer = everything["service"]
    rules = {rule["name"]: rule["description"] for rule in answer["rules"]}
    assert rules["smtp.politeness"] == "Checks that the greeting wishes a good day."
    states = [state for state in answer["states"] if state["rule"] == "smtp.politeness"]
    assert [(state["code"], state["status"]) for state in states] == [("smtp.politeness.grumpy", 3)]
