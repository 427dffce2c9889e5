"""Compare the public API with that of the last tag; what breaks it needs a line in CHANGELOG.md.

Prints each change that breaks a program, and exits with 1 where there is one and no line of the section
Unreleased is marked with **Contract**. Without a tag there is nothing to compare with, and nothing is said.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

PACKAGES = (
    "checker_smtp",
    "checker_smtp.drivers",
    "checker_smtp.testing",
    "checker_smtp.testing.driver_conformance",
    "smtp_sansio",
)
_MARK = "**Contract"


def last_tag(repository: Path) -> str:
    """Return the newest tag before the checkout, or an empty text."""
    command = ["git", "describe", "--tags", "--abbrev=0"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def breakages(repository: Path, tag: str) -> Iterator[str]:
    """Yield a line for each change of a public name since `tag` that can break a program."""
    for package in PACKAGES:
        top = package.partition(".")[0]
        old = griffe.load_git(top, ref=tag, repo=repository, resolve_aliases=True)
        # a relative path would lead to the folder in which the script runs
        new = griffe.load(top, search_paths=[repository], resolve_aliases=True, try_relative_path=False)
        try:
            before = old.modules_collection[package]
        except KeyError:  # it is new, and breaks nothing
            continue
        yield from _compare(package, before, new.modules_collection[package])


def _compare(package: str, old: griffe.Object, new: griffe.Object) -> Iterator[str]:
    before, now = ({str(name) for name in module.exports or ()} for module in (old, new))
    yield from (f"{package}.{name}: it is gone" for name in before - now)
    # everything else is private, whatever its name
    public = [f"{old[name].canonical_path}." for name in before & now]
    for change in griffe.find_breaking_changes(old, new):
        if f"{change.obj.canonical_path}.".startswith(tuple(public)):
            yield change.explain(griffe.ExplanationStyle.MARKDOWN)


def main(repository: Path = Path(__file__).parents[1]) -> int:
    """Print the changes; return 1 where they are not in the changelog, else 0."""
    tag = last_tag(repository)
    found = sorted(set(breakages(repository, tag))) if tag else []
    if not found:
        return 0
    changelog = (repository / "CHANGELOG.md").read_text("utf-8")
    unreleased = changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]
    print(f"Changes of the public API since {tag}:", *found, sep="\n  ")
    if _MARK in unreleased:
        return 0
    print(f"Name them in CHANGELOG.md under Unreleased, on a line that is marked with {_MARK}:**.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
