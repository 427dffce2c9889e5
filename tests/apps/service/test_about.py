"""Who the checker is, its contact, and whether it is ready."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checker_smtp.testing import FakeNetwork, FakeResolver
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import shown
from tests.report.page import parse, words

pytestmark = pytest.mark.anyio
LOCAL = {4: "192.0.2.10", 6: ""}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting(FakeResolver):
    """A resolver that counts the questions of all its objects."""

    asked = 0

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False):  # type: ignore[no-untyped-def]
        Counting.asked += 1
        return await super().resolve(name, rdtype, unvalidated=unvalidated)


async def test_an_operator_who_finds_it_in_a_log_learns_who_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.api.local_addresses", lambda: LOCAL)
    zone = ". NS a.root.test.\nprobe.example.org A 192.0.2.10"
    app = shown(
        lambda: FakeNetwork(Counting(zone)),
        helo_name="probe.example.org",
        contact="mailto:postmaster@example.org",
    )
    async with client(app) as browser:
        page = parse((await browser.get("/about")).text)
        asked = Counting.asked
        assert (await browser.get("/about")).status_code == 200
        assert Counting.asked == asked > 0
        security = await browser.get("/.well-known/security.txt")
    told = words(page)
    assert "192.0.2.10" in told
    assert "probe.example.org" in told
    assert "It sends no mail" in told
    # advice for the command line is of no use here
    assert "--" not in told
    assert "mailto:" not in told
    assert {a.attrib["href"] for a in page.iter("a")} >= {"mailto:postmaster@example.org"}
    assert security.headers["content-type"].startswith("text/plain")
    contact, expires = security.text.splitlines()
    assert contact == "Contact: mailto:postmaster@example.org"
    until = datetime.fromisoformat(expires.removeprefix("Expires: "))
    assert timedelta(days=30) < until - datetime.now(UTC) < timedelta(days=365)


async def test_without_a_contact_there_is_no_security_txt() -> None:
    async with client(shown(FakeNetwork)) as browser:
        assert (await browser.get("/.well-known/security.txt")).status_code == 404


async def test_it_is_ready_while_results_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    async with client(shown(FakeNetwork, store=path)) as probe:
        assert (await probe.get("/ready")).json() == {"status": "ready"}
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE findings")
            other.execute("DROP TABLE checks")
        answer = await probe.get("/ready")
        assert answer.status_code == 503
        assert "cannot be used" in answer.json()["error"]
        assert (await probe.get("/health")).status_code == 200


async def test_every_response_has_the_id_of_its_request() -> None:
    async with client(shown(FakeNetwork)) as browser:
        ids = {(await browser.get(path)).headers["x-request-id"] for path in ("/check", "/health", "/none")}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{12}", one) for one in ids)
