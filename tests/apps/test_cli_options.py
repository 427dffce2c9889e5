"""The options of the commands set the fields of the dataclasses, and have their defaults."""

from dataclasses import fields

import click
import pytest

from checker_smtp.cli.arguments import fields_from
from checker_smtp.cli.check_options import options_from
from checker_smtp.cli.commands.check import check
from checker_smtp.cli.commands.scan import scan
from checker_smtp.cli.commands.serve import serve
from checker_smtp.cli.commands.vantage import vantage
from checker_smtp.probes.options import Options
from checker_smtp.scan.settings import ScanSettings
from checker_smtp.service.settings import ServiceSettings

# the text of one option for each field, and the value of the field
CHECK = {
    "timeout": ("--timeout 3", 3.0),
    "helo_name": ("--helo-name mx.test", "mx.test"),
    "test_null_sender": ("--no-null-sender", False),
    "test_postmaster": ("--no-postmaster", False),
    "test_open_relay": ("--no-open-relay", False),
    "test_probe_address": ("--probe-address a@b.test", "a@b.test"),
    "port": ("--port 2525", 2525),
    "ipv4": ("--ipv6", False),
    "ipv6": ("--ipv4", False),
    "allow_targets": ("--allow-target 10.0.0.0/8", ("10.0.0.0/8",)),
    "controls": ("--control mx.test", ("mx.test",)),
    "retry_deferred": ("--retry-deferred 5", 5.0),
}
SCAN = {
    "concurrency": ("--concurrency 7", 7),
    "per_session": ("--per-session 7", 7),
    "per_address": ("--per-address 7", 7),
    "per_network": ("--per-network 7", 7),
    "per_provider": ("--per-provider 7", 7),
    "delay": ("--delay 0.5", 0.5),
    "server_cache_ttl": ("--server-cache-ttl 60", 60.0),
    "retry_delay": ("--retry-delay 60", 60.0),
    "batch_size": ("--batch-size 7", 7),
    "reuse": ("--no-reuse", False),
}


def parsed(command: click.Command, text: str) -> dict[str, object]:
    """Return the values of the options, without the domain, which is an argument."""
    values = command.make_context("command", text.split()).params
    return {name: value for name, value in values.items() if name != "domain"}


@pytest.mark.parametrize("command", [check, scan], ids=["check", "scan"])
def test_without_options_a_check_has_its_defaults(command: click.Command) -> None:
    assert options_from("a.test", parsed(command, "a.test")) == Options(domain="a.test")


def test_without_options_a_scan_has_its_defaults() -> None:
    given = fields_from(ScanSettings, parsed(scan, "list"))
    assert ScanSettings(options=Options(domain="a.test"), **given) == ScanSettings(
        options=Options(domain="a.test")
    )


@pytest.mark.parametrize("command", [check, scan], ids=["check", "scan"])
@pytest.mark.parametrize("name", CHECK)
def test_an_option_sets_a_field_of_a_check(command: click.Command, name: str) -> None:
    text, value = CHECK[name]
    options = options_from("a.test", parsed(command, f"a.test {text}"))
    assert getattr(options, name) == value != getattr(Options(domain="a.test"), name)


@pytest.mark.parametrize("name", SCAN)
def test_an_option_sets_a_field_of_a_scan(name: str) -> None:
    text, value = SCAN[name]
    assert fields_from(ScanSettings, parsed(scan, f"list {text}"))[name] == value


def test_both_families_are_the_same_as_neither() -> None:
    options = options_from("a.test", parsed(check, "a.test --ipv4 --ipv6"))
    assert (options.ipv4, options.ipv6) == (True, True)


@pytest.mark.parametrize(
    ("settings", "command", "others"),
    [
        # the reason and the addresses are made, not given
        (Options, check, {"domain", "helo_reason", "source_addresses"}),
        # from the configuration only
        (ScanSettings, scan, {"options", "policy"}),
        # one option for both; and the same
        (ServiceSettings, serve, {"resolver_name", "policy"}),
    ],
    ids=["check", "scan", "serve"],
)
def test_every_field_has_an_option(settings: type, command: click.Command, others: set[str]) -> None:
    options = {parameter.name for parameter in command.params if isinstance(parameter, click.Option)}
    missing = {field.name for field in fields(settings)} - options - others
    assert not missing, f"these fields of {settings.__name__} have no option: give them a field_option"


def test_the_self_test_has_the_defaults_of_a_check() -> None:
    given = fields_from(Options, parsed(vantage, ""))
    assert Options(domain="a.test", **given) == Options(domain="a.test")
