"""The options of rules, and rules of other packages, as the registry sees them."""

import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from checker_smtp.probes.options import OptionError
from checker_smtp.probes.rules import _registry, require_rule_options
from checker_smtp.probes.rules._finding import Code, Finding, Severity
from checker_smtp.probes.rules._registry import Registry
from checker_smtp.probes.rules._reproduction import HoldSession
from checker_smtp.probes.rules._rule import Input, Rule, RuleOption, rule
from tests.probes.observations import observation

FOUND = Code(
    "example.found",
    Severity.INFO,
    title="A title",
    why="A reason.",
    fix="A fix.",
    reference="RFC 5321",
    reproduce=HoldSession(until="greeting"),
)
WORD = RuleOption("example.rule.word", "usual", "A word.")
NUMBER = RuleOption("example.rule.number", 2, "A number.")


def made() -> Rule:
    @rule(
        "example.rule",
        Severity.INFO,
        "A description.",
        order=1,
        codes=(FOUND,),
        needs=Input.DNS,
        tested=lambda _: True,
        options=(WORD, NUMBER),
    )
    def example(_: object) -> Iterator[Finding]:
        yield FOUND.finding("", WORD.default)

    return example


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "extra", {"example.rule": made()})


@pytest.mark.usefixtures("known")
def test_options_that_a_rule_has_are_accepted() -> None:
    require_rule_options(["example.rule.word=a=b", "example.rule.number=7"])
    assert WORD.parse("a=b") == "a=b"
    assert NUMBER.parse("7") == 7
    assert WORD.value(observation()) == "usual"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("example.rule.world=x", "give NAME=VALUE, with one of example.rule.number, example.rule.word"),
        ("example.rule.word", "give NAME=VALUE, with one of example.rule.number, example.rule.word"),
        ("example.rule.number=many", "example.rule.number is 'many': give a number"),
    ],
)
def test_others_are_refused_in_a_sentence(given: str, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        require_rule_options([given])


def test_where_no_rule_has_options_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "extra", {})
    with pytest.raises(OptionError, match="'x=1' is no option of a rule: no rule has options"):
        require_rule_options(["x=1"])


class Point:
    """An entry point, as `importlib.metadata` has it."""

    def __init__(self, name: str, load: Callable[[], ModuleType]) -> None:
        self.name = self.value = self.module = name
        self.load = load


def test_an_installed_module_that_fails_costs_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = ModuleType("example_rule")
    vars(module)["one"] = made()

    def broken() -> ModuleType:
        raise RuntimeError("no licence file")

    monkeypatch.delitem(sys.modules, "checker_smtp.rules", raising=False)
    points = [Point("well", lambda: module), Point("broken", broken)]
    monkeypatch.setattr(sys.modules[Registry.__module__], "entry_points", lambda **_: points)
    registry = Registry()
    with caplog.at_level(logging.WARNING, "checker_smtp.rules"):
        registry.load_installed("checker_smtp.rules")
    assert list(registry.rules) == ["example.rule"]
    assert [record.getMessage() for record in caplog.records] == [
        "the rule broken of another package cannot be used: RuntimeError: no licence file"
    ]


@pytest.mark.parametrize("first", ["example_rule", "checker_smtp.rules"])
def test_a_module_that_is_being_imported_is_registered_later(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """As where a program imports the module of the rule first, and that imports this package."""
    module = ModuleType("example_rule")
    monkeypatch.delitem(sys.modules, "checker_smtp.rules", raising=False)
    monkeypatch.setitem(sys.modules, first, module)
    points = [Point("example_rule", lambda: module)]
    monkeypatch.setattr(sys.modules[Registry.__module__], "entry_points", lambda **_: points)
    registry = Registry()
    registry.load_installed("checker_smtp.rules")
    assert registry.rules == {}
    # the end of its import
    vars(module)["one"] = made()
    assert [rule.name for rule in registry.all()] == ["example.rule"]
