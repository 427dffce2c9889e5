"""A rule module is found by its presence; one that breaks the contract fails with one sentence."""

import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from checker_smtp.probes.rules import (
    CODES,
    RULES,
    Finding,
    Input,
    Outcome,
    RegistryError,
    Severity,
    load_rules,
    record_of,
)
from checker_smtp.probes.rules._registry import Registry
from tests.probes.observations import endpoint, observation

RECORD = """
    {name} = Code(
        "{code}",
        Severity.INFO,
        title="A title",
        why="A reason.",
        fix="A fix.",
        reference="RFC 5321 §4.1",
        reproduce=OpenPort(),
    )
"""
RULE = """
    @rule(
        "{rule}",
        Severity.INFO,
        "Checks something.",
        order={order},
        codes=({codes}),
        needs=Input.SESSION,
        tested=lambda _: True,
    )
    def evaluate(observation):
        for endpoint in observation.endpoints:
            yield A.finding(endpoint.subject, "Something is odd.")
"""
IMPORTS = """
    from checker_smtp.probes.rules._finding import Code, Severity
    from checker_smtp.probes.rules._reproduction import OpenPort
    from checker_smtp.probes.rules._rule import Input, rule
    from checker_smtp.probes.rules._shared import NOT_TESTED
"""


def record(code: str = "smtp.odd.thing", name: str = "A") -> str:
    return RECORD.format(code=code, name=name)


def rule(name: str = "smtp.odd", codes: str = "A, NOT_TESTED", order: int = 1) -> str:
    return RULE.format(rule=name, codes=codes, order=order)


def module(*parts: str, name: str = "odd") -> ModuleType:
    """Return a module with this source, as if it were a file of the package."""
    made = ModuleType(f"checker_smtp.probes.rules.{name}")
    exec(textwrap.dedent("".join((IMPORTS, *parts))), vars(made))  # noqa: S102 - the text is above
    return made


def refusal(registry: Registry, *parts: str, name: str = "other") -> str:
    """Return the sentence with which this module is refused; nothing of it is registered."""
    before = dict(registry.rules), dict(registry.codes), dict(registry.foreign)
    with pytest.raises(RegistryError) as caught:
        registry.register(module(*parts, name=name))
    assert (registry.rules, registry.codes, registry.foreign) == before
    sentence = str(caught.value)
    assert sentence.startswith(f"probes/rules/{name}.py")
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register(module(record(), rule()))
    return registry


def test_a_module_brings_its_rule_and_its_records(registry: Registry) -> None:
    assert list(registry.rules) == ["smtp.odd"]
    assert list(registry.codes) == ["smtp.odd.thing", "smtp.not_tested"]
    (finding,) = registry.rules["smtp.odd"].findings(observation(endpoint()))
    assert (finding.rule, finding.code, finding.fix) == ("smtp.odd", "smtp.odd.thing", "A fix.")
    assert registry.record_of("smtp.odd.thing") is registry.codes["smtp.odd.thing"]


def test_rules_stand_in_the_order_they_give(registry: Registry) -> None:
    for name, order in (("last", 9), ("first", 0), ("second", 1)):
        parts = record(f"smtp.{name}.thing"), rule(f"smtp.{name}", order=order)
        registry.register(module(*parts, name=name))
    assert list(registry.rules) == ["smtp.first", "smtp.odd", "smtp.second", "smtp.last"]
    assert next(iter(registry.codes)) == "smtp.first.thing"


def test_two_rules_of_one_name(registry: Registry) -> None:
    said = refusal(registry, record("smtp.other"), rule("smtp.odd"))
    assert "there already is a rule smtp.odd: give this one a name of its own" in said


def test_two_records_of_one_code(registry: Registry) -> None:
    said = refusal(registry, record("smtp.odd.thing"), rule("smtp.other"))
    assert "there already is a record of the code smtp.odd.thing: import that one" in said
    said = refusal(
        registry, record("smtp.x"), record("smtp.x", name="B"), rule("smtp.other", "A, B, NOT_TESTED")
    )
    assert "there already is a record of the code smtp.x" in said


def test_a_module_without_a_rule(registry: Registry) -> None:
    said = refusal(registry, record("smtp.other"))
    assert "holds 0 rules: decorate one function with @rule(…), or begin the file's name with" in said
    two = rule("smtp.one"), rule("smtp.two").replace("evaluate", "again")
    assert "holds 2 rules" in refusal(registry, record("smtp.other"), *two)


def test_a_rule_without_a_record(registry: Registry) -> None:
    said = refusal(registry, rule("smtp.other", ""))
    assert "the rule smtp.other has no code: write a Code(…) and name it in codes=(…)" in said
    said = refusal(registry, rule("smtp.other", "'smtp.other.thing', NOT_TESTED"))
    assert "'smtp.other.thing' in codes=(…) is no record: write a Code(…) for it" in said


def test_a_record_that_the_rule_does_not_declare(registry: Registry) -> None:
    said = refusal(registry, record("smtp.x"), record("smtp.y", name="B"), rule("smtp.other"))
    assert "smtp.y is not among the codes of the rule smtp.other: name it in codes=(…)" in said


def test_a_finding_with_a_code_that_the_rule_does_not_declare() -> None:
    source = rule("smtp.other", "NOT_TESTED,").replace("A.finding", "STRANGER.finding")
    made = module(source)
    vars(made)["STRANGER"] = CODES["smtp.open_relay"]
    found = vars(made)["evaluate"]
    assert found.findings(observation()) == ()
    with pytest.raises(RegistryError) as caught:
        found.findings(observation(endpoint()))
    assert str(caught.value) == (
        "the rule smtp.other found smtp.open_relay, which it does not declare: "
        "add the Code to codes=(…) of its decorator"
    )


def test_each_module_of_the_package_is_one_rule() -> None:
    folder = Path(__file__).parents[2] / "checker_smtp" / "probes" / "rules"
    modules = {file.stem for file in folder.glob("[a-z]*.py")}
    assert modules == {rule.evaluate.__module__.rpartition(".")[2] for rule in RULES.values()}
    assert {f"smtp.{name}" for name in modules} == set(RULES)


def test_the_records_of_other_checkers_are_found_by_how_a_code_begins() -> None:
    theirs = record_of("smtp.tls.expired")
    assert theirs is not None
    assert (theirs.source, "smtp.tls.expired" in CODES) == ("the TLS checker", False)
    ours = record_of("smtp.tls.weak_tls_version")
    assert ours is CODES["smtp.tls.weak_tls_version"]
    assert record_of("smtp.newer.thing") is None
    assert theirs.finding("", "It is over.", suffix="expired") == Finding(
        code="smtp.tls.expired",
        severity=Severity.CRIT,
        outcome=Outcome.FAIL,
        rule="",
        subject="",
        message="It is over.",
        fix="",
        reference="",
    )


def test_tls_takes_a_session() -> None:
    assert Input.SESSION in Input.TLS
    assert Input.TLS not in Input.SESSION | Input.REVERSE_DNS


def test_a_module_is_registered_once_however_often_the_package_is_loaded() -> None:
    before = dict(RULES)
    load_rules()
    assert before == RULES
