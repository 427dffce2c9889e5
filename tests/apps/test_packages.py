"""The importable packages are `smtp_sansio` and `checker_smtp`; the links at the top of the tree are none."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import checker_smtp
import smtp_sansio

ROOT = Path(__file__).parents[2]
LINKS = ("backends", "probes", "report")


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
