"""Which requests get in."""

import base64

import pytest

from checker_smtp.service.http.auth import Auth
from checker_smtp.service.settings import ServiceSettings
from tests.apps.service.middleware_app import client, wrapped

pytestmark = pytest.mark.anyio

TOKEN = "Zürich-0123456789abcdef"


def basic(credential: str) -> str:
    return "Basic " + base64.b64encode(credential.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        *[f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(f":{TOKEN}"), basic(f"anybody:{TOKEN}")],
        basic(f"anybody:{TOKEN}").replace("Basic", "bASIC"),
    ],
)
async def test_who_knows_the_token_gets_in(authorization: str) -> None:
    async with client(wrapped(ServiceSettings(token=TOKEN))) as http:
        answer = await http.get("/check", headers={"Authorization": authorization.encode()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        *[
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Digest {TOKEN}",
            TOKEN,
        ],
        *[
            basic(TOKEN),
            basic(f"{TOKEN}:"),
            basic("a:b"),
            basic(""),
            "Basic",
            "Basic ",
            "Basic %%%",
            "Basic YWJj=",
        ],
    ],
)
async def test_who_does_not_stays_out(authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    async with client(wrapped(ServiceSettings(token=TOKEN))) as http:
        for path in ("/check", "/collect", "/definition", "/healthy", "/health/", "//health", "/nowhere"):
            answer = await http.post(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert TOKEN not in answer.text
        assert (await http.get("/health", headers=headers)).status_code == 200


async def test_without_a_token_nobody_is_asked() -> None:
    async with client(wrapped()) as http:
        assert (await http.get("/check")).status_code == 200
        assert (await http.get("/check", headers={"Authorization": "Bearer x"})).status_code == 200


async def test_the_token_is_nowhere_to_be_read() -> None:
    gate = Auth(TOKEN)
    assert TOKEN not in repr(ServiceSettings(token=TOKEN, rate_storage="memory://"))
    assert TOKEN.encode() not in [value for value in vars(gate).values() if isinstance(value, bytes)]
    assert TOKEN not in [value for value in vars(gate).values() if isinstance(value, str)]


HERE = {"Host": "checker.localhost:8080"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # a program
        ({}, 200),
        # the page itself, and what was typed into the address bar
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://checker.localhost:8080"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        # behind a proxy that takes TLS off
        ({"Origin": "https://checker.localhost:8080"}, 200),
        ({"Origin": "http://CHECKER.localhost:8080"}, 200),
        # another site, by either header; the newer one decides
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://checker.localhost:8080"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://checker.localhost:9090"}, 403),
        ({"Origin": "http://checker.localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Origin": "http://checker.localhost:8080.evil.test"}, 403),
        ({"Origin": "http://checker.localhost:8080@evil.test"}, 403),
    ],
)
async def test_what_another_site_sent_is_refused(headers: dict[str, str], status: int) -> None:
    async with client(wrapped()) as http:
        for method, path in (("POST", "/check"), ("POST", "/check/1"), ("DELETE", "/check/1")):
            assert (await http.request(method, path, headers=HERE | headers)).status_code == status
        # to look is no harm: a link from elsewhere leads here
        assert (await http.get("/check", headers=HERE | headers)).status_code == 200
