"""The report in a real browser: axe-core finds nothing, html-validate finds nothing, and it needs nothing.

Chromium, node and npm come from Debian where they are missing (which takes root); the checkers come from
npm into a temporary folder, in the versions named here. The pages ask the network for nothing.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from checker_smtp import replay
from checker_smtp.report.formats.html import render_html, render_index
from checker_smtp.report.summary.page import render_summary
from tests.e2e.browsers import AXE, install, npm
from tests.report.results import FIXTURES, everywhere_hostile, replayed
from tests.report.scan_lines import line, tallied

PACKAGES = (AXE, "playwright-core@1.49.1", "html-validate@8.29.0")
ROOT = Path(__file__).parents[2]
CASES = (
    "dns-idn",
    "dns-mx-with-different-faults",
    "dns-null-mx",
    "dns-two-mx-four-addresses",
    "odd-eight-bit-text",
    "odd-starttls-454",
    "postfix-blocklisted",
    "postfix-dual-stack",
    "postfix-greylisting",
    "smtp-sink-421-at-mail",
    "smtp-sink-takes-everything",
)

# For each page, in one colour scheme and width: what axe finds with every section open, whether the page is
# wider than the screen, what it asked the network for, and what stays hidden on paper in closed sections.
SCRIPT = r"""
const { chromium } = require('playwright-core');
const fs = require('fs');
const [executablePath, colorScheme, width, ...files] = process.argv.slice(2);
(async () => {
  const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const viewport = { width: Number(width), height: 800 };
  const context = await browser.newContext({ colorScheme, viewport, bypassCSP: true });
  const found = [];
  for (const file of files) {
    const page = await context.newPage();
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => requests.push('console: ' + message.text()));
    await page.goto('file://' + file);
    const root = 'document.documentElement';
    const wide = await page.evaluate(`${root}.scrollWidth > ${root}.clientWidth`);
    const all = (open) => `document.querySelectorAll('details').forEach((one) => { one.open = ${open}; })`;
    const drawn = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';
    await page.evaluate(all(false));
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(drawn);
    const hidden = await page.evaluate(() => [...document.querySelectorAll('details > :not(summary)')]
      .filter((one) => !one.checkVisibility()).length);
    await page.emulateMedia({ media: 'screen' });
    await page.evaluate(all(true));
    await page.evaluate(drawn);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    const told = violations.map((v) => [v.id, ...v.nodes.map((node) => node.html.slice(0, 120))]);
    found.push({ file, wide, hidden, requests: requests.slice(1), violations: told });
    await page.close();
  }
  await browser.close();
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
"""
SANDBOX = r"""
const { chromium } = require('playwright-core');
const fs = require('fs');
(async () => {
  const args = ['--no-sandbox', '--disable-gpu'];
  const browser = await chromium.launch({ executablePath: process.argv[2], args });
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  await page.setContent('<iframe sandbox style="width:1000px;height:800px"></iframe>');
  await page.evaluate((html) => { document.querySelector('iframe').srcdoc = html; },
    fs.readFileSync(process.argv[3], 'utf8'));
  const frame = page.frameLocator('iframe');
  const title = await frame.locator('h1').innerText();
  const closed = frame.locator('details.endpoint:not([open])').first();
  await closed.locator('> summary').click();
  const opened = await frame.locator('details.endpoint[open]').count();
  console.log(JSON.stringify({ title, opened, complaints }));
  await browser.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """A folder with the checkers installed and the pages written."""

    folder: Path
    pages: tuple[Path, ...]

    def run(self, script: str, *arguments: str | Path) -> Any:
        """What the script prints as JSON."""
        path = self.folder / "script.js"
        path.write_text(script, encoding="utf-8")
        chromium = shutil.which("chromium")
        command = ["node", str(path), str(chromium), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    install()
    folder = tmp_path_factory.mktemp("browser")
    npm(folder, *PACKAGES)
    pages = {name: render_html(anyio.run(replay, ROOT / "fixtures" / name)) for name in CASES}
    pages["hostile"] = render_html(everywhere_hostile())
    pages["index"] = render_index([(name, f"{name}.html", "ok", "Mail can arrive.") for name in CASES])
    scanned = tallied(*[line(replayed(folder)) for folder in FIXTURES] * 6)
    pages["summary"] = render_summary(scanned, "results.jsonl")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    yield Browser(folder, tuple(folder / f"{name}.html" for name in pages))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("scheme", "width"), [("light", "1280"), ("dark", "1280"), ("light", "360")])
def test_on_a_screen_a_phone_and_paper(browser: Browser, scheme: str, width: str) -> None:
    found = browser.run(SCRIPT, scheme, width, *browser.pages)
    assert len(found) == len(browser.pages)
    wrong = [one for one in found if one["violations"] or one["wide"] or one["hidden"] or one["requests"]]
    assert wrong == []


def test_the_markup_is_valid(browser: Browser) -> None:
    done = subprocess.run(
        ["npx", "--no-install", "html-validate", *(page.name for page in browser.pages)],
        cwd=browser.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_in_a_sandboxed_frame(browser: Browser) -> None:
    told = browser.run(SANDBOX, browser.folder / "dns-mx-with-different-faults.html")
    assert told == {"title": "dev-mixed.test", "opened": 3, "complaints": []}
