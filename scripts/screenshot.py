"""Make the screenshot of the README: the top of a report in Chromium, light colours, 1280 pixels wide.

    python scripts/screenshot.py                    writes docs/report.png from fixtures/postfix-open-relay
    python scripts/screenshot.py CASE FILE.png      from another recorded check, to another file

Needs Chromium (`apt-get install chromium`, or its path in CHROMIUM). Nothing is fetched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from checker_smtp import replay  # noqa: E402
from checker_smtp.report.formats.html import render_html  # noqa: E402

WIDTH, HEIGHT = 1280, 900
LIMIT = 200_000
NAMES = ("chromium", "chromium-browser", "google-chrome")
# The screenshot must look the same on every machine, and leave no files on this one.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-lcd-text",
    "--force-device-scale-factor=1",
    "--blink-settings=preferredColorScheme=1",
)


def chromium() -> str:
    """Return the path of the browser. Exits with a message if there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return path or sys.exit("screenshot.py: Chromium was not found. Install it: apt-get install chromium")


def main(case: Path = ROOT / "fixtures/postfix-open-relay", target: Path = ROOT / "docs/report.png") -> None:
    page = render_html(anyio.run(replay, case))
    with tempfile.TemporaryDirectory() as scratch:
        file, picture = Path(scratch, "report.html"), Path(scratch, "report.png")
        file.write_text(page, encoding="utf-8")
        subprocess.run(
            [
                chromium(),
                *FLAGS,
                f"--user-data-dir={scratch}/profile",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--screenshot={picture}",
                file.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        size = picture.stat().st_size
        if size >= LIMIT:
            sys.exit(f"screenshot.py: {size} bytes are over the limit of the README, {LIMIT}")
        shutil.copyfile(picture, target)
    print(f"{target}: {size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
