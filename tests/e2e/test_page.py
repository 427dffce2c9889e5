"""The page in a real browser, with and without its script: asked, watched, read, saved, stopped.

The service is a process and checks the lab. Chromium comes from Debian, axe-core from npm.
"""

import re
import socket
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsers import (
    UNLIMITED,
    Visit,
    ask,
    report,
    violations,
    visited,
    wider_than_the_screen,
)
from tests.e2e.conftest import Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE
from tests.e2e.served import IN_THE_LAB, Served, served

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def service(lab: Lab) -> Iterator[Served]:
    with served(*IN_THE_LAB, *UNLIMITED, "--helo-name", PROBE) as here:
        yield here
        assert "Traceback" not in here.log


@pytest.fixture
def visit(browser: Browser, service: Served) -> Visit:
    return partial(visited, browser, service.url)


def test_from_the_form_to_a_section_of_the_report(visit: Visit) -> None:
    with visit() as page:
        expect(page.get_by_label("Domain", exact=True)).to_be_focused()
        ask(page, "mixed.e2e.test")
        frame = report(page)
        expect(frame.locator("#verdict")).to_contain_text("Mail can arrive.")
        expect(frame.locator("h1")).to_have_text("mixed.e2e.test")
        expect(page.locator(".progress")).to_be_hidden()
        expect(page).to_have_title("mixed.e2e.test: Critical – inbound mail")
        expect(page.locator("#outcome")).to_be_focused()
        # the certificates of the lab have the names of all its servers
        summary = frame.locator("details.endpoint > summary", has_text="mx.healthy.e2e.test")
        healthy = summary.locator("..")
        expect(healthy.get_by_text("Transactions", exact=True)).to_be_hidden()
        healthy.locator("> summary").click()
        expect(healthy.get_by_text("Transactions", exact=True)).to_be_visible()


def test_the_frame_is_as_high_as_the_report_and_its_links_stay_inside(visit: Visit) -> None:
    with visit() as page:
        ask(page, "openrelay.e2e.test")
        expect(page.locator("iframe.fitted")).to_be_visible()
        frame = report(page)
        frame.get_by_role("link", name="in the transcript").first.click()
        expect(frame.locator("li.cited").first).to_be_in_viewport()
        expect(frame.locator("h1")).to_have_text("openrelay.e2e.test")
        inside = frame.locator("html").evaluate("html => [html.scrollHeight, window.innerHeight]")
        assert inside[0] <= inside[1]


def test_check_again_has_the_options_of_the_check_and_a_link_starts_none(visit: Visit) -> None:
    with visit() as page:
        ask(page, "nullmx.e2e.test", **{"Timeout (seconds)": "3"})
        expect(report(page).locator("#verdict")).to_contain_text("receives no mail")
        page.get_by_role("link", name="Check again").click()
        expect(page).to_have_url(re.compile(r"/check\?domain=nullmx\.e2e\.test&timeout=3$"))
        expect(page.get_by_label("Domain", exact=True)).to_have_value("nullmx.e2e.test")
        expect(page.get_by_label("Timeout (seconds)")).to_have_value("3")
        expect(page.locator("#outcome")).to_have_count(0)
        page.get_by_role("button", name="Check again").click()
        expect(report(page).locator("#verdict")).to_contain_text("receives no mail")


@pytest.mark.parametrize("script", [True, False])
def test_an_input_error_is_shown_beside_its_field(visit: Visit, script: bool) -> None:
    with visit(java_script_enabled=script) as page:
        ask(page, "postmaster@healthy.e2e.test", **{"Timeout (seconds)": "soon"})
        domain = page.get_by_label("Domain", exact=True)
        expect(domain).to_be_focused()
        expect(domain).to_have_accessible_description(
            "The part after the @ in its addresses, such as example.org "
            "Error: 'postmaster@healthy.e2e.test' is an e-mail address: "
            "give a host name such as example.com, without what stands before the @."
        )
        error, field = (page.locator(f"#timeout{ending}").bounding_box() for ending in ("-error", ""))
        assert error is not None
        assert field is not None
        assert 0 <= field["y"] - (error["y"] + error["height"]) < 12
        page.get_by_role("alert").get_by_role("link").nth(1).click()
        expect(page.get_by_label("Timeout (seconds)")).to_be_focused()
        expect(page.get_by_label("HELO name")).to_have_count(0)
        ask(page, "healthy.e2e.test", **{"Timeout (seconds)": "12"})
        expect(report(page).locator("#verdict")).to_contain_text("Mail can arrive.")


def test_without_script(visit: Visit) -> None:
    with visit(java_script_enabled=False) as page:
        ask(page, "openrelay.e2e.test")
        frame = report(page)
        expect(frame.locator("#verdict")).to_contain_text("Critical")
        expect(page.locator(".progress")).to_be_hidden()
        frame.get_by_role("link", name="in the transcript").first.click()
        expect(frame.locator("li.cited").first).to_be_in_viewport()
        page.get_by_role("link", name="Link to this result").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("openrelay.e2e.test")
        expect(report(page).locator("#verdict")).to_contain_text("Critical")


@pytest.mark.parametrize("script", [True, False])
def test_what_is_waited_for_is_seen_and_can_be_stopped(
    visit: Visit, service: Served, silence: socket.socket, script: bool
) -> None:
    with visit(java_script_enabled=script) as page:
        ask(page, "silent.e2e.test", **{"Timeout (seconds)": "30"})
        server, _ = silence.accept()
        with server:
            steps = page.locator(".steps li:visible", has_text="127.9.1.200")
            expect(steps.last).to_contain_text("waiting for the greeting")
            # with the script a server has one line
            assert (steps.count() == 1) is script
            assert service.inflight() == 1
            page.get_by_role("link", name="Stop").click()
            assert server.recv(1) == b""
        expect(page.get_by_label("Domain", exact=True)).to_have_value("silent.e2e.test")
    assert service.inflight() == 0


def test_what_is_saved(visit: Visit, tool: Tool, tmp_path: Path) -> None:
    saved: dict[str, Path] = {}
    with visit() as page:
        ask(page, "openrelay.e2e.test")
        for name in ("HTML", "JSON", "recorded case"):
            with page.expect_download() as download:
                page.get_by_role("link", name=name, exact=True).click()
            saved[name] = tmp_path / download.value.suggested_filename
            download.value.save_as(saved[name])
    assert [path.suffix for path in saved.values()] == [".html", ".json", ".zip"]
    assert len({path.stem for path in saved.values()}) == 1
    with zipfile.ZipFile(saved["recorded case"]) as archive:
        archive.extractall(tmp_path)
    case = tmp_path / saved["recorded case"].stem
    for form, name in (("json", "JSON"), ("html", "HTML")):
        replayed = tool("replay", case, "--format", form, offline=True)
        assert replayed.code == 2
        assert replayed.out == saved[name].read_bytes()


def test_with_a_token(browser: Browser, lab: Lab) -> None:
    with served(*IN_THE_LAB, CHECKER_SMTP_TOKEN="not a guess") as service:
        context = browser.new_context(
            base_url=service.url, http_credentials={"username": "anybody", "password": "not a guess"}
        )
        page = context.new_page()
        page.goto("/check")
        ask(page, "healthy.e2e.test", **{"HELO name": PROBE})
        expect(page.locator("iframe.fitted")).to_be_visible()
        expect(report(page).locator("#verdict")).to_contain_text("Mail can arrive.")
        context.close()


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", {"width": 1280, "height": 800}), ("dark", PHONE), ("light", PHONE)]
)
def test_accessible_and_never_wider_than_the_screen(
    visit: Visit, axe: str, silence: socket.socket, scheme: str, viewport: dict[str, int]
) -> None:
    def sound(page: Page) -> None:
        assert not wider_than_the_screen(page)
        assert violations(page, axe) == []

    with visit(color_scheme=scheme, viewport=viewport, bypass_csp=True) as page:
        sound(page)
        ask(page, "a b.e2e.test", **{"Timeout (seconds)": "soon"})
        expect(page.get_by_role("alert")).to_be_visible()
        sound(page)
        ask(page, "silent.e2e.test", **{"Timeout (seconds)": "12"})
        server, _ = silence.accept()
        with server:
            expect(page.locator(".steps")).to_contain_text("waiting for the greeting")
            sound(page)
        expect(page.locator("iframe.fitted")).to_be_visible()
        sound(page)
        page.goto("/check/results/none/report.html")
        expect(page.locator("h1")).to_have_text("This result does not exist")
        sound(page)
