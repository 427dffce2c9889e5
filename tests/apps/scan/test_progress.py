"""The progress without a terminal: a line a minute."""

import io
from collections import Counter

import anyio
import pytest

from checker_smtp.scan.progress import ScanProgress
from checker_smtp.scan.stats import ScanStats

pytestmark = pytest.mark.anyio


async def test_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    stats = ScanStats()
    async with anyio.create_task_group() as group:
        group.start_soon(ScanProgress(stats, total=1000, done_before=100).show)
        await anyio.sleep(59)
        assert capsys.readouterr().err == ""
        await anyio.sleep(2)
        assert capsys.readouterr().err == "100 of 1000 domains, 0.0/s; 0 sessions open\n"
        stats.done, stats.deferred, stats.open_sessions = 240, 3, 7
        stats.statuses = Counter(warning=38, critical=2, ok=100, unknown=99, not_checked=1)
        await anyio.sleep(60)
        assert capsys.readouterr().err == (
            "340 of 1000 domains, 2.0/s, 0:05:30 left; 2 critical, 38 warning, 99 unknown, 100 ok, "
            "1 not checked, 7 sessions open, 3 deferred\n"
        )
        group.cancel_scope.cancel()


@pytest.mark.parametrize("stream", ["closed", "gone"])
async def test_a_closed_standard_error_does_not_end_the_scan(
    monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", None if stream == "closed" else Gone())
    with anyio.move_on_after(200) as scope:
        await ScanProgress(ScanStats(), total=1, done_before=0).show()
    assert scope.cancelled_caught
