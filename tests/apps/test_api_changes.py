"""scripts/api_changes.py: what breaks the public API since the last tag has a line in the changelog."""

import subprocess
from pathlib import Path

import pytest

from scripts.api_changes import PACKAGES, main

EMPTY = '__all__: list[str] = []\n"""Nothing."""\n'
OLD = '__all__ = ["f", "g"]\n\n\ndef f(a: int, b: int) -> int: ...\n\n\ndef g() -> None: ...\n'
NEW = '__all__ = ["f"]\n\n\ndef f(a: int) -> int: ...\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for package in PACKAGES:
        folder = tmp_path.joinpath(*package.split("."))
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(EMPTY, "utf-8")
    (tmp_path / "checker_smtp" / "__init__.py").write_text(OLD, "utf-8")
    changelog(tmp_path, "")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "one")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=30)


def changelog(folder: Path, line: str) -> None:
    text = f"# Changelog\n\n## [Unreleased]\n\n{line}\n\n## [1.0.0] - 2026-01-01\n\n- **Contract:** old.\n"
    (folder / "CHANGELOG.md").write_text(text, "utf-8")


def change(folder: Path) -> None:
    (folder / "checker_smtp" / "__init__.py").write_text(NEW, "utf-8")


def test_what_breaks_has_to_be_in_the_changelog(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(repository, "tag", "v1.0.0")
    change(repository)
    assert main(repository) == 1
    told = capsys.readouterr().out
    assert "Changes of the public API since v1.0.0:" in told
    assert "checker_smtp.g: it is gone" in told
    assert "`f(b)`" in told
    assert told.endswith(
        "Name them in CHANGELOG.md under Unreleased, on a line that is marked with **Contract:**.\n"
    )
    changelog(repository, "- **Contract:** `f` has one argument, and `g` is gone.")
    assert main(repository) == 0


def test_nothing_is_said_where_nothing_breaks(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(repository)
    assert main(repository) == 0  # there is no tag
    (repository / "checker_smtp" / "__init__.py").write_text(OLD, "utf-8")
    git(repository, "tag", "v1.0.0")
    (repository / "checker_smtp" / "__init__.py").write_text(
        f"{OLD}\n\ndef _private() -> None: ...\n", "utf-8"
    )
    assert main(repository) == 0
    assert capsys.readouterr().out == ""
