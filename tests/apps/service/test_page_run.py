"""A check that is watched: the page grows while it runs, and what is saved from it is the check."""

import asyncio
import io
import re
import zipfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from prometheus_client import generate_latest

from checker_smtp import replay
from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.tracing import Note
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, load
from checker_smtp.report.formats.html import render_html
from checker_smtp.service.admission import Admission
from checker_smtp.service.checks import Checks
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.load import Load
from checker_smtp.service.refusal import CheckRefused
from checker_smtp.service.results import ResultStore
from checker_smtp.service.running_checks import RunningCheck, RunningChecks
from checker_smtp.service.settings import ServiceSettings
from checker_smtp.testing import FakeNetwork, FakeResolver
from smtp_sansio import Script
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import by_id, replaying, shown, sound, visiting
from tests.report.page import parse, words

T = TypeVar("T")
pytestmark = pytest.mark.anyio
HELO = "probe.dev-probe.test"
MIXED = "dns-mx-with-different-faults"


class SilentServer(FakeResolver):
    """A domain whose one server says nothing until it is `released`; then its resolver fails."""

    def __init__(self) -> None:
        super().__init__("example.org MX 10 mx.example.org.\nmx.example.org A 192.0.2.7")
        self.released = asyncio.Event()
        self.cancelled = False

    async def run(self, script: Script[T]) -> T:
        try:
            next(script)
            await self.released.wait()
            raise ConnectionError("<b>a bug</b>")
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            script.close()


def mute() -> FakeNetwork:
    """Return a network whose resolver answers nothing."""
    return FakeNetwork(FakeResolver.failing(DnsStatus.TIMEOUT, "timeout"))


def started(checks: Checks, options: Options) -> AbstractAsyncContextManager[RunningCheck]:
    """Start a check of the page."""
    results = ResultStore(None, days=1, octets=1024 * 1024)
    return RunningChecks(checks, results, Load()).attached(options, client="", owner="")


def waiting(world: SilentServer, **settings: Any) -> Middleware:
    return shown(lambda: world, **{"allow_targets": ("192.0.2.0/24",)} | settings)


async def checked(middleware: Middleware, **fields: str) -> httpx.Response:
    async with client(middleware) as browser:
        answer = await browser.post("/check", data=fields)
    assert answer.status_code == 200
    return answer


async def fetched(middleware: Middleware, path: str) -> httpx.Response:
    async with client(middleware) as browser:
        return await browser.get(path)


def files(page: str) -> dict[str, str]:
    """Where the page says that its files are."""
    found = set(re.findall(r'(?:href|src)="(check/results/[^"]+/([^"/]+))"', page))
    return {name: f"/{path}" for path, name in found}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_the_whole_page(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = replaying(monkeypatch, MIXED, backend=backend, helo_name=HELO)
    # the visitor's name is ignored
    answer = await checked(app, domain="dev-mixed.test", helo_name="visitor.test")
    assert "content-length" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    tree = sound(answer.text)
    assert words(next(tree.iter("h1"))) == "dev-mixed.test"
    steps = [words(step) for step in by_id(tree)["steps"].iter("li")]
    assert re.fullmatch(r"\d\.\d s DNS MX dev-mixed.test", steps[0])
    shown_steps = "\n".join(steps)
    for line in (
        r"127\.1\.1\.\d+:25 connecting",
        r"127\.1\.1\.\d+:25 TLS handshake",
        r"127\.1\.1\.\d+:25 done",
    ):
        assert re.search(line, shown_steps)
    # of lookups at the same time the last one's end counts
    ends = sum(step.endswith("DNS done") for step in steps)
    assert 2 <= ends < sum(" DNS " in step for step in steps) - ends
    outcome = by_id(tree)["outcome"]
    assert words(outcome).startswith("Critical: Mail can arrive.")
    frame = next(tree.iter("iframe"))
    assert frame.attrib["sandbox"] == "allow-same-origin"
    assert frame.attrib["title"] == "Report on dev-mixed.test"
    links = {words(a): a.attrib["href"] for a in tree.iter("a")}
    assert links["Check again"] == "check?domain=dev-mixed.test"
    assert re.fullmatch(r"check/results/[\w-]{22}", links["Link to this result"])
    assert by_id(tree)["domain"].attrib["value"] == "dev-mixed.test"
    assert not [e for e in tree.iter() if "autofocus" in e.attrib]


async def test_what_is_saved_is_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = replaying(monkeypatch, "postfix-open-relay", helo_name=HELO)
    page = (await checked(app, domain="dev-openrelay.test")).text
    paths = files(page)
    assert set(paths) == {"report.html", "report.json", "case.zip"}
    got = {name: await fetched(app, path) for name, path in paths.items()}
    assert {answer.status_code for answer in got.values()} == {200}

    document = load(got["report.json"].content)
    assert got["report.html"].text == render_html(document)
    assert {f.code for f in document.findings} >= {"smtp.open_relay"}
    with zipfile.ZipFile(io.BytesIO(got["case.zip"].content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()  # noqa: ASYNC240 - nothing else runs
    assert re.fullmatch(r"dev-openrelay\.test-\d{8}T\d{6}Z", folder.name)
    assert dump(await replay(folder)) == got["report.json"].text
    assert read_case(folder).options.helo_name == HELO


async def test_the_headers_of_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    app = replaying(monkeypatch, "dns-null-mx", helo_name=HELO)
    paths = files((await checked(app, domain="dev-nullmx.test")).text)
    for name, kind, shown_as in (
        ("report.html", "text/html; charset=utf-8", "inline"),
        ("report.json", "application/json", "attachment"),
        ("case.zip", "application/zip", "attachment"),
    ):
        answer = await fetched(app, paths[name])
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["x-content-type-options"] == "nosniff"
        ending = name.partition(".")[2]
        disposition = rf'{shown_as}; filename="dev-nullmx\.test-\d{{8}}T\d{{6}}Z\.{ending}"'
        assert re.fullmatch(disposition, answer.headers["content-disposition"])
        policies = answer.headers.get_list("content-security-policy")
        assert any("sandbox allow-same-origin" in policy for policy in policies) is (name == "report.html")
        assert not any("allow-scripts" in policy for policy in policies)


async def test_the_beginning_is_there_before_the_end() -> None:
    world = SilentServer()
    async with visiting(waiting(world), domain="example.org") as (visit, serving):
        await visit.until("192.0.2.7:25</b> <span>connecting")
        assert visit.status == 200
        assert "<h1>example.<wbr>org</h1>" in visit.text
        assert not visit.whole
        assert 'id="outcome"' not in visit.text
        world.released.set()
        await serving
        assert visit.whole
        sound(visit.text)


async def test_who_leaves_takes_the_check_along() -> None:
    world = SilentServer()
    app = waiting(world, max_checks=1)
    async with visiting(app, domain="example.org") as (visit, serving):
        await visit.until("connecting")
        async with client(app, "192.0.2.99") as other:
            assert (await other.post("/check", data={"domain": "example.org"})).status_code == 503
        visit.leave()
        await asyncio.wait([serving])
    assert world.cancelled
    assert not visit.whole
    health = (await fetched(app, "/health")).json()
    assert health["inflight"] == 0
    world.released.set()
    async with client(app) as browser:
        assert (await browser.post("/check", data={"domain": "example.org"})).status_code == 200


async def test_a_check_that_nobody_waits_for_is_cancelled() -> None:
    world = SilentServer()
    settings = ServiceSettings(allow_targets=("192.0.2.0/24",))
    checks = Checks(settings, Admission(settings), lambda: world)
    async with started(checks, checks.options({"domain": "example.org"})) as run:
        async for step in run.steps():
            if step.what == "connecting":
                break
    assert world.cancelled


async def test_a_check_counts_as_a_request_while_it_runs() -> None:
    world = SilentServer()
    app = waiting(world)
    async with visiting(app, domain="example.org") as (visit, serving):
        await visit.until("connecting")
        assert (await fetched(app, "/health")).json()["inflight"] == 1
        world.released.set()
        await serving
    assert (await fetched(app, "/health")).json()["inflight"] == 0


async def test_a_bug_ends_the_page_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = SilentServer()
    world.released.set()
    page = (await checked(waiting(world), domain="example.org")).text
    tree = sound(page)
    assert words(by_id(tree)["outcome"]) == "The check failed"
    assert "An error in this service ended the check; the log has the details." in words(tree)
    assert "bug" not in page
    assert "Traceback" not in page
    assert "a check failed" in caplog.text


async def test_a_resolver_that_answers_nothing() -> None:
    tree = sound((await checked(shown(mute), domain="example.org")).text)
    assert "The DNS resolver of this service cannot be used (timeout), so" in words(tree)
    assert words(by_id(tree)["outcome"]) == "The check failed"


class SilentResolver(FakeResolver):
    """A resolver that never answers."""

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:  # noqa: ARG002
        await asyncio.Event().wait()
        raise AssertionError(f"{rdtype} {name}")


async def test_a_check_that_takes_too_long(tmp_path: Path) -> None:
    app = shown(lambda: FakeNetwork(SilentResolver()), check_budget=0.05)
    page = (await checked(app, domain="example.org")).text
    assert words(by_id(sound(page))["outcome"]).startswith("Unknown")
    report, document, case = [
        await fetched(app, files(page)[name]) for name in ("report.html", "report.json", "case.zip")
    ]
    assert "the time for the whole check, 0.05 seconds, ran out" in report.text
    assert "Repeat the check with a longer --check-budget." in words(parse(report.text))
    with zipfile.ZipFile(io.BytesIO(case.content)) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()  # noqa: ASYNC240 - nothing else runs
    assert dump(await replay(folder)) == document.text


async def test_hostile_names_among_the_steps() -> None:
    def lookup(name: str, rdtype: str) -> DnsAnswer:
        records = (f"{name} 60 IN MX 10 <script>alert(1)</script>\x1b[31m\u202e.",) if rdtype == "MX" else ()
        status = DnsStatus.ANSWER if records else DnsStatus.NODATA
        return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records)

    page = (await checked(shown(lambda: FakeNetwork(FakeResolver(lookup))), domain="example.org")).text
    tree = sound(page)
    assert r"A <script>alert(1)</script>\x1b[31m\u202e" in words(by_id(tree)["steps"])


async def test_of_servers_that_say_too_much_no_recording_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.service.results._MAX_RECEIVED", 100)
    page = (await checked(replaying(monkeypatch, MIXED, helo_name=HELO), domain="dev-mixed.test")).text
    sound(page)
    assert set(files(page)) == {"report.html", "report.json"}


async def test_what_a_check_says_after_its_end_is_dropped() -> None:
    notes: list[Note] = []

    class Elsewhere(Checks):
        async def run(self, *_: object, on_progress: Note | None = None, **__: object) -> Result:
            assert on_progress is not None
            notes.append(on_progress)
            raise CheckRefused(503, "not now")

    settings = ServiceSettings()
    with pytest.raises(CheckRefused):
        async with started(Elsewhere(settings, Admission(settings), mute), Options(domain="a.test")):
            raise AssertionError
    notes[0]("192.0.2.7:25", "connecting")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_a_server_that_was_visited_too_often_is_not_visited_again(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = replaying(monkeypatch, "postfix-open-relay", backend=backend, helo_name=HELO, rate_address="1/hour")
    assert "report.html" in (await checked(app, domain="dev-openrelay.test")).text
    page = (await checked(app, domain="dev-openrelay.test")).text
    assert "report.html" not in page
    assert re.search(
        r"More than 1 checks per hour for the mail server 127\.\d+\.\d+\.\d+: try again later", page
    )
    sound(page)
    assert 'reason="address-rate"' in generate_latest(app.metrics.registry).decode()


async def test_results_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    app = replaying(monkeypatch, "dns-null-mx", helo_name=HELO)
    paths = files((await checked(app, domain="dev-nullmx.test")).text)
    name = paths["report.html"].split("/")[3]
    assert len(name) >= 20
    for path in (f"/check/results/{name}/other.txt", "/check/results/AAAAAAAAAAAAAAAAAAAAAA/report.html"):
        answer = await fetched(app, path)
        assert answer.status_code == 404
        tree = sound(answer.text)
        assert words(next(tree.iter("h1"))) == "This result does not exist"
        assert {a.attrib["href"] for a in tree.iter("a")} == {"../../../check", "../../../check/../about"}


async def test_the_files_of_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    app = replaying(monkeypatch, "dns-null-mx")
    page = (await fetched(app, "/check")).text
    style, script = re.findall(r'(?:href|src)="(check/static/[^"]+)"', page)
    assert re.fullmatch(r"check/static/page\.css\?[0-9a-f]{12}", style)
    for path, kind in ((style, "text/css; charset=utf-8"), (script, "text/javascript; charset=utf-8")):
        answer = await fetched(app, f"/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert "immutable" in answer.headers["cache-control"]
        assert "url(" not in answer.text
        assert "://" not in answer.text
    assert (await fetched(app, "/check/static/page.py")).status_code == 404
