"""The head of a request: the name of the service in it, its framing, and its size."""

import anyio
import httpx
import pytest
from starlette.types import Message, Scope

from checker_smtp.service.http.request_head import MAX_HEAD
from checker_smtp.service.settings import ServiceSettings, SettingError
from tests.apps.service.middleware_app import client, wrapped

pytestmark = pytest.mark.anyio

EVERYWHERE = ServiceSettings(listen=("", 8080))
ADDRESSES = ("192.0.2.1:80", "127.0.0.1", "[2001:db8::1]:8080", "[::1]")
LOCAL = ("localhost", "LOCALHOST:8080", "localhost.", "a.localhost")
OTHERS = ("a.test", "a.test:8080", "a_b.test", "x.", "localhost.a.test", "alocalhost")


async def got(settings: ServiceSettings, host: str) -> httpx.Response:
    async with client(wrapped(settings)) as http:
        return await http.get("/", headers={"Host": host})


@pytest.mark.parametrize("host", [*ADDRESSES, *LOCAL, *OTHERS])
async def test_elsewhere_any_name_is_served(host: str) -> None:
    assert (await got(EVERYWHERE, host)).status_code == 200


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.5.6.7", "::1", "localhost", "LocalHost"])
async def test_on_loopback_only_localhost_is_served(listen: str) -> None:
    settings = ServiceSettings(listen=(listen, 8080))
    for host in (*ADDRESSES, *LOCAL):
        assert (await got(settings, host)).status_code == 200
    for host in OTHERS:
        answer = await got(settings, host)
        assert (answer.status_code, set(answer.json())) == (421, {"error"})
        assert "--allow-host" in answer.json()["error"]
        assert host not in answer.text


@pytest.mark.parametrize("listen", ["127.0.0.1", ""])
async def test_the_names_that_are_given(listen: str) -> None:
    settings = ServiceSettings(listen=(listen, 8080), allow_hosts=("Checker.test.", "bücher.example"))
    for host in (
        *ADDRESSES,
        *LOCAL,
        "checker.test",
        "CHECKER.test:443",
        "checker.test.",
        "xn--bcher-kva.example",
    ):
        assert (await got(settings, host)).status_code == 200
    for host in ("a.checker.test", "checker.test.evil.test", "checker"):
        assert (await got(settings, host)).status_code == 421


@pytest.mark.parametrize("wrong", ["", "a b", "https://a.test", "192.0.2.1", "*.a.test"])
def test_a_name_that_is_none(wrong: str) -> None:
    with pytest.raises(SettingError, match=r"^(allow-host is|'.*' is|'.*' contains) "):
        wrapped(ServiceSettings(allow_hosts=(wrong,)))


@pytest.mark.parametrize(
    "host",
    ["", "a.test/evil", "a.test:x", "a.test@evil.test", "a b", "<script>", "a.test,b.test", "[::1", "a:1:2"],
)
async def test_no_host(host: str) -> None:
    answer = await got(EVERYWHERE, host)
    message = "the Host header is not a host name: send HOST or HOST:PORT"
    assert (answer.status_code, answer.json()) == (400, {"error": message})


async def answered(
    *headers: tuple[bytes, bytes], version: str = "1.1", target: bytes = b"/"
) -> dict[str, str]:
    """Return the status and the header fields of the response to a request with these header fields."""
    scope: Scope = {
        "type": "http",
        "http_version": version,
        "method": "POST",
        "path": "/",
        "raw_path": target,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 50000),
    }
    sent: list[Message] = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in requests:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await wrapped()(scope, receive, send)
    fields = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": str(sent[0]["status"]), "connection": fields.get("connection", "")}


CHUNKED, LENGTH = (b"transfer-encoding", b"chunked"), (b"content-length", b"0")


@pytest.mark.parametrize(
    ("headers", "version"), [((LENGTH, CHUNKED), "1.1"), ((CHUNKED, LENGTH), "1.1"), ((CHUNKED,), "1.0")]
)
async def test_an_ambiguous_length_is_refused_and_the_connection_closed(
    headers: tuple[tuple[bytes, bytes], ...], version: str
) -> None:
    assert await answered(*headers, version=version) == {"status": "400", "connection": "close"}


@pytest.mark.parametrize("header", [CHUNKED, LENGTH])
async def test_one_length_is_enough(header: tuple[bytes, bytes]) -> None:
    assert await answered(header) == {"status": "200", "connection": ""}


async def test_a_head_that_is_too_large() -> None:
    refused = {"status": "431", "connection": "close"}
    assert await answered((b"x", b"y" * MAX_HEAD)) == refused
    assert await answered(*[(b"x", b"")] * (MAX_HEAD // 5)) == refused
    assert await answered(target=b"/" + b"x" * MAX_HEAD) == refused
    assert (await answered((b"x", b"y" * (MAX_HEAD - 100))))["status"] == "200"
