"""`serve` and its settings: from options, from the environment, and the errors of invalid ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from checker_smtp.cli.commands.serve import serve
from checker_smtp.probes.rules import Acceptance
from checker_smtp.service.settings import ServiceSettings
from tests.apps.command import run

Given = Callable[..., ServiceSettings]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Return the settings of a command line and an environment."""
    got: list[ServiceSettings] = []
    monkeypatch.setattr("checker_smtp.service.server.serve", got.append)

    def settings(*arguments: str, **environment: str) -> ServiceSettings:
        done = CliRunner().invoke(serve, arguments, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return got.pop()

    return settings


def test_without_options_the_settings_have_their_defaults(given: Given) -> None:
    assert given() == ServiceSettings()


FULL = (
    ("--listen", "[::1]:8081", "CHECKER_SMTP_LISTEN", ("::1", 8081)),
    ("--metrics-listen", ":9100", "CHECKER_SMTP_METRICS_LISTEN", ("", 9100)),
    ("--resolver", "127.0.0.1:5353", "CHECKER_SMTP_RESOLVER", ("127.0.0.1", 5353)),
    ("--allow-target", "10.0.0.0/8", "CHECKER_SMTP_ALLOW_TARGET", ("10.0.0.0/8",)),
    ("--backend", "trio", "CHECKER_SMTP_BACKEND", "trio"),
    ("--port", "2525", "CHECKER_SMTP_SMTP_PORT", 2525),
    ("--helo-name", "mx.a.test", "CHECKER_SMTP_HELO_NAME", "mx.a.test"),
    ("--probe-address", "p@a.test", "CHECKER_SMTP_PROBE_ADDRESS", "p@a.test"),
    ("--max-timeout", "5", "CHECKER_SMTP_MAX_TIMEOUT", 5.0),
    ("--check-budget", "60.5", "CHECKER_SMTP_CHECK_BUDGET", 60.5),
    ("--allow-domain", "*.example.com", "CHECKER_SMTP_ALLOW_DOMAIN", ("*.example.com",)),
    ("--token", "secret", "CHECKER_SMTP_TOKEN", "secret"),
    ("--rate-client", "none", "CHECKER_SMTP_RATE_CLIENT", "none"),
    ("--rate-domain", "1/day", "CHECKER_SMTP_RATE_DOMAIN", "1/day"),
    ("--rate-address", "1/day", "CHECKER_SMTP_RATE_ADDRESS", "1/day"),
    ("--rate-provider", "1/day", "CHECKER_SMTP_RATE_PROVIDER", "1/day"),
    ("--rate-storage", "redis://r:6379", "CHECKER_SMTP_RATE_STORAGE", "redis://r:6379"),
    ("--max-checks", "7", "CHECKER_SMTP_MAX_CHECKS", 7),
    ("--max-checks-per-client", "3", "CHECKER_SMTP_MAX_CHECKS_PER_CLIENT", 3),
    ("--protocol-from", "192.0.2.0/24", "CHECKER_SMTP_PROTOCOL_FROM", ("192.0.2.0/24",)),
    ("--allow-host", "c.test", "CHECKER_SMTP_ALLOW_HOST", ("c.test",)),
    ("--trusted-proxy", "10.0.0.1", "CHECKER_SMTP_TRUSTED_PROXY", ("10.0.0.1",)),
    ("--frame-ancestors", "https://h.test", "CHECKER_SMTP_FRAME_ANCESTORS", ("https://h.test",)),
)
FIELDS = {
    "--allow-target": "allow_targets",
    "--allow-domain": "allow_domains",
    "--allow-host": "allow_hosts",
    "--probe-address": "test_probe_address",
    "--trusted-proxy": "trusted_proxies",
}


@pytest.mark.parametrize(("option", "text", "variable", "value"), FULL, ids=[row[0] for row in FULL])
def test_a_setting_by_option_and_by_environment(
    given: Given, option: str, text: str, variable: str, value: object
) -> None:
    field = FIELDS.get(option, option.removeprefix("--").replace("-", "_"))
    assert getattr(given(option, text), field) == value
    assert getattr(given(**{variable: text}), field) == value


def test_severities_and_accepted_faults_are_those_of_the_configuration(given: Given, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        '[severity]\n"smtp.mx.cname" = "warn"\n[[accept]]\ncode = "smtp.ptr.missing"\nreason = "moving"\n'
    )
    policy = given("--config", str(file)).policy
    assert policy.severities == {"smtp.mx.cname": "warn"}
    assert policy.acceptances == (Acceptance(code="smtp.ptr.missing", reason="moving"),)


def test_the_option_wins(given: Given) -> None:
    assert given("--listen", ":1", CHECKER_SMTP_LISTEN=":2").listen == ("", 1)
    assert given("--allow-domain", "a.test", CHECKER_SMTP_ALLOW_DOMAIN="b.test").allow_domains == ("a.test",)


def test_several_values(given: Given) -> None:
    nets = ("10.0.0.0/8", "fd00::/8")
    assert given("--allow-target", nets[0], "--allow-target", nets[1]).allow_targets == nets
    assert given(CHECKER_SMTP_ALLOW_TARGET="10.0.0.0/8 fd00::/8").allow_targets == nets


@pytest.mark.parametrize("text", ["1", "true"])
def test_a_switch(given: Given, text: str) -> None:
    assert given("--log-json").log_json
    assert given(CHECKER_SMTP_LOG_JSON=text).log_json


def test_the_resolver_is_named_as_it_was_given(given: Given) -> None:
    assert given("--resolver", "[::1]:53").resolver_name == "[::1]:53"
    assert given().resolver_name == ""


def test_kubernetes_sets_a_variable_that_is_none_of_ours(given: Given) -> None:
    assert given(CHECKER_SMTP_PORT="tcp://10.0.0.7:8080").port == 25


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "8080"], "'8080' is not an address to listen on: give for example :8080"),
        (["--listen", "::1:8080"], "is not an address to listen on"),
        (["--listen", ":99999"], "is not an address to listen on"),
        (["--listen", ":٣"], "is not an address to listen on"),
        (["--listen", "[a.test]:80"], "is not an address to listen on"),
        (["--metrics-listen", "x"], "is not an address to listen on"),
        (["--resolver", "dns.example"], "is not a resolver: give an IP address"),
        (["--allow-target", "home"], "is no network: give one in CIDR notation"),
        (["--allow-domain", "a b"], "is not a domain pattern"),
        (["--helo-name", "a b"], "contains a space"),
        (["--probe-address", "nobody"], "is not an address"),
        (["--rate-provider", "5"], "'5' is not a rate: give for example"),
        (["--protocol-from", "all"], "is not a network of hosts"),
        (["--allow-host", "*.a.test"], "is not a host name"),
        (["--trusted-proxy", "all"], "is not a network of proxies"),
        (["--frame-ancestors", "a b"], "is not a source for frame-ancestors"),
        (["--rate-client", "5"], "'5' is not a rate: give for example"),
        (["--rate-storage", "file:///secret"], "the rate storage is unknown: give memory:// or a URL"),
        (["--port", "0"], "not in the range"),
        (["--max-timeout", "nan"], "nan is not a number: give for example 30"),
        (["--keep", "nan"], "nan is not a number: give for example 30"),
        (["--keep", "0"], "0.0 is not in the range 0.04<=x<=3650"),
        (["--rate-client", "0/minute"], "'0/minute' is not a rate: give for example"),
        (["--rate-domain", "5/minute;0/day"], "'5/minute;0/day' is not a rate: give for example"),
        (["--check-budget", "inf"], "not in the range"),
        (["--max-checks", "0"], "not in the range"),
        (["--token", ""], "the token is empty"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(arguments: list[str], said: str) -> None:
    done = run("serve", *arguments)
    assert (done.code, done.out) == (3, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert "secret" not in done.err


def test_an_empty_token_in_the_environment_is_no_open_door() -> None:
    done = run("serve", CHECKER_SMTP_TOKEN="")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert "the token is empty" in done.err


@pytest.mark.parametrize("module", ["uvicorn", "starlette.applications", "limits"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [name for name in sys.modules if name.startswith(("checker_smtp.service.", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    done = CliRunner().invoke(serve, [])
    said = f"the service needs the package {module}: pip install 'checker-smtp[server]'"
    assert done.output == f"Error: {said}\n"


def test_a_missing_event_loop_is_said_before_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", None)
    done = CliRunner().invoke(serve, ["--backend", "trio"])
    assert done.exit_code == 2
    assert "trio is not installed: pip install 'checker-smtp[trio]'" in done.output


def test_help_names_the_variables() -> None:
    done = run("serve", "--help")
    assert done.code == 0
    for _, _, variable, _ in FULL:
        assert variable in "".join(done.out.split())


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://localhost", "http://", "nonsense", "http://[x", "http://localhost:99999"]
)
def test_a_healthcheck_of_what_is_no_url(url: str) -> None:
    done = run("healthcheck", url)
    assert done.code == 3
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err
