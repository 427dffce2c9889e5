"""Kept results in a real browser, with and without its script: their address, and what can be done there."""

import re
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
from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE
from tests.e2e.served import IN_THE_LAB, Served, served
from tests.report.page import parse

RESULT = re.compile(r"/check/results/[\w-]{22}$")
CONTACT = "mailto:postmaster@example.org"


@pytest.fixture(scope="module")
def service(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "results.sqlite"
    with served(
        *IN_THE_LAB, *UNLIMITED, "--helo-name", PROBE, "--contact", CONTACT, "--store", str(store)
    ) as here:
        yield here
        assert "Traceback" not in here.log


@pytest.fixture
def visit(browser: Browser, service: Served) -> Visit:
    return partial(visited, browser, service.url)


def check(page: Page, domain: str) -> str:
    """Check a domain; return the address of its result."""
    ask(page, domain)
    expect(report(page).locator("#verdict")).to_be_visible()
    href = page.locator("a.keep").evaluate("link => link.href")
    assert RESULT.search(href)
    return str(href)


def test_the_page_of_a_check_gets_the_address_of_its_result(visit: Visit) -> None:
    with visit() as page:
        address = check(page, "openrelay.e2e.test")
        expect(page).to_have_url(address)
        # each of them is complete, so that the new address does not change what it means
        relative = "all => all.map(one => one.getAttribute('href')).filter(href => !href.includes('://'))"
        assert page.locator("a[href]").evaluate_all(relative) == []
        page.get_by_role("link", name="About this checker").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("About this checker")
        page.go_back()
        expect(page).to_have_url(address)
        page.reload()
        expect(page).to_have_url(address)
        expect(report(page).locator("#verdict")).to_contain_text("Critical")
        expect(page.get_by_role("heading", level=1)).to_have_text("openrelay.e2e.test")
        expect(page.locator("iframe.fitted")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_a_result_leads_to_the_next_one_and_to_their_difference(visit: Visit, script: bool) -> None:
    with visit(java_script_enabled=script) as page:
        first = check(page, "nullmx.e2e.test")
        page.goto(first)
        expect(page.get_by_role("link", name="Compare with the check before")).to_have_count(0)
        page.get_by_role("link", name="Check again").click()
        expect(page.get_by_label("Domain", exact=True)).to_have_value("nullmx.e2e.test")
        page.get_by_role("button", name="Check again").click()
        expect(report(page).locator("#verdict")).to_contain_text("receives no mail")
        second = page.locator("a.keep").evaluate("link => link.href")
        assert second != first
        page.get_by_role("link", name="Compare with the check before").click()
        expect(page).to_have_url(f"{second}/compare.html")
        expect(page.locator("body")).to_contain_text("nullmx.e2e.test")


@pytest.mark.parametrize("script", [True, False])
def test_a_result_has_its_files_for_everybody(
    visit: Visit, browser: Browser, service: Served, script: bool, tmp_path: Path
) -> None:
    with visit(java_script_enabled=script) as page:
        address = check(page, "openrelay.e2e.test")
    with visited(browser, service.url, address, java_script_enabled=script) as page:
        expect(page.get_by_role("button", name="Delete this result")).to_have_count(0)
        for name, beginning in (("HTML", b"<!DOCTYPE html>"), ("JSON", b"{"), ("recorded case", b"PK")):
            with page.expect_download() as download:
                page.get_by_role("link", name=name, exact=True).click()
            saved = tmp_path / download.value.suggested_filename
            download.value.save_as(saved)
            assert saved.read_bytes().startswith(beginning)


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("reloaded", [True, False])
def test_only_the_browser_that_made_a_result_deletes_it(
    visit: Visit, browser: Browser, service: Served, script: bool, reloaded: bool
) -> None:
    with visit(java_script_enabled=script) as page:
        address = check(page, "nullmx.e2e.test")
        # another browser that sends the form
        foreign = browser.new_context()
        answer = foreign.request.post(f"{address}/delete", headers={"Origin": service.url})
        assert answer.status == 403
        assert "Only the browser that made a result" in answer.text()
        foreign.close()
        if reloaded:
            page.goto(address)
        page.get_by_role("button", name="Delete this result").click()
        expect(page.get_by_role("status")).to_have_text("The result is deleted.")
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("This result does not exist")
        page.get_by_role("link", name="Check the domain again").click()
        expect(page.get_by_label("Domain", exact=True)).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible_valid_and_never_wider_than_the_screen(
    visit: Visit, axe: str, scheme: str, width: int, tmp_path: Path
) -> None:
    def sound(page: Page, name: str) -> None:
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        assert not wider_than_the_screen(page)
        assert violations(page, axe) == []

    with visit(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True) as page:
        address = check(page, "mixed.e2e.test")
        for name, path in {
            "start": "/check",
            "error": "/nothing/here",
            "deleted": "/check?deleted=true",
            "about": "/about",
            "none": "/check/results/none",
            "result": address,
        }.items():
            answer = page.goto(path)
            assert answer is not None
            # raises for what is no valid HTML
            parse(answer.text())
            if name == "result":
                expect(page.locator("iframe.fitted")).to_be_visible()
            sound(page, name)
        page.context.clear_cookies()
        with page.expect_navigation() as navigation:
            page.get_by_role("button", name="Delete this result").click()
        parse(navigation.value.text())
        expect(page.get_by_role("heading", level=1)).to_have_text("Not deleted")
        sound(page, "not-deleted")
        page.get_by_role("link", name="Back to the result").click()
        expect(page).to_have_url(address)
        expect(page.get_by_role("button", name="Delete this result")).to_have_count(0)
