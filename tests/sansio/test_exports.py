"""The surface: exactly the names committed beside this file, and nothing dragged in by importing them."""

import importlib
import json
import pkgutil
import subprocess
import sys
from dataclasses import is_dataclass
from inspect import isclass, isfunction
from pathlib import Path

import smtp_sansio

HERE = Path(__file__).parent
NAMES = (HERE / "public_names.txt").read_text("ascii").split()
MODULES = sorted(module.name for module in pkgutil.iter_modules(smtp_sansio.__path__))

FRESH = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import smtp_sansio
names = sorted(set(sys.modules) - before)
everything = sorted(sys.modules)
print(json.dumps([names, everything, sorted(sys.stdlib_module_names)]))
"""

# What does I/O, waits, or runs something else; none of it may be there once smtp_sansio is.
FORBIDDEN = {
    "_asyncio",
    "_socket",
    "_ssl",
    "anyio",
    "asyncio",
    "concurrent",
    "http",
    "logging",
    "multiprocessing",
    "queue",
    "random",
    "sched",
    "select",
    "selectors",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "trio",
    "urllib",
}


def test_the_public_names_are_the_committed_ones() -> None:
    assert sorted(smtp_sansio.__all__) == NAMES == sorted(NAMES)
    assert len(NAMES) <= 43
    assert len(set(NAMES)) == len(NAMES)


def test_every_public_name_exists_and_nothing_else_is_public() -> None:
    public = {name for name in vars(smtp_sansio) if not name.startswith("_")}
    assert public == set(NAMES)


def test_public_classes_and_functions_are_explained() -> None:
    things = {name: getattr(smtp_sansio, name) for name in NAMES}
    explicable = {name: thing for name, thing in things.items() if isclass(thing) or isfunction(thing)}
    assert set(things) - set(explicable) == {"Command", "Effect", "Event", "Outcome", "Script"}
    assert [name for name, thing in explicable.items() if not (thing.__doc__ or "").strip()] == []


def test_every_value_is_frozen_and_slotted() -> None:
    values = [thing for name in NAMES if is_dataclass(thing := getattr(smtp_sansio, name))]
    assert len(values) >= 20
    for value in values:
        assert value.__dataclass_params__.frozen, value
        assert "__slots__" in vars(value), value
        assert value.__hash__ is not None, value


def test_every_module_is_private_and_says_what_it_offers() -> None:
    assert MODULES
    for name in MODULES:
        module = importlib.import_module(f"smtp_sansio.{name}")
        assert name.startswith("_")
        assert (module.__doc__ or "").strip()
        assert [offered for offered in module.__all__ if not hasattr(module, offered)] == []


def test_the_package_is_typed() -> None:
    assert (Path(smtp_sansio.__file__).parent / "py.typed").exists()


def test_importing_it_loads_no_io_and_nothing_foreign() -> None:
    root = Path(smtp_sansio.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FRESH, str(root)], check=True, capture_output=True, text=True
    )
    names, everything, standard = json.loads(done.stdout)
    assert "smtp_sansio._connection" in names
    tops = {name.partition(".")[0] for name in names}
    assert tops - set(standard) == {"smtp_sansio"}
    assert {name.partition(".")[0] for name in everything} & FORBIDDEN == set()
