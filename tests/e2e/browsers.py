"""What tests in a real browser need: Chromium, node and npm from Debian, checkers of pages from npm."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

__all__ = [
    "AXE",
    "UNLIMITED",
    "Visit",
    "ask",
    "install",
    "npm",
    "report",
    "violations",
    "visited",
    "wider_than_the_screen",
]

Visit = Callable[..., AbstractContextManager[Page]]
UNLIMITED = tuple(
    word for kind in ("client", "domain", "address", "provider") for word in (f"--rate-{kind}", "none")
)
# a check may take longer than the five seconds that Playwright waits
expect.set_options(timeout=30_000)
# what a browser says of a page with a status other than 200 is no complaint about the page
_EXPECTED = "Failed to load resource: the server responded with a status of 4"

AXE = "axe-core@4.10.3"
_NEEDED = {"chromium": "chromium", "node": "nodejs", "npm": "npm"}


def install() -> None:
    """What is missing, by apt; skips where that is not allowed."""
    missing = [package for command, package in _NEEDED.items() if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0:
        pytest.skip(f"{', '.join(missing)} can only be installed as root: run make e2e as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--no-install-recommends", *missing]):
        subprocess.run(
            ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", *arguments],
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=280,
        )


def npm(folder: Path, *packages: str) -> None:
    """Install packages below `folder`, in the versions named."""
    subprocess.run(
        ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", *packages],
        cwd=folder,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )


@contextmanager
def visited(browser: Browser, url: str, path: str = "/check", **options: Any) -> Iterator[Page]:
    """Open a page; at the end the browser must have had nothing to complain of, policies included."""
    context = browser.new_context(base_url=url, **options)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    try:
        page = context.new_page()
        page.goto(path)
        yield page
        assert [text for text in complaints if not text.startswith(_EXPECTED)] == []
    finally:
        context.close()


def ask(page: Page, domain: str, **options: str) -> None:
    """Fill the form in as a person would, and send it; the page that is answered has begun then."""
    page.get_by_label("Domain", exact=True).fill(domain)
    if page.locator("details.options").get_attribute("open") is None:
        page.get_by_text("More options").click()
    for label, text in options.items():
        page.get_by_label(label).fill(text)
    page.locator(".check-form button").click(no_wait_after=True)


def report(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.report")


def wider_than_the_screen(page: Page) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'], iframes: false })")
    return [f"{v['id']}: {[node['html'][:120] for node in v['nodes']]}" for v in found["violations"]]
