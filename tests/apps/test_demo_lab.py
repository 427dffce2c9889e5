"""The demo lab as a context manager; its servers are tested in tests/testing."""

import re
from dataclasses import replace
from pathlib import Path

import anyio
import click
import pytest

from checker_smtp.cli.pages import Folder
from checker_smtp.demo import run_lab
from tests.report.results import POSTURES

pytestmark = pytest.mark.anyio


async def test_the_lab_lets_exceptions_through_as_they_are() -> None:
    error = ValueError("the block's own")
    error.__cause__ = cause = LookupError()
    with pytest.raises(ValueError, match="own") as caught:
        async with run_lab(()):
            raise error
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None


async def test_the_lab_ends_with_its_block_and_with_its_cancellation() -> None:
    with anyio.fail_after(5):
        async with run_lab(()) as postures:
            assert postures == ()
        with anyio.move_on_after(0.01) as scope:
            async with run_lab(()):
                await anyio.sleep_forever()
    assert scope.cancelled_caught


def test_the_index_says_of_each_domain_what_is_wrong(tmp_path: Path) -> None:
    relay, healthy = POSTURES["relay"](), POSTURES["healthy"]()
    other = replace(healthy, observation=replace(healthy.observation, domain="report"))
    index = Folder(tmp_path / "new" / "folder").write([relay, other])
    page = index.read_text(encoding="utf-8")
    assert "The server accepts mail from outside for other domains." in page
    assert "Mail can arrive." in page
    # the index has a page's name, and a domain may have that name as well
    pages = re.findall(r'href="([^"#]+\.html)"', page)
    assert len(set(pages)) == 2
    assert all((index.parent / name).exists() and name != index.name for name in pages)


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, words in ((tmp_path / "file", "is a file: give"), (tmp_path / "file" / "a", "created: Not a")):
        with pytest.raises(click.UsageError, match=words):
            Folder(path)
