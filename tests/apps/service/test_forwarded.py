"""The client's address, for all values of the headers."""

import pytest

from checker_smtp.service.settings import ServiceSettings, SettingError
from tests.apps.service.middleware_app import client, wrapped

pytestmark = pytest.mark.anyio

PROXY, EDGE, CLIENT = "10.0.0.1", "203.0.113.9", "198.51.100.7"
TRUSTED = ("10.0.0.0/8", EDGE, "fd00::/8")


async def seen(peer: str, *headers: tuple[str, str], trusted: tuple[str, ...] = TRUSTED) -> str:
    """The client's address as the application has it."""
    async with client(wrapped(ServiceSettings(trusted_proxies=trusted)), peer) as http:
        answer = await http.get("/", headers=list(headers))
    return answer.text.strip()


XFF, FORWARDED = "X-Forwarded-For", "Forwarded"


@pytest.mark.parametrize(
    ("peer", "headers", "who"),
    [
        # nobody in between, and nobody is believed who is not a proxy
        (CLIENT, (), CLIENT),
        (CLIENT, ((XFF, "192.0.2.1"),), CLIENT),
        (CLIENT, ((FORWARDED, "for=192.0.2.1"),), CLIENT),
        # one proxy, two proxies, a client that says it is a proxy
        (PROXY, ((XFF, CLIENT),), CLIENT),
        (PROXY, ((XFF, f"{CLIENT}, {EDGE}"),), CLIENT),
        (PROXY, ((XFF, f"192.0.2.1, {CLIENT}, {EDGE}"),), CLIENT),
        (PROXY, ((XFF, f"10.9.9.9, {CLIENT}"),), CLIENT),
        (PROXY, ((XFF, "192.0.2.1"), (XFF, CLIENT)), CLIENT),
        # a request of the proxies themselves
        (PROXY, (), PROXY),
        (PROXY, ((XFF, "10.0.0.2"),), "10.0.0.2"),
        # what is no address is not believed, nor is what stands left of it
        (PROXY, ((XFF, "192.0.2.1, unknown"),), PROXY),
        (PROXY, ((XFF, f"192.0.2.1, , {EDGE}"),), PROXY),
        (PROXY, ((XFF, ""),), PROXY),
        (PROXY, ((XFF, "<script>"),), PROXY),
        (PROXY, ((XFF, "1" * 4000),), PROXY),
        # ways to write an address
        (PROXY, ((XFF, f"{CLIENT}:4711"),), CLIENT),
        (PROXY, ((XFF, "2001:DB8::1"),), "2001:db8::1"),
        (PROXY, ((XFF, "[2001:db8::1]:4711"),), "2001:db8::1"),
        (PROXY, ((XFF, f"::ffff:{CLIENT}"),), CLIENT),
        (f"::ffff:{PROXY}", ((XFF, CLIENT),), CLIENT),
        (f"::ffff:{CLIENT}", (), CLIENT),
        ("fd00::1", ((XFF, "2001:db8::1"),), "2001:db8::1"),
        # RFC 7239 is not read, so a proxy need not remove it
        (PROXY, ((FORWARDED, "for=192.0.2.1"),), PROXY),
        (PROXY, ((XFF, CLIENT), (FORWARDED, "for=192.0.2.1")), CLIENT),
        ("testclient", ((XFF, CLIENT),), "testclient"),
    ],
)
async def test_who_asks(peer: str, headers: tuple[tuple[str, str], ...], who: str) -> None:
    assert await seen(peer, *headers) == who


async def test_without_trusted_proxies_headers_are_nothing() -> None:
    assert await seen("127.0.0.1", (XFF, CLIENT), trusted=()) == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["everybody", "10.0.0.0/33", ""])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(SettingError, match="is not a network of proxies: give CIDR notation"):
        wrapped(ServiceSettings(trusted_proxies=(wrong,)))
