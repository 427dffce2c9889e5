"""The registry of rules: each module of this package whose name has no underscore in front holds one rule.

A module is found by its presence. One that breaks the contract fails here, when the package is imported, with
one sentence that says what to do about it. Rules of other distributions are found by their entry points; one
of them that cannot be used costs a line in the log, and the rest goes on.
"""

import logging
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

from ._finding import Code, Finding
from ._rule import RegistryError, Rule

__all__ = ["Registry"]

_T = TypeVar("_T")
_log = logging.getLogger("checker_smtp.rules")


class Registry:
    """The rules in their order, their codes by name, and the codes of other checkers by their beginning.

    The dictionaries stay the same objects, so that modules may import them before a rule is added. `extra`
    are rules that were given to a check: its reports know their codes, and no other check has them.
    """

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.codes: dict[str, Code] = {}
        self.foreign: dict[str, Code] = {}
        self.extra: dict[str, Rule] = {}
        self._modules: set[str] = set()
        self._waiting: list[EntryPoint] = []

    def load(self, package: str, path: Iterable[str]) -> None:
        """Import and register the rule modules of `package` that are not registered yet.

        Raises `RegistryError`.
        """
        names = sorted(info.name for info in iter_modules(path) if not info.name.startswith("_"))
        for name in names:
            if (module := f"{package}.{name}") not in self._modules:
                self.register(import_module(module))

    def load_installed(self, group: str) -> None:
        """Register the modules that installed distributions name as entry points of `group`.

        The group has the name of the module that rules are written with. A program that imports that one, or
        the rule's module, before anything else imports this package in the middle of that. A module that
        began before this package is not whole yet, so it waits for the first use of the rules.
        """
        points = sorted(entry_points(group=group), key=lambda point: point.name)
        self._waiting = [point for point in points if {group, point.module} & sys.modules.keys()]
        self._register_installed(point for point in points if point not in self._waiting)

    def register_waiting(self) -> None:
        """Register the installed modules that are not registered yet."""
        points, self._waiting = self._waiting, []
        self._register_installed(points)

    def _register_installed(self, points: Iterable[EntryPoint]) -> None:
        for point in points:
            try:
                self.register(point.load())
            except Exception as error:  # noqa: BLE001 - code of somebody else, and no reason to check nothing
                _log.warning(
                    "the rule %s of another package cannot be used: %s: %s",
                    point.value,
                    type(error).__name__,
                    error,
                )

    def add_extra(self, rules: Iterable[Rule]) -> None:
        """Make rules known for the checks that they are given to. Raises `RegistryError`."""
        for rule in rules:
            if self.rules.get(rule.name, rule) is not rule:
                raise RegistryError(f"there already is a rule {rule.name}: give this one a name of its own")
            if taken := next((c.code for c in rule.codes if self.codes.get(c.code, c) is not c), None):
                raise RegistryError(f"there already is a code {taken}: give this one a name of its own")
            self.extra[rule.name] = rule

    def all(self) -> tuple[Rule, ...]:
        """Return the registered rules, then those that were given to a check."""
        self.register_waiting()
        return (*self.rules.values(), *self.extra.values())

    def rule_of(self, name: str) -> Rule | None:
        """Return the rule of this name; None for one that only a newer version or another package has."""
        return self.rules.get(name) or self.extra.get(name)

    def register(self, module: ModuleType) -> None:
        """Add the rule of a module. Raises `RegistryError`, and then adds nothing."""
        rule = _rule_of(module)
        _require_records(module, rule)
        if rule.name in self.rules:
            raise RegistryError(
                f"{_file(module)}: there already is a rule {rule.name}: give this one a name of its own"
            )
        codes, foreign = dict(self.codes), dict(self.foreign)
        for records, table in ((rule.codes, codes), (rule.foreign, foreign)):
            for code in records:
                if table.setdefault(code.code, code) is not code:
                    raise RegistryError(
                        f"{_file(module)}: there already is a record of the code {code.code}: "
                        "import that one, or give this one a name of its own"
                    )
        self._modules.add(module.__name__)
        rules = sorted((*self.rules.values(), rule), key=lambda one: (one.order, one.name))
        _refill(self.rules, {one.name: one for one in rules})
        _refill(self.codes, {code.code: code for one in rules for code in one.codes})
        _refill(self.foreign, foreign)

    def record_of(self, code: str) -> Code | None:
        """Return the record of a finding's code; None for a code that only a newer version knows."""
        if (record := self.codes.get(code)) is not None:
            return record
        extra = (record for rule in self.extra.values() for record in rule.codes)
        if (given := next((record for record in extra if record.code == code), None)) is not None:
            return given
        return next((record for start, record in self.foreign.items() if code.startswith(start)), None)

    def purposes_of(self, finding: Finding) -> tuple[str, ...]:
        """Return the purposes of the transactions that the evidence is about, in the order of the evidence.

        They are those of its code, or, where that is one of several rules, those of the rule's own code.
        """
        records = (
            self.record_of(finding.code),
            *(rule.codes if (rule := self.rule_of(finding.rule)) else ()),
        )
        named = next((record for record in records if record is not None and record.transactions), None)
        return (*named.transactions, *named.controls) if named is not None else ()


def _rule_of(module: ModuleType) -> Rule:
    rules = [value for value in vars(module).values() if isinstance(value, Rule)]
    if len(rules) != 1:
        raise RegistryError(
            f"{_file(module)} holds {len(rules)} rules: decorate one function with @rule(…), "
            "or begin the file's name with an underscore"
        )
    return rules[0]


def _require_records(module: ModuleType, rule: Rule) -> None:
    declared: tuple[object, ...] = (*rule.codes, *rule.foreign)
    if not declared:
        raise RegistryError(
            f"{_file(module)}: the rule {rule.name} has no code: write a Code(…) and name it in codes=(…)"
        )
    if strangers := [record for record in declared if not isinstance(record, Code)]:
        raise RegistryError(
            f"{_file(module)}: {strangers[0]!r} in codes=(…) is no record: write a Code(…) for it"
        )
    unused = [
        value.code
        for value in vars(module).values()
        if isinstance(value, Code) and not any(value is record for record in declared)
    ]
    if unused:
        raise RegistryError(
            f"{_file(module)}: {unused[0]} is not among the codes of the rule {rule.name}: "
            "name it in codes=(…), or remove it"
        )


def _file(module: ModuleType) -> str:
    package, _, name = module.__name__.rpartition(".")
    return f"probes/rules/{name}.py" if package == __package__ else module.__name__


def _refill(table: dict[str, _T], entries: dict[str, _T]) -> None:
    table.clear()
    table.update(entries)
