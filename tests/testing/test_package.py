"""The package as its users get it: documented, without pytest, with examples that work."""

import doctest
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from checker_smtp import testing

MODULES = [f"checker_smtp.testing.{module.name}" for module in iter_modules(testing.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_each_module_work(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


def test_the_examples_of_the_docs_work() -> None:
    page = Path(__file__).parents[2] / "docs" / "testing.md"
    failed, attempted = doctest.testfile(str(page), module_relative=False)
    assert (failed, attempted > 8) == (0, True)


def test_what_is_public_is_documented() -> None:
    for name in testing.__all__:
        value = getattr(testing, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        assert inspect.getdoc(value), name
        for member, function in vars(value).items():
            if inspect.isfunction(function) and not member.startswith("_"):
                assert inspect.getdoc(getattr(value, member)), f"{name}.{member}"


def test_importing_it_loads_neither_pytest_nor_hypothesis() -> None:
    code = "import sys, checker_smtp.testing; print(*{'pytest', 'hypothesis', 'trio'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
