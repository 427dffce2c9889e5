"""The resolver of each command: `--resolver`, `--timeout`, and the configuration of the system."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.dns.system_config import read_system_config
from checker_smtp.cli.arguments import resolver_address
from checker_smtp.cli.commands.check import check
from checker_smtp.cli.commands.scan import scan
from checker_smtp.cli.commands.serve import serve
from checker_smtp.cli.commands.vantage import vantage
from checker_smtp.probes.options import OptionError

CONFIGURED = "nameserver dns.test\nnameserver 192.0.2.1\n"


class StoppedError(Exception):
    """Ends a command before its first packet."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[DnsResolver]:
    """Return the list of the resolvers that commands make."""
    resolvers: list[DnsResolver] = []
    make = DnsResolver.__init__

    def record(self: DnsResolver, *args: Any, **more: Any) -> None:
        make(self, *args, **more)
        resolvers.append(self)

    monkeypatch.setattr(DnsResolver, "__init__", record)
    return resolvers


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise StoppedError

    monkeypatch.setattr("anyio.run", stop)
    monkeypatch.setattr("checker_smtp.scan.job.run_job", stop)
    monkeypatch.setattr("checker_smtp.service.server.serve", stop)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text(CONFIGURED)
    monkeypatch.setattr(read_system_config, "__defaults__", (path,))
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("example.test\n")
    return path


def command(name: str, names: Path) -> tuple[click.Command, list[str]]:
    return {
        "check": (check, ["example.test"]),
        "vantage": (vantage, []),
        "scan": (scan, [str(names), "-o", str(names.with_suffix(".jsonl"))]),
        "serve": (serve, []),
    }[name]


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", ["check", "vantage", "scan"])
@pytest.mark.parametrize(("given", "seconds"), [([], 5), (["--timeout", "12"], 12), (["--timeout", "3"], 3)])
def test_a_timeout_that_is_given_is_that_of_dns(
    made: list[DnsResolver], names: Path, name: str, given: list[str], seconds: float
) -> None:
    invoked, arguments = command(name, names)
    done = CliRunner().invoke(invoked, [*arguments, *given, "--resolver", "192.0.2.7"])
    assert isinstance(done.exception, StoppedError)
    assert [resolver.timeout for resolver in made] == [seconds]


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", ["check", "vantage", "scan", "serve"])
def test_a_bad_line_of_the_system_is_noted_once(configured: Path, names: Path, name: str) -> None:
    invoked, arguments = command(name, names)
    done = CliRunner().invoke(invoked, arguments)
    assert isinstance(done.exception, StoppedError)
    assert done.stderr == f"{configured}, line 1, is skipped: 'dns.test' is no IP address.\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (None, (None, 53)),
        ("fe80::1%eth0", ("fe80::1%eth0", 53)),
        ("[fe80::1%eth0]:5353", ("fe80::1%eth0", 5353)),
    ],
)
def test_a_resolver_on_the_link(text: str | None, address: tuple[str | None, int]) -> None:
    assert resolver_address(text) == address


@pytest.mark.parametrize("text", ["fe80::1", "[fe80::1]:5353"])
def test_a_resolver_on_the_link_has_an_interface(text: str) -> None:
    with pytest.raises(OptionError) as raised:
        resolver_address(text)
    assert str(raised.value) == ("'fe80::1' is link-local: name its interface as well, as in fe80::1%eth0")
