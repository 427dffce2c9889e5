"""resolv.conf(5) as it is written in the field: what is asked, and what a note says."""

import socket
from pathlib import Path

import pytest

from checker_smtp.backends.dns.resolver import DnsResolver, ResolverUnavailable
from checker_smtp.backends.dns.system_config import SystemConfig, read_system_config

INTERFACE = socket.if_nameindex()[0][1]
GOOD = "nameserver 192.0.2.1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resolv.conf"


def read(path: Path, text: str | bytes) -> SystemConfig:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_system_config(path)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        (GOOD, ["192.0.2.1"]),
        (GOOD.replace("\n", ""), ["192.0.2.1"]),
        ("nameserver 192.0.2.1\r\nsearch corp.test\r\n", ["192.0.2.1"]),
        ("nameserver\t192.0.2.1 # main\n", ["192.0.2.1"]),
        ("nameserver 192.0.2.1;main\n", ["192.0.2.1"]),
        ("; nameserver 192.0.2.9\n#nameserver 192.0.2.8\n  nameserver 192.0.2.1\n", ["192.0.2.1"]),
        (b"# r\xe9seau local\x85\n" + GOOD.encode(), ["192.0.2.1"]),
        ("domain x\nsearch y z\nsortlist 192.0.2.0\nnonsense\n" + GOOD, ["192.0.2.1"]),
        ("nameserver ::1\nnameserver 2001:DB8::53\n", ["::1", "2001:db8::53"]),
        (f"nameserver fe80::53%{INTERFACE}\n", [f"fe80::53%{INTERFACE}"]),
        ("nameserver 127.1\n", ["127.0.0.1"]),
        ("nameserver 0.0.0.0\n", ["0.0.0.0"]),  # noqa: S104
        (GOOD * 3 + "nameserver 192.0.2.2\n", ["192.0.2.1", "192.0.2.2"]),
    ],
)
def test_servers(path: Path, text: str | bytes, servers: list[str]) -> None:
    assert read(path, text) == SystemConfig(tuple(servers))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nameserver", "it names no server"),
        ("nameserver # none", "it names no server"),
        ("nameserver localhost", "'localhost' is no IP address"),
        ("nameserver 192.0.2.1:5353", "'192.0.2.1:5353' is no IP address"),
        ("nameserver [::1]:53", "'[::1]:53' is no IP address"),
        ("nameserver 192.0.2.256", "'192.0.2.256' is no IP address"),
        ("nameserver fe80::53", "'fe80::53' is link-local and needs its interface, as in fe80::53%eth0"),
        ("nameserver fe80::53%wlan9", "there is no interface 'wlan9' here"),
        ("nameserver \0\xe9", "'\\x00\xc3\xa9' is no IP address"),
        ("nameserver " + "a" * 300, f"'{'a' * 100}' is no IP address"),
    ],
)
def test_a_bad_line_costs_that_line_and_a_note(path: Path, line: str, problem: str) -> None:
    config = read(path, f"\n{line}\n{GOOD}")
    assert config == SystemConfig(("192.0.2.1",), notes=(f"{path}, line 2, is skipped: {problem}",))


@pytest.mark.parametrize("text", ["", "# nothing\nsearch corp.test\noptions ndots:2\n"])
def test_without_a_server_this_host_is_asked(path: Path, text: str) -> None:
    note = f"{path} names no server: asking 127.0.0.1, as the system does"
    assert read(path, text) == SystemConfig(("127.0.0.1",), notes=(note,))


def test_a_missing_file_is_as_an_empty_one(path: Path) -> None:
    note = f"{path} is missing: asking 127.0.0.1, as the system does"
    assert read_system_config(path) == SystemConfig(("127.0.0.1",), notes=(note,))


def test_only_bad_lines(path: Path) -> None:
    config = read(path, "nameserver localhost\n")
    assert config.servers == ("127.0.0.1",)
    assert [note.rpartition(": ")[2] for note in config.notes] == [
        "'localhost' is no IP address",
        "asking 127.0.0.1, as the system does",
    ]


def test_three_servers_are_asked(path: Path) -> None:
    config = read(path, "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 6)))
    assert config.servers == ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert config.notes == (f"{path} names 5 servers: asking the first 3, as the system does",)


@pytest.mark.parametrize(
    ("text", "timeout", "attempts", "rotate"),
    [
        ("options timeout:1 attempts:4 rotate", 1, 4, True),
        ("options timeout:1\noptions attempts:1", 1, 1, False),
        ("options timeout:1 timeout:2", 2, None, False),
        ("options timeout:99 attempts:99", 30, 5, False),
        ("options timeout:abc ndots: attempts:-1", None, None, False),
        ("options timeout:0 attempts: timeout", None, None, False),
        ("options timeout:\u0661", None, None, False),
        ("options", None, None, False),
    ],
)
def test_options(path: Path, text: str, timeout: int | None, attempts: int | None, rotate: bool) -> None:
    config = read(path, f"{GOOD}{text}\n")
    assert (config.timeout, config.attempts, config.rotate, config.notes) == (timeout, attempts, rotate, ())


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ResolverUnavailable) as raised:
        read_system_config(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} cannot be read (Is a directory): name a resolver, as in --resolver 9.9.9.9"
    )


def test_any_file_is_bounded(path: Path) -> None:
    config = read(path, b"nameserver \xff\n" * 10_000 + b"\n" * 100_000)
    assert config.servers == ("127.0.0.1",)
    assert len(config.notes) == 11


def test_a_resolver_has_the_servers_and_notes_of_the_system(path: Path) -> None:
    resolver = DnsResolver(system=lambda: read(path, f"nameserver ?\n{GOOD}nameserver 192.0.2.2\n"))
    assert resolver.servers == ("192.0.2.1", "192.0.2.2")
    assert resolver.name == "192.0.2.1, 192.0.2.2"
    assert resolver.notes == (f"{path}, line 1, is skipped: '?' is no IP address",)


def test_a_resolver_that_is_given_ignores_the_system() -> None:
    resolver = DnsResolver("192.0.2.7", system=lambda: pytest.fail("it is not read"))
    assert (resolver.servers, resolver.notes) == (("192.0.2.7",), ())
