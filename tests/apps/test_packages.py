"""The importable packages are `smtp_sansio` and `checker_smtp`; the links at the top of the tree are none."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import checker_smtp
import smtp_sansio
from scripts.constraints import requirements

ROOT = Path(__file__).parents[2]
LINKS = ("backends", "probes", "report")
FOLDERS = ("benchmarks", "checker_smtp", "scripts", "smtp_sansio", "tests")


@pytest.mark.parametrize("name", LINKS)
def test_an_import_through_a_link_names_the_right_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (ROOT / name).is_symlink():
        pytest.skip("this clone has no symbolic links")
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(ImportError, match=rf"'{name}' is a link .* Import checker_smtp\.{name} instead\."):
        import_module(name)


def test_both_distributions_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert smtp_sansio.__version__ == checker_smtp.__version__
    assert f"smtp-sansio=={smtp_sansio.__version__}" in project["dependencies"]


def test_all_dependencies_are_pinned_with_hashes_and_no_index_is_named() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in text
    pinned = re.findall(r"^([a-z0-9._-]+)==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) > 50
    required = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in requirements()}
    assert required - {*pinned} == set(), "run python scripts/constraints.py"


def modules(*folders: str, words: bytes = b"") -> Iterator[tuple[Path, ast.Module]]:
    """Parse every module in these folders that has `words`. The links at the top are not followed."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_bytes()
            if re.search(words, source):
                yield path.relative_to(ROOT), ast.parse(source)


def imported_names(node: ast.AST) -> Iterator[str]:
    """Yield the modules that an absolute import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module


def test_nothing_is_imported_through_a_link() -> None:
    problems = [
        f"{path}:{node.lineno} imports {name}, which is a link: import checker_smtp.{name} instead"
        for path, module in modules(*FOLDERS, words=rb"(from|import)\s+(backends|probes|report)\b")
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported_names(node)
        if name.partition(".")[0] in LINKS
    ]
    assert not problems, "\n".join(problems)


def test_no_public_class_name_is_used_twice() -> None:
    files: dict[str, list[Path]] = defaultdict(list)
    for path, module in modules("checker_smtp", "smtp_sansio"):
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files[node.name].append(path)
    problems = [
        f"the class {name} is defined in {' and in '.join(map(str, paths))}: give one of them another name"
        for name, paths in files.items()
        if len(paths) > 1
    ]
    assert not problems, "\n".join(problems)
