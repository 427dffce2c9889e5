"""Invalid requests for a check: the right status, one sentence, and no query or connection."""

from typing import TypeVar

import pytest

from checker_smtp.probes.dns import ResolverError
from checker_smtp.service.checks import Checks
from checker_smtp.service.refusal import CheckRefused
from checker_smtp.testing import FakeNetwork
from tests.apps.service.hosted import HappyDomain, service

pytestmark = pytest.mark.anyio

T = TypeVar("T")


@pytest.fixture
def host() -> HappyDomain:
    return HappyDomain(service(FakeNetwork()))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty: send a JSON object"),
        (b"  \r\n", "the body is empty"),
        (b"{", "the body is not JSON: Input data was truncated"),
        (b"domain=example.org", "the body is not JSON"),
        (b'{"options": {"domain": "\xff"}}', "the body is not JSON"),
        (b'{"options": {"domain": "\\ud800"}}', "the body is not JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"key": 1}', "at `$.key`"),
        (b'{"options": []}', "at `$.options`"),
        (b'{"enabledRules": ["smtp.null_mx"]}', "at `$.enabledRules`"),
        (b'{"enabledRules": {"smtp.null_mx": null}}', "Expected `bool`, got `null`"),
        (b'{"options": {"x": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"options": {"x": ' + b'{"x":' * 100_000, "nested too deeply"),
        (b'{"options": {"timeout": 1e999}}', "out of range"),
        (b'{"options": {"timeout": NaN}}', "the body is not JSON"),
        (b'{"options": {"timeout": ' + b"9" * 5000 + b"}}", "out of range"),
        ({"key": "dns", "options": {"domain": "example.org"}}, "the key 'dns' is not collected here"),
        ({}, "domain is missing"),
        ({"options": None}, "domain is missing"),
        ({"key": "smtp", "options": {"domain": None}}, "domain is missing"),
    ],
)
async def test_bodies(host: HappyDomain, body: object, says: str) -> None:
    said = await host.refused("/collect", body)
    assert says in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("domain", "", "domain is empty"),
        ("domain", " ", "domain is empty"),
        ("domain", "a\r\nb.test", "no host name has"),
        ("domain", "example.org\r\nMAIL FROM:<>", "no host name has"),
        ("domain", "example.org\x00", "no host name has"),
        ("domain", "<example.org>", "no host name has"),
        ("domain", "127.0.0.1", "is an IP address"),
        ("domain", "[::1]", "is an IP address"),
        ("domain", "2130706433", "ends like an IP address"),
        ("domain", "http://169.254.169.254/", "is a URL"),
        ("domain", "\u202eexample.org", "not an internationalised host name"),
        ("domain", "x" * 100_000, "is too long"),
        ("domain", 7, "domain has the wrong type: give a string"),
        ("domain", ["example.org"], "domain has the wrong type"),
        ("helo_name", "probe\r\nRSET", "no host name has"),
        ("helo_name", "[127.0.0.1]", "is an IP address"),
        ("helo_name", True, "helo_name has the wrong type"),
        ("test_probe_address", "a@b.test>\r\nDATA", "no host name has"),
        ("test_probe_address", "a\r\nDATA@b.test", "not an address that SMTP can carry"),
        ("test_probe_address", "<a@b.test>", "no host name has"),
        ("test_probe_address", "a@b.test SIZE=1", "no host name has"),
        ("test_probe_address", {}, "test_probe_address has the wrong type"),
        ("timeout", 0, "timeout is 0"),
        ("timeout", -1.5, "timeout is -1.5"),
        ("timeout", 31, "timeout is 31: give at most 30 seconds here"),
        ("timeout", 10**300, "give at most 30 seconds here"),
        ("timeout", "12", "timeout has the wrong type: give a number"),
        ("timeout", True, "timeout has the wrong type"),
        ("test_null_sender", "false", "test_null_sender has the wrong type: give true or false"),
        ("test_postmaster", 1, "test_postmaster has the wrong type"),
        ("test_open_relay", [], "test_open_relay has the wrong type"),
    ],
)
async def test_options(host: HappyDomain, option: str, value: object, says: str) -> None:
    said = await host.refused(
        "/collect", {"key": "smtp", "options": {"domain": "example.org", option: value}}
    )
    assert says in said
    assert said.isprintable()
    assert len(said) < 400
    reply = (await host.request("POST", "/definition", {"options": {option: value}})).json()
    failures = set(reply["precheck_failures"].values())
    # an empty domain is filled in later
    assert failures == ({said} if value else failures)


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (CheckRefused(403, "not this domain"), 403, None),
        (CheckRefused(429, "too many checks: wait"), 429, "7"),
        (CheckRefused(503, "all places are taken"), 503, "3"),
        (ResolverError("no answer"), 500, None),
    ],
)
async def test_checks_that_are_not_made(
    host: HappyDomain, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry: str | None
) -> None:
    if isinstance(error, CheckRefused) and retry:
        error.retry_after = int(retry)

    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Checks, "run", refuse)
    body = {"key": "smtp", "options": {"domain": "example.org"}}
    answer = await host.request("POST", "/collect", body)
    assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
    assert answer.headers.get("retry-after") == retry
