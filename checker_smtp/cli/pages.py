"""The pages of several domains in a folder, with an index that has for each domain what is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Output

if TYPE_CHECKING:
    from checker_smtp.probes.result import Result

__all__ = ["INDEX", "Folder"]

INDEX = "report.html"


class Folder:
    """A folder of pages, checked when it is built: it exists and is writable, or can be created.

    Raises `click.UsageError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists() and not path.is_dir():
            raise click.UsageError(f"{str(path)!r} is a file: give the name of a folder for the pages")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(
                f"the folder {str(path)!r} cannot be created: {error.strerror}. Give another one."
            ) from None
        Output(path / INDEX)

    def write(self, results: "Sequence[Result]") -> Path:
        """Write a page for each domain, then the index; return its path. Raise `click.ClickException`."""
        from checker_smtp.report.formats.html import render_html, render_index
        from checker_smtp.report.model.report import describe_worst

        links = []
        for result in results:
            domain = result.observation.domain
            page = f"{domain}.html" if f"{domain}.html" != INDEX else f"domain-{INDEX}"
            Output(self._path / page).write(render_html(result))
            links.append((domain, page, result.status, describe_worst(result)))
        index = self._path / INDEX
        Output(index).write(render_index(links))
        return index
