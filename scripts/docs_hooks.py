"""The pages of the documentation that are made from the code, for mkdocs (`hooks` in mkdocs.yml).

Links of a page to files beside the folder `docs` lead nowhere on the site, so they become plain names there.
"""

import re
import sys
from importlib import import_module
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checker_smtp.cli.main import find_commands  # noqa: E402
from checker_smtp.report.schema import dump_schema  # noqa: E402
from scripts.codes import page as codes_page  # noqa: E402

_PACKAGES = (
    "checker_smtp",
    "checker_smtp.drivers",
    "checker_smtp.rules",
    "checker_smtp.testing",
    "checker_smtp.testing.driver_conformance",
    "smtp_sansio",
)
_OUTSIDE = re.compile(r"\[([^]]+)\]\((?:\.\./)+(?!decisions/)[^)]*\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "api.md": api_page(),
        "codes.md": codes_page(),
        "commands.md": commands_page(),
        "json-schema.md": schema_page(),
    }
    for name, text in pages.items():
        if (earlier := files.get_file_from_path(name)) is not None:
            files.remove(earlier)
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Replace links that leave the folder by their text."""
    del page, config, files
    return _OUTSIDE.sub(r"\1", markdown)


def api_page() -> str:
    """Return the page of all public names; their docstrings are inserted by mkdocstrings."""
    lines = ["# Python API", "", "Everything that is not on this page is private.", ""]
    for package in _PACKAGES:
        module = import_module(package)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        lines += [f"## {package}", "", summary, ""]
        for name in module.__all__:
            if not name.startswith("_"):
                lines += [f"::: {package}.{name}", ""]
    return "\n".join(lines)


def commands_page() -> str:
    """Return the page with the help of each command."""
    lines = ["# Commands", "", "The help of each command, as `--help` prints it.", ""]
    for name, command in sorted(find_commands().items()):
        context = click.Context(command, info_name=f"checker-smtp {name}", max_content_width=100)
        lines += [f"## {name}", "", "```text", command.get_help(context), "```", ""]
        for part, below in command.commands.items() if isinstance(command, click.Group) else ():
            inner = click.Context(below, context, info_name=part, max_content_width=100)
            lines += ["```text", below.get_help(inner), "```", ""]
    return "\n".join(lines)


def schema_page() -> str:
    """Return the page with the schema of `--format json`."""
    lines = ["# JSON schema", "", "Of `--format json`, as `checker-smtp schema` prints it.", ""]
    return "\n".join([*lines, "```json", dump_schema().strip(), "```", ""])
