"""The demo lab as a context manager; its servers are tested in tests/testing."""

import anyio
import pytest

from checker_smtp.demo import run_lab

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
