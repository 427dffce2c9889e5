"""The advice for Exim is tried: a fault, the lines exactly as printed, a healthy server, no other change."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checker_smtp.probes.rules import CODES
from checker_smtp.report.advice import advice_for, all_advice
from checker_smtp.report.advice.explain import steps
from tests.e2e.archives import download, install_in
from tests.e2e.lab import install
from tests.e2e.lab.table import ADVISED, ADVISED_ADDRESS
from tests.e2e.sandbox import NoSandboxError, Sandbox, sandbox

_PACKAGES = ("exim4-daemon-light", "exim4-config")
_CONF = "/etc/exim4/exim4.conf"
HEALTHY = f"""primary_hostname = mx.{ADVISED}
domainlist local_domains = {ADVISED}
domainlist relay_to_domains =
hostlist relay_from_hosts = <; 127.0.0.1 ; ::1 ; 198.51.100.0/24
local_interfaces = {ADVISED_ADDRESS}
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = /etc/own.pem
tls_privatekey = /etc/own.key
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt

begin acl
acl_mail:
  accept
acl_rcpt:
  accept  hosts = +relay_from_hosts
  accept  authenticated = *
  require message = relay not permitted
          domains = +local_domains : +relay_to_domains
  accept  verify = recipient

begin routers
aliases:
  driver = redirect
  data = ${{lookup{{$local_part}}lsearch{{/etc/aliases}}}}
  file_transport = none
  pipe_transport = none
root:
  driver = accept
  local_parts = root
  transport = none

begin transports
none:
  driver = appendfile
  file = /dev/null

begin authenticators
"""
_PLAIN = """plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = false
"""
# The values that the texts leave to the reader.
_OWN = {"/etc/exim4/mx-fullchain.pem": "/etc/own.pem", "/etc/exim4/mx.key": "/etc/own.key"}


@dataclass(frozen=True, slots=True)
class Case:
    """A fault as a replacement in the healthy configuration, and the main options that the lines may change.

    `by_hand` is a replacement that the text leaves to the reader; `shows` is what one of its commands prints
    before that. A `note` is a fault that is no more than a note.
    """

    code: str
    fault: tuple[str, str]
    changed: frozenset[str] = frozenset()
    by_hand: tuple[str, str] = ("", "")
    shows: str = ""
    note: bool = False


def _added(code: str, line: str, *, note: bool = False) -> Case:
    """Return the fault of one more line in the main section, which the reader sees and removes."""
    fault, option = ("acl_smtp_mail", f"{line}\nacl_smtp_mail"), line.partition(" = ")[0]
    return Case(code, fault, frozenset({option}), by_hand=(f"{line}\n", ""), shows=line, note=note)


CASES = {
    "every recipient": Case(
        "smtp.open_relay", ("acl_rcpt:\n", "acl_rcpt:\n  accept verify = helo\n  accept\n")
    ),
    "networks too wide": Case(
        "smtp.open_relay",
        ("198.51.100.0/24", "198.51.100.0/24 ; 0.0.0.0/0"),
        by_hand=(" ; 0.0.0.0/0", ""),
    ),
    "AUTH in the clear": Case(
        "smtp.auth.plaintext",
        ("begin authenticators\n", f"begin authenticators\n{_PLAIN}"),
        frozenset({"auth_advertise_hosts"}),
    ),
    "STARTTLS off": Case(
        "smtp.all_no_starttls",
        ("tls_advertise_hosts = *", "tls_advertise_hosts ="),
        frozenset({"tls_advertise_hosts"}),
    ),
    "old TLS": Case(
        "smtp.tls.weak_tls_version",
        ("tls_advertise_hosts", "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.0\ntls_advertise_hosts"),
        frozenset({"tls_require_ciphers"}),
    ),
    "postmaster": Case(
        "smtp.postmaster.rejected",
        ("acl_rcpt:\n", "acl_rcpt:\n  deny local_parts = postmaster\n       message = unknown user\n"),
    ),
    "null sender": Case(
        "smtp.null_sender.rejected",
        ("acl_mail:\n", "acl_mail:\n  deny senders = :\n"),
        by_hand=("  deny senders = :\n", ""),
    ),
    "login for all mail": Case(
        "smtp.auth.required",
        (
            "acl_rcpt:\n",
            "acl_rcpt:\n  deny !authenticated = *\n       message = 530 5.7.0 Authentication required\n",
        ),
    ),
    "a key of another certificate": Case(
        "smtp.starttls.deferred",
        ("tls_privatekey = /etc/own.key", "tls_privatekey = /etc/other.key"),
        frozenset({"tls_privatekey"}),
        by_hand=("tls_privatekey = /etc/other.key", "tls_privatekey = /etc/own.key"),
        shows="tls_privatekey = /etc/other.key",
    ),
    "listening to itself": Case(
        "smtp.all_unreachable",
        (f"local_interfaces = {ADVISED_ADDRESS}", "local_interfaces = 127.0.0.1"),
        frozenset({"local_interfaces"}),
        by_hand=("local_interfaces = 127.0.0.1", f"local_interfaces = {ADVISED_ADDRESS}"),
        shows="local_interfaces = 127.0.0.1",
    ),
    "refused at connect": _added(
        "smtp.banner.refused", "acl_smtp_connect = drop message = 554 5.3.2 No SMTP service here"
    ),
    "deferred at connect": _added(
        "smtp.banner.deferred", "acl_smtp_connect = defer message = 451 too busy, come back later"
    ),
    "slow at connect": _added("smtp.banner.slow", "acl_smtp_connect = accept delay = 11s", note=True),
    "EHLO and HELO refused": _added(
        "smtp.ehlo.failed", "acl_smtp_helo = deny message = 502 5.5.1 Command not implemented"
    ),
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download Exim's Debian packages. Only the sandbox has them in place of Postfix."""
    install()
    return download(tmp_path_factory.mktemp("archives"), *_PACKAGES)


@pytest.fixture(scope="module")
def machine(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with Exim in place of Postfix, not started."""
    if os.geteuid() != 0:
        pytest.skip("the sandbox needs root: run make e2e as root")
    try:
        with sandbox(tmp_path_factory.mktemp("sandbox")) as here:
            install_in(here, archives, *_PACKAGES)
            here.sh(
                "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout /etc/own.key -out /etc/own.pem"
                f" -subj /CN=mx.{ADVISED} && openssl genrsa -out /etc/other.key 2048"
                " && chgrp Debian-exim /etc/own.key /etc/other.key && chmod 640 /etc/own.key /etc/other.key"
            )
            here.write("/etc/aliases", "postmaster: root\n")
            yield here
    except NoSandboxError as error:
        pytest.skip(str(error))


def start(machine: Sandbox, configuration: str) -> None:
    machine.sh('test ! -s /run/exim4/exim.pid || kill "$(cat /run/exim4/exim.pid)"', check=False)
    machine.write(_CONF, configuration)
    machine.sh(
        "rm -f /run/exim4/exim.pid; mkdir -p /run/exim4; chown Debian-exim /run/exim4;"
        " while ss -ltn | grep -q ':25 '; do :; done;"
        " exim -bV > /dev/null && exim -bd -oP /run/exim4/exim.pid || exit;"
        " until ss -ltn | grep -q ':25 '; do :; done"
    )


def _commands(text: str) -> Iterator[str]:
    """Yield the lines for a shell; the others belong in the configuration."""
    yield from (line for copied, line in steps(text) if copied and re.match(r"(exim|grep|openssl|ss) ", line))


def _applied(configuration: str, text: str) -> str:
    """Return the configuration with the lines of the advice where its sentences put them."""
    place, commands = "", tuple(_commands(text))
    for copied, line in steps(text):
        if not copied:
            place = line
        if not copied or line in commands:
            continue
        for example, own in _OWN.items():
            line = line.replace(example, own)
        if place.rfind("main section") > place.rfind("RCPT ACL"):
            option = re.match(r"(\w+) =", line)
            pattern = rf"^{option[1]} =.*\n" if option else r"\Z\A"
            configuration = re.sub(pattern, "", configuration, flags=re.MULTILINE)
            configuration = configuration.replace("\nacl_smtp_mail", f"\n{line}\nacl_smtp_mail", 1)
        elif "RCPT ACL" in place:
            # the first of the lines begins a statement, and its other lines follow it
            head, _, rest = configuration.partition("# here\n")
            if not rest:
                head, _, rest = configuration.partition("acl_rcpt:\n")
                head += "acl_rcpt:\n"
            configuration = f"{head}  {line}\n# here\n{rest}"
    return configuration.replace("# here\n", "")


@pytest.mark.parametrize("name", CASES)
def test_the_lines_fix_the_fault_and_change_nothing_else(machine: Sandbox, name: str) -> None:
    case, text = CASES[name], advice_for(CASES[name].code, "Exim")
    assert case.fault[0] in HEALTHY
    start(machine, HEALTHY)
    healthy = machine.check(notes=case.note)
    assert case.code not in healthy
    faulty = HEALTHY.replace(*case.fault, 1)
    start(machine, faulty)
    before = set(machine.sh("exim -bP").splitlines())
    assert case.code in machine.check(notes=case.note)
    printed = [machine.sh(line, check=False) for line in _commands(text)]
    assert case.shows in "".join(printed)
    start(machine, _applied(faulty.replace(*case.by_hand), text))
    assert machine.check(notes=case.note) == healthy
    assert _options_between(before, set(machine.sh("exim -bP").splitlines())) == case.changed


def test_no_line_harms_a_healthy_server(machine: Sandbox) -> None:
    """Every line of every code at once, as printed, with the own values that the texts ask for."""
    healthy = HEALTHY + _PLAIN.replace("false", "true")
    healthy = healthy.replace(
        "tls_advertise", "auth_advertise_hosts = ${if def:tls_in_cipher {*}}\ntls_advertise"
    )
    start(machine, healthy)
    codes, offered, before = machine.check(), machine.offered(), set(machine.sh("exim -bP").splitlines())
    assert "AUTH PLAIN" in offered
    configuration = healthy
    for code in CODES:
        text = all_advice(code).get("Exim", "")
        for line in _commands(text):
            machine.sh(f"timeout 5 sh -c {shlex.quote(line)}", check=False)
        configuration = _applied(configuration, text)
    assert machine.sh(f"cat {_CONF}") == healthy
    start(machine, configuration)
    assert machine.check() == codes
    assert machine.offered() == offered
    # Debian's light build has no `hosts_proxy`
    changed = {"tls_require_ciphers"}
    assert _options_between(before, set(machine.sh("exim -bP").splitlines())) == changed


def _options_between(before: set[str], after: set[str]) -> set[str]:
    return {line.partition(" = ")[0].removeprefix("no_") for line in before ^ after}
