"""The demo lab as a context manager; its servers are tested in tests/testing."""

from pathlib import Path

import anyio
import pytest

from checker_smtp.demo import run_lab
from checker_smtp.demo.run import write_pages
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
    results = {"a.test": POSTURES["relay"](), "b.test": POSTURES["healthy"]()}
    index = write_pages(results, tmp_path).read_text(encoding="utf-8")
    assert "The server accepts mail from outside for other domains." in index
    assert "Mail can arrive." in index
    assert (tmp_path / "a.test.html").exists()
