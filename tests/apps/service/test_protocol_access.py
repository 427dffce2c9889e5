"""Which clients the routes of the protocol answer."""

import pytest
from starlette.routing import Route

from checker_smtp.service.admission import Admission
from checker_smtp.service.checks import Checks
from checker_smtp.service.happydomain.routes import routes
from checker_smtp.service.load import Load
from checker_smtp.service.settings import ServiceSettings, SettingError
from tests.apps.service.middleware_app import client, wrapped

pytestmark = pytest.mark.anyio

PROXY = "198.51.100.7"
LOCAL = (
    "127.0.0.1",
    "127.8.9.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "169.254.1.1",
    "::1",
    "fd00::1",
    "fe80::1",
)
PUBLIC = ("192.0.2.1", "198.51.100.7", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:192.0.2.1")


async def status(settings: ServiceSettings, peer: str, path: str = "/collect", **headers: str) -> int:
    async with client(wrapped(settings), peer) as http:
        return (
            await http.post(path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        ).status_code


async def test_every_route_of_the_protocol_is_closed_to_strangers() -> None:
    settings = ServiceSettings()
    paths = {
        route.path
        for route in routes(Checks(settings, Admission(settings)), Load())
        if isinstance(route, Route)
    }
    assert paths > {"/health"}
    for path in paths:
        assert await status(settings, PUBLIC[0], path) == (200 if path == "/health" else 403)
        assert await status(settings, LOCAL[0], path) == 200
    assert await status(settings, PUBLIC[0], "/check") == 200


@pytest.mark.parametrize("peer", [*LOCAL, "::ffff:10.0.0.1"])
async def test_hosts_nearby(peer: str) -> None:
    assert await status(ServiceSettings(), peer) == 200


@pytest.mark.parametrize("peer", [*PUBLIC, "nowhere", ""])
async def test_strangers(peer: str) -> None:
    assert await status(ServiceSettings(), peer) == 403


async def test_the_networks_of_the_operator() -> None:
    settings = ServiceSettings(protocol_from=("192.0.2.0/28", "2001:db8::/32"))
    for peer in ("192.0.2.1", "2001:db8:ffff::1", *LOCAL):
        assert await status(settings, peer) == 200
    assert await status(settings, "192.0.2.16") == 403


async def test_the_token_opens_it_to_everybody_who_has_it() -> None:
    settings = ServiceSettings(token="0123456789abcdef")
    assert await status(settings, PUBLIC[0], Authorization="Bearer 0123456789abcdef") == 200
    assert await status(settings, LOCAL[0]) == 401


@pytest.mark.parametrize("field", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_IP"])
async def test_a_proxy_nearby_that_is_not_trusted_makes_nobody_local(field: str) -> None:
    assert await status(ServiceSettings(), "127.0.0.1", **{field: "127.0.0.1"}) == 403
    assert await status(ServiceSettings(protocol_from=("127.0.0.1",)), "127.0.0.1", **{field: "x"}) == 200


async def test_a_trusted_proxy_names_the_client() -> None:
    settings = ServiceSettings(trusted_proxies=(PROXY, "127.0.0.1"))
    assert await status(settings, PROXY, X_Forwarded_For="192.168.1.1") == 200
    assert await status(settings, PROXY, X_Forwarded_For="127.0.0.1, 192.0.2.1") == 403
    assert await status(settings, "127.0.0.1", X_Forwarded_For="192.0.2.1") == 403
    # it names nobody
    for headers in ({}, {"X_Forwarded_For": "unknown"}, {"X_Real_IP": "10.0.0.1"}):
        assert await status(settings, "127.0.0.1", **headers) == 403


@pytest.mark.parametrize("wrong", ["everybody", "192.0.2.0/33", ""])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(SettingError, match="is not a network of hosts: give CIDR notation"):
        wrapped(ServiceSettings(protocol_from=(wrong,)))
