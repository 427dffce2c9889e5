"""Kept results: limits in octets and time, access by their random name only, and what the owner may do."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest

from checker_smtp import replay
from checker_smtp.backends.recording.case import read_case
from checker_smtp.history.store import KeptCheck
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.results import CompletedCheck, ResultStore
from checker_smtp.testing import FakeClock
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import FIXTURES, replaying, sound
from tests.report.page import words

DOMAIN = "dev-openrelay.test"
CASE = FIXTURES / "postfix-open-relay"


def completed(run_at: str = "") -> CompletedCheck:
    """Return a recorded check, as if it were made at `run_at`."""
    result = anyio.run(replay, CASE)
    seen = replace(result.observation, run_at=run_at or "2999-01-01T00:00:00Z")
    return CompletedCheck(result=replace(result, observation=seen), case=read_case(CASE))


def keep(results: ResultStore, name: str, check: CompletedCheck, owner: str = "") -> KeptCheck:
    return anyio.run(results.keep, name, check, owner)


def names_found(results: ResultStore, *names: str) -> list[bool]:
    return [anyio.run(results.find, name) is not None for name in names]


def test_a_result_is_found_by_its_name_until_it_is_too_old() -> None:
    results = ResultStore(None, days=1, octets=2**20)
    keep(results, "one", completed())
    keep(results, "two", completed("2020-01-01T00:00:00Z"))
    assert names_found(results, "one", "two", "other", "") == [True, False, False, False]


def test_the_oldest_goes_where_there_are_too_many_octets() -> None:
    size = keep(ResultStore(None, days=1, octets=2**20), "one", completed()).octets
    results = ResultStore(None, days=1, octets=size * 5 // 2)
    for name in ("one", "two", "three"):
        keep(results, name, completed())
    assert names_found(results, "one", "two", "three") == [False, True, True]


def test_a_result_larger_than_all_may_be_is_alone() -> None:
    results = ResultStore(None, days=1, octets=10)
    keep(results, "one", completed())
    keep(results, "two", completed())
    assert names_found(results, "one", "two") == [False, True]


def test_old_results_are_removed_once_a_minute() -> None:
    clock = FakeClock()
    results = ResultStore(None, days=1, octets=2**30, clock=clock)
    old = completed("2020-01-01T00:00:00Z")
    keep(results, "one", completed())
    keep(results, "two", old)
    assert results.count() == 2
    clock.now = 61.0
    keep(results, "three", completed())
    assert results.count() == 2


@pytest.mark.parametrize(
    ("days", "told"),
    [(1 / 24, "1 hour"), (30, "30 days"), (1, "1 day"), (0.1, "144 minutes"), (0.25, "6 hours")],
)
def test_how_long_a_result_is_kept_in_words(days: float, told: str) -> None:
    assert ResultStore(None, days=days, octets=1).lifetime == told


def test_results_in_a_file_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    first = ResultStore(path, days=1, octets=2**20)
    keep(first, "one", completed(), "owner")
    # the process is killed: nothing is closed
    second = ResultStore(path, days=1, octets=2**20)
    assert names_found(second, "one") == [True]
    kept = anyio.run(second.find, "one")
    assert kept is not None
    assert kept.owner == "owner"
    found = anyio.run(second.work_on, kept, lambda result: result.findings)
    assert found == completed().result.findings


# the pages


async def check(browser: httpx.AsyncClient) -> str:
    """Run a check on the page; return the path of its result."""
    page = (await browser.post("/check", data={"domain": DOMAIN})).text
    return "/" + re.findall(r"check/results/[\w-]{22}", page)[0]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Middleware:
    return replaying(
        monkeypatch, "postfix-open-relay", helo_name="probe.dev-probe.test", store=tmp_path / "r.sqlite"
    )


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.anyio
async def test_a_result_is_a_page_with_its_downloads(app: Middleware) -> None:
    async with client(app) as browser, client(app) as reader:
        path = await check(browser)
        answer = await reader.get(path)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["vary"] == "Cookie"
        tree = sound(answer.text)
        links = {words(a): a.attrib["href"] for a in tree.iter("a")}
        assert links["Check again"] == f"../../check?domain={DOMAIN}"
        assert links["recorded case"].endswith("/case.zip")
        assert "Compare with the check before" not in links
        assert "kept for 30 days" in words(tree)
        # only the browser that made it sees the button
        assert "Delete this result" not in answer.text
        assert "Delete this result" in (await browser.get(path)).text


@pytest.mark.anyio
async def test_two_results_of_one_browser_are_compared(app: Middleware) -> None:
    async with client(app) as browser, client(app) as other:
        await check(other)
        first = await check(browser)
        second = await check(browser)
        assert (await browser.get(f"{first}/compare.html")).status_code == 404
        compared = await other.get(f"{second}/compare.html")
        assert compared.status_code == 200
        assert "text/html" in compared.headers["content-type"]
        assert any("sandbox" in p for p in compared.headers.get_list("content-security-policy"))
        assert f"{second.removeprefix('/check/results/')}/compare.html" in (await other.get(second)).text


@pytest.mark.anyio
async def test_only_the_browser_that_made_a_result_deletes_it(app: Middleware) -> None:
    async with client(app) as browser, client(app) as other:
        path = await check(browser)
        refused = await other.post(f"{path}/delete")
        assert refused.status_code == 403
        assert words(next(sound(refused.text).iter("h1"))) == "Not deleted"
        done = await browser.post(f"{path}/delete")
        assert (done.status_code, done.headers["location"]) == (303, "../../../check?deleted=true")
        assert (await browser.get(path)).status_code == 404
        assert (await browser.post(f"{path}/delete")).status_code == 404
        form = sound((await browser.get("/check?deleted=true")).text)
        assert "The result is deleted." in words(form)
        # a link from elsewhere puts no words on the page
        other = sound((await browser.get("/check?deleted=Call+the+helpdesk")).text)
        assert "helpdesk" not in words(other)
        assert "is deleted" not in words(other)


@pytest.mark.anyio
async def test_the_cookie_is_for_this_site_and_for_no_script(app: Middleware) -> None:
    async with client(app) as browser:
        answer = await browser.post("/check", data={"domain": DOMAIN})
        cookie = answer.headers["set-cookie"]
        assert re.match(r"checker_smtp_owner=[\w-]{22}; ", cookie)
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        secret = cookie.partition("=")[2].partition(";")[0]
        assert secret not in answer.text
        # it stays the same
        assert secret in (await browser.post("/check", data={"domain": DOMAIN})).headers["set-cookie"]


@pytest.mark.anyio
async def test_a_program_that_asks_the_page_for_json_is_shown_the_api(app: Middleware) -> None:
    async with client(app) as browser:
        answer = await browser.get("/check", headers={"Accept": "application/json"})
        assert answer.status_code == 406
        assert answer.headers["link"] == '<api/v1/checks>; rel="alternate"'
        assert answer.json() == {"error": "the page is HTML: programs send POST to /api/v1/checks"}
        assert (await browser.get("/check", headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("damage", ["UPDATE checks SET document = x'00'", "DROP TABLE checks"])
async def test_a_damaged_store_is_no_bug_of_the_service(
    app: Middleware, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(app) as browser:
        path = await check(browser)
        with closing(sqlite3.connect(tmp_path / "r.sqlite")) as other, other:
            other.execute(damage)
        name = path.rpartition("/")[2]
        for asked in (path, f"{path}/report.html", f"/api/v1/checks/{name}"):
            answer = await browser.get(asked)
            assert answer.status_code == 503
            assert answer.json()["error"].startswith("the service cannot read its results")
            assert answer.headers["x-request-id"] in answer.json()["error"]
            assert str(tmp_path) not in answer.text
    # for the operator
    assert str(tmp_path / "r.sqlite") in caplog.text
