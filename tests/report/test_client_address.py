"""The address in the line for fail2ban: printed where the server saw it, for certain or in its own words."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Endpoint
from checker_smtp.report.model.client_address import find_client_addresses
from checker_smtp.report.model.fail2ban import describe_refusals
from tests.probes.observations import endpoint, observation

SERVER, SERVER6 = "9.9.9.25", "2620:fe::25"
OWN, OWN6, OTHER = "9.9.9.10", "2620:fe::10", "8.8.4.4"
HELLO = "250-mx.example.org Hello client.example [{}], pleased to meet you|250 PIPELINING"


def naming(address: str, *, of: str = SERVER) -> Endpoint:
    return endpoint(ehlo=HELLO.format(address), address=of)


def silent(*, of: str = SERVER) -> Endpoint:
    """Return an endpoint of a server that names no client, such as Postfix."""
    return endpoint(address=of)


KNOWN = {
    "own": ([silent()], [OWN], [OWN]),
    "own, of two families": ([silent(), silent(of=SERVER6)], [OWN, OWN6], [OWN, OWN6]),
    "own, of the family in use": ([silent(of=SERVER6)], [OWN, OWN6], [OWN6]),
    "own of the other family only": ([silent(of=SERVER6)], [OWN], []),
    "neither": ([silent()], [], []),
    "named": ([naming(OTHER)], [], [OTHER]),
    "named by one of two": ([naming(OTHER), silent(of="9.9.9.26")], [], []),
    "named with the tag of IPv6": ([naming(f"IPv6:{OWN6.upper()}", of=SERVER6)], [], [OWN6]),
    "named as a mapped address": ([naming(f"IPv6:::ffff:{OWN}")], [], [OWN]),
    "named as it is": ([naming(OWN)], [OWN], [OWN]),
    "named differently": ([naming(OTHER)], [OWN], []),
    "named differently by two": ([naming(OWN), naming(OTHER, of="9.9.9.26")], [], []),
    "a hostile server beside another": ([naming(OTHER), silent(of="9.9.9.26")], [OWN], []),
    "named, several": ([naming(f"{OWN}] [{OTHER}")], [], []),
    "no address in the brackets": ([naming("999.9.9.9")], [], []),
    "loopback": ([naming("127.0.0.1")], [], []),
    "the server's own name is an address": ([endpoint(ehlo=f"250-[{SERVER}] Hello|250 SIZE")], [], []),
    "a keyword names one": ([endpoint(ehlo=f"250-mx.example.org|250 XCLIENT [{OTHER}]")], [], []),
    "two own ones of a family": ([silent()], [OWN, OTHER], []),
    "no addresses, as in a forged document": ([silent()], ["x 0.0.0.0/0", ""], []),
    # the way to it may begin elsewhere than the way to the Internet
    "a private server": ([silent(of="10.0.0.25")], [OWN], []),
    "a private server that names it": ([naming("10.0.0.7", of="10.0.0.25")], [], ["10.0.0.7"]),
    "translated": ([replace(silent(), translated="64:ff9b::909:919")], [OWN, OWN6], []),
    "translated and named": ([replace(naming(OTHER), translated="64:ff9b::909:919")], [OWN6], [OTHER]),
}


@pytest.mark.parametrize(("endpoints", "own", "expected"), KNOWN.values(), ids=KNOWN)
def test_an_address_is_known_or_not(endpoints: list[Endpoint], own: list[str], expected: list[str]) -> None:
    known = find_client_addresses(endpoints, own)
    assert list(known.addresses) == expected
    assert bool(known.source) == bool(expected)


def line_of(*endpoints: Endpoint, own: tuple[str, ...]) -> str:
    seen = observation(*endpoints)
    seen = replace(seen, settings=replace(seen.settings, source_addresses=own))
    return describe_refusals(seen)[1][1]


def test_the_line_has_the_address_and_its_source() -> None:
    assert "ignoreip = 127.0.0.1/8 ::1 9.9.9.10; then" in line_of(silent(), own=(OWN,))
    assert "The address is this machine's own; where the log shows another" in line_of(silent(), own=(OWN,))
    both = line_of(silent(), silent(of=SERVER6), own=(OWN, OWN6))
    assert f"::1 {OWN} {OWN6}; then" in both
    assert "The addresses are this machine's own" in both
    assert line_of(naming(OTHER), own=()).endswith("The replies to EHLO name this address.")


def test_the_line_has_a_placeholder_where_no_address_is_known() -> None:
    assert "::1 ADDRESS; then" in line_of(silent(), own=())
    assert "behind a NAT that is not the machine's own" in line_of(silent(), own=())


def test_only_the_servers_that_refused_decide() -> None:
    accepting = endpoint(ehlo=HELLO.format(OTHER), relay="250 ok", address="9.9.9.26")
    assert f"::1 {OWN}; then" in line_of(silent(), accepting, own=(OWN,))
