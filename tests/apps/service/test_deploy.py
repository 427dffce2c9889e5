"""The operator's manual agrees with the program: names of settings, options, and metrics."""

import re
import shlex
from pathlib import Path

import click

from checker_smtp.cli.commands.serve import serve
from checker_smtp.service.admission import Admission
from checker_smtp.service.load import Load
from checker_smtp.service.metrics import Metrics
from checker_smtp.service.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
MANUAL = (ROOT / "docs" / "deploying.md").read_text()
NO_SETTINGS = {"CHECKER_SMTP_PORT", "HAPPYDOMAIN_CHECKER_SMTP_ENDPOINT"}


def settings() -> dict[str, tuple[str, object]]:
    """Each option with its variable and its default."""
    context = click.Context(serve, info_name="serve", auto_envvar_prefix="CHECKER_SMTP")
    options = [parameter for parameter in serve.params if isinstance(parameter, click.Option)]
    return {
        option.opts[0]: (
            str(option.envvar or f"CHECKER_SMTP_{option.name.upper()}"),
            option.get_default(context),
        )
        for option in options
    }


def test_the_manual_has_every_setting_with_its_variable_and_default() -> None:
    rows = re.findall(
        r"^\| `(--[a-z-]+)[^`]*`[^|]*(?:\\\|[^|]*)?\| `(\w+)` \| ([^|]+) \|", MANUAL, re.MULTILINE
    )
    assert {option: variable for option, variable, _ in rows} == {
        option: variable for option, (variable, _) in settings().items()
    }
    for option, _, documented in rows:
        default = settings()[option][1]
        if isinstance(default, str | int | float) and not isinstance(default, bool):
            wanted = f"{default:g}" if isinstance(default, float) else str(default)
            assert documented.strip("` ") == wanted, option


def test_every_variable_that_is_named_anywhere_is_one() -> None:
    known = {variable for variable, _ in settings().values()} | NO_SETTINGS
    for path in (ROOT / "docs" / "deploying.md", *(ROOT / "deploy").iterdir()):
        named = set(re.findall(r"\b(?:HAPPYDOMAIN_)?CHECKER_SMTP_[A-Z_]+\b", path.read_text()))
        assert named <= known, path


def test_the_unit_starts_it_with_options_that_it_has() -> None:
    unit = (ROOT / "deploy" / "checker-smtp.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, subcommand, *arguments = shlex.split(command)
    assert (Path(program).name, subcommand) == ("checker-smtp", "serve")
    serve.make_context("serve", arguments)


def test_the_manual_has_every_metric() -> None:
    metrics = Metrics(Admission(ServiceSettings()), Load())
    names = {metric.name for metric in metrics.registry.collect()}
    documented = set(re.findall(r"^\| `(checker_smtp_\w+)`", MANUAL, re.MULTILINE))
    assert {name.removesuffix("_total") for name in documented} == names


def test_the_manual_has_every_reason_of_a_refusal() -> None:
    service = ROOT / "checker_smtp" / "service"
    source = "".join((service / name).read_text() for name in ("admission.py", "rates.py"))
    rates = {f"{kind}-rate" for kind in ("client", "domain", "address", "provider")}
    reasons = set(re.findall(r'reason="([a-z-]+)"', source)) | rates
    (row,) = re.findall(r"^\| `checker_smtp_checks_refused_total`.*$", MANUAL, re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", row)) - {"reason"} == reasons
