"""The lines that a visit leaves in the log of a server with stock limits, as counted by fail2ban's filters.

fail2ban bans after five lines in ten minutes. A server that drops a client for its errors or commands says so
in its log, and the sessions of the results would end early.
"""

import json
import re
import sys
from pathlib import Path

import pytest

from checker_smtp.report.document import load
from checker_smtp.report.refusal_count import count_refusals
from tests.e2e.archives import download, install_in
from tests.e2e.lab.table import ADVISED, ADVISED_ADDRESS, RESOLVER
from tests.e2e.sandbox import Sandbox
from tests.e2e.sendmail import SENDMAIL_LOG, sendmail, start_sendmail
from tests.e2e.test_advice_exim import HEALTHY, archives, start
from tests.e2e.test_advice_exim import machine as exim
from tests.e2e.test_advice_postfix import MAIN, packages
from tests.e2e.test_advice_postfix import machine as postfix

__all__ = ["archives", "exim", "packages", "postfix", "sendmail"]  # fixtures

_NUMBER = 50
_SCANNED = [f"d{number}.{ADVISED}" for number in range(_NUMBER)]
# 421 in brackets is the number of a process
_DROPPED = re.compile(r"too many|lost connection|timeout|(?<!\[)\b421\b|unexpected disconnection")
# The client is none of the server's own networks.
_POSTFIX = MAIN.replace(" 198.51.100.0/24", "")
_POSTFIX_LOG, _EXIM_LOG = "/var/log/postfix.log", "/var/log/exim4/mainlog"


@pytest.fixture(scope="module")
def fail2ban(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of fail2ban's packages."""
    return download(tmp_path_factory.mktemp("fail2ban"), "fail2ban")


class Server:
    """A server in a sandbox, its log, and fail2ban's filter for it."""

    def __init__(self, machine: Sandbox, log: str, name: str) -> None:
        self._machine = machine
        self._log = log
        self._filter = f"/etc/fail2ban/filter.d/{name}.conf"

    def forget(self) -> None:
        """Empty the log."""
        self._machine.sh(f"test ! -e {self._log} || truncate -s 0 {self._log}")

    def counted_lines(self) -> int:
        """Return the number of lines that the stock filter counts."""
        output = self._machine.sh(f"fail2ban-regex {self._log} {self._filter}")
        found = re.search(r"(\d+) matched", output)
        assert found, output
        return int(found[1])

    def lines(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the lines of the log in which the pattern is found."""
        return list(filter(pattern.search, self._machine.sh(f"cat {self._log}").splitlines()))

    def run(self, *words: str | Path) -> str:
        """Run the command line tool for this server."""
        options = ["--resolver", RESOLVER, "--allow-target", f"{ADVISED_ADDRESS}/32"]
        command = ["-m", "checker_smtp", *words, *options, "--helo-name", f"mx.{ADVISED}"]
        output = self._machine.sh(" ".join(map(str, [sys.executable, *command])), check=False)
        if self._log == SENDMAIL_LOG:
            # a syslog daemon writes in the order of arrival, so what was said before this is in the log then
            self._machine.sh(
                f"logger -p mail.info -t visit ended; until grep -q visit: {self._log}; do :; done"
            )
        return output

    def scan(self, folder: Path) -> list[dict[str, object]]:
        """Scan fifty domains; return the sessions of all of them."""
        self._machine.write(str(folder / "names"), "\n".join(_SCANNED))
        self.run("scan", folder / "names", "-o", folder / "results.jsonl", "--force", "--delay", "0")
        lines = (folder / "results.jsonl").read_text().splitlines()
        assert len(lines) == _NUMBER
        endpoints = [json.loads(line)["observation"]["endpoints"][0] for line in lines]
        return [session for endpoint in endpoints for session in endpoint["sessions"]]


@pytest.fixture
def postfix_server(postfix: Sandbox, fail2ban: Path) -> Server:
    install_in(postfix, fail2ban, "fail2ban")
    return Server(postfix, _POSTFIX_LOG, "postfix")


@pytest.fixture
def exim_server(exim: Sandbox, fail2ban: Path) -> Server:
    install_in(exim, fail2ban, "fail2ban")
    return Server(exim, _EXIM_LOG, "exim")


@pytest.fixture
def sendmail_server(sendmail: Sandbox, fail2ban: Path) -> Server:
    install_in(sendmail, fail2ban, "fail2ban")
    return Server(sendmail, SENDMAIL_LOG, "sendmail-reject")


def _restart_postfix(machine: Sandbox, served: str) -> None:
    machine.write("/etc/postfix/main.cf", _POSTFIX.replace(f"mydestination = {ADVISED}", served))
    machine.sh("postfix stop; postfix start")


def _visit(server: Server, folder: Path, most: int) -> None:
    server.forget()
    result = load(server.run("check", ADVISED, "--format", "json"))
    refusals = server.lines(re.compile(r"\breject(?:ed)?\b"))
    assert len(refusals) == sum(count_refusals(result.observation).values()) == most
    # Debian 12's filter for Exim reads no line about a session with TLS
    assert server.counted_lines() <= most
    assert server.lines(_DROPPED) == []
    server.forget()
    sessions = server.scan(folder)
    assert [session["end"] for session in sessions if session["end"]] == []
    assert server.lines(_DROPPED) == []


def test_postfix_that_serves_the_domains(postfix: Sandbox, postfix_server: Server, tmp_path: Path) -> None:
    postfix.write("/etc/postfix/served", f"/{ADVISED}$/ local\n")
    _restart_postfix(postfix, "mydestination = regexp:/etc/postfix/served")
    _visit(postfix_server, tmp_path, 1)


def test_postfix_that_refuses_everything(postfix: Sandbox, postfix_server: Server, tmp_path: Path) -> None:
    _restart_postfix(postfix, "mydestination = other.test")
    _visit(postfix_server, tmp_path, 3)


def test_postfix_under_stress_closes_after_each_refusal(postfix: Sandbox, postfix_server: Server) -> None:
    """Three questions cost three connections and six lines; the report counts them as fail2ban does."""
    _restart_postfix(postfix, "mydestination = other.test\nsmtpd_hard_error_limit = 1")
    postfix_server.forget()
    result = load(postfix_server.run("check", ADVISED, "--format", "json"))
    assert sum(count_refusals(result.observation).values()) == postfix_server.counted_lines() == 6
    sessions = result.observation.endpoints[0].sessions
    assert [session.purpose for session in sessions] == ["main", "continued", "continued"]


def test_exim_that_serves_the_domains(exim: Sandbox, exim_server: Server, tmp_path: Path) -> None:
    start(exim, HEALTHY.replace(f"local_domains = {ADVISED}", f"local_domains = {ADVISED} : *.{ADVISED}"))
    _visit(exim_server, tmp_path, 1)


def test_exim_that_refuses_everything(exim: Sandbox, exim_server: Server, tmp_path: Path) -> None:
    start(exim, HEALTHY.replace(f"local_domains = {ADVISED}", "local_domains = other.test"))
    _visit(exim_server, tmp_path, 3)


def test_sendmail_that_serves_the_domains(sendmail: Sandbox, sendmail_server: Server, tmp_path: Path) -> None:
    start_sendmail(sendmail, [ADVISED, *_SCANNED])
    _visit(sendmail_server, tmp_path, 1)


def test_sendmail_that_refuses_everything(sendmail: Sandbox, sendmail_server: Server, tmp_path: Path) -> None:
    start_sendmail(sendmail, ["other.test"])
    _visit(sendmail_server, tmp_path, 3)
