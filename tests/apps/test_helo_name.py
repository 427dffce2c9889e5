"""The EHLO name: that of this machine where the DNS confirms it, the default otherwise, with the reason."""

import pytest

from checker_smtp.cli.helo import choose_helo_name
from checker_smtp.testing import FakeResolver

pytestmark = pytest.mark.anyio

ZONE = """
mail.example.net A 9.9.9.10
10.9.9.9.in-addr.arpa PTR mail.example.net.
other.example.net A 9.9.9.11
10.9.9.9.in-addr.arpa PTR unconfirmed.example.net.
12.9.9.9.in-addr.arpa PTR generic.example.net.
generic.example.net A 9.9.9.12
"""
NONE = "the default: no name of this machine resolves to its address and back"
CASES = {
    "full name": ("mail.example.net", {4: "9.9.9.10", 6: ""}, "mail.example.net", "the name of this machine"),
    "short name": ("MAIL", {4: "9.9.9.10"}, "mail.example.net", "resolves to its address and back"),
    "not back": ("unconfirmed.example.net", {4: "9.9.9.10"}, "", NONE),
    "no PTR": ("other.example.net", {4: "9.9.9.11"}, "", NONE),
    "another name": ("laptop", {4: "9.9.9.12"}, "", NONE),
    "private": (
        "mail.example.net",
        {4: "10.0.0.7", 6: "fd00::1"},
        "",
        "the address of this machine is not public",
    ),
    "no route": ("mail.example.net", {4: "", 6: ""}, "", "this machine has no route to the Internet"),
    "no host name": ("my laptop", {4: "9.9.9.10"}, "", NONE),
}


@pytest.mark.parametrize(("machine", "addresses", "name", "reason"), CASES.values(), ids=CASES)
async def test_the_name(machine: str, addresses: dict[int, str], name: str, reason: str) -> None:
    chosen, why = await choose_helo_name(FakeResolver(ZONE), machine, addresses)
    assert chosen == name
    assert reason in why
    # reports are shown to others
    assert all(address not in why for address in filter(None, addresses.values()))
    assert machine not in why
