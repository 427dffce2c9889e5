"""The deployment files are valid: the systemd unit, the Compose file, and the build context of the image."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from checker_smtp.cli.commands.serve import serve
from checker_smtp.service.app import build
from checker_smtp.service.settings import ServiceSettings
from checker_smtp.testing import FakeNetwork, FakeResolver

pytestmark = pytest.mark.anyio

DEPLOY = Path(__file__).parents[3] / "deploy"
# seconds after a signal in which the service has ended
ENDED = 10


def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "checker-smtp.service"
    # the program is not installed there, and that would be all it says
    text, replaced = re.subn(
        r"^ExecStart=\S+",
        "ExecStart=/bin/true",
        (DEPLOY / "checker-smtp.service").read_text(),
        flags=re.MULTILINE,
    )
    assert replaced == 1
    unit.write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_leaves_every_setting_to_its_file() -> None:
    unit = (DEPLOY / "checker-smtp.service").read_text()
    # an option would win over the variable
    assert re.findall(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE) == ["serve"]
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(patience) > ENDED


def test_only_happydomain_reaches_the_checker_of_the_composition() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    checker, host = services["checker-smtp"], services["happydomain"]
    assert host["environment"]["HAPPYDOMAIN_CHECKER_SMTP_ENDPOINT"] == "http://checker-smtp:8080"
    assert not checker.keys() & {"ports", "network_mode", "privileged", "cap_add"}
    assert checker["read_only"] is True
    assert checker["cap_drop"] == ["ALL"]
    assert int(checker["stop_grace_period"].removesuffix("s")) > ENDED
    build = DEPLOY / checker["build"]["context"]
    assert (build / checker["build"]["dockerfile"]).resolve() == (DEPLOY / "Dockerfile").resolve()


async def test_the_checker_of_the_composition_answers_happydomain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    yaml = pytest.importorskip("yaml")
    given = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["checker-smtp"]["environment"]
    image = dict(
        re.findall(r"^ENV (CHECKER_SMTP_\w+)=(.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    )
    started: list[ServiceSettings] = []
    monkeypatch.setattr("checker_smtp.service.server.serve", started.append)
    done = CliRunner().invoke(serve, [], env=image | given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert str(started[0].store).startswith("/var/lib/checker-smtp/")
    settings = replace(started[0], store=tmp_path / "results.sqlite")
    app = build(settings, lambda: FakeNetwork(FakeResolver("example.org MX 0 .")))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("172.18.0.3", 50000)), base_url="http://checker-smtp:8080"
    ) as host:
        assert (await host.get("/health")).status_code == 200
        assert (await host.get("/definition")).status_code == 200
        for _ in range(started[0].max_checks):
            body = {"key": "smtp", "options": {"domain": "example.org", "helo_name": "host.test"}}
            collected = await host.post("/collect", json=body)
        # the limit for each domain remains, and no other one
        assert collected.json() == {
            "error": "more than 10 checks per minute for example.org: try again later"
        }


def test_the_build_is_sent_what_it_copies_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    first, *lines = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert first == "*"
    assert {line[1:] for line in lines if line[0] == "!"} == set(" ".join(copied).split())
    assert "**/__pycache__" in lines
