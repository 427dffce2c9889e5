"""The advice for Postfix is tried: a fault, the lines as printed, a healthy server, no other change."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checker_smtp.probes.rules import CODES
from checker_smtp.report.advice import advice_for, all_advice
from checker_smtp.report.advice.explain import steps
from tests.e2e.lab import install
from tests.e2e.lab.table import ADVISED
from tests.e2e.sandbox import NoSandboxError, Sandbox, sandbox

# The values that the texts leave to the reader.
_OWN = {"example.org": ADVISED, "/etc/ssl/private/mx.key": "/etc/own.key", "mx-fullchain.pem": "own.pem"}
MAIN = f"""compatibility_level = 3.6
myhostname = mx.{ADVISED}
mydestination = {ADVISED}
mynetworks = 127.0.0.0/8 198.51.100.0/24
maillog_file = /var/log/postfix.log
inet_protocols = ipv4
alias_maps = hash:/etc/aliases
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/own.key, /etc/ssl/certs/own.pem
smtpd_client_connection_rate_limit = 0
"""
_SUBMISSION = """submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
_CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout /etc/own.key -out /etc/ssl/certs/own.pem"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, what a reader does beside the lines (`by_hand`), and the settings that may change.

    `then` is done by hand after the lines, because of what they show: `shows` is in their output. A `note` is
    a fault that is no more than a note.
    """

    code: str
    fault: tuple[str, ...]
    changed: frozenset[str]
    by_hand: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """The beginnings of lines that belong in a file, with the file."""
    then: tuple[str, ...] = ()
    shows: str = ""
    note: bool = False


def _settings(*names: str) -> frozenset[str]:
    return frozenset(names)


_SASL = (
    "mkdir -p /etc/postfix/sasl",
    "printf 'pwcheck_method: auxprop\\nmech_list: PLAIN LOGIN\\n' > /etc/postfix/sasl/smtpd.conf",
    "postconf -e 'smtpd_sasl_auth_enable = yes'",
)
_LOGIN_ONLY = (
    "postconf -e 'smtpd_relay_restrictions = permit_sasl_authenticated,"
    " check_recipient_access static:{530 5.7.0 Authentication required}, reject'"
)
_VIRTUAL = (
    f"postconf -e 'mydestination = localhost' 'virtual_alias_domains = {ADVISED}'",
    "postconf -e 'virtual_alias_maps = hash:/etc/postfix/virtual'",
    f"echo 'info@{ADVISED} root' > /etc/postfix/virtual",
    "postmap /etc/postfix/virtual",
)
_POSTMASTER_FILES = (
    ("postmaster: root", "/etc/aliases"),
    (f"postmaster@{ADVISED}  ", "/etc/postfix/virtual"),
)
_OTHER_KEY = "cp /etc/own.key /etc/first.key; openssl genrsa -out /etc/own.key 2048"
_OWN_KEY = "mv /etc/first.key /etc/own.key"
CASES = {
    "relay restrictions": Case(
        "smtp.open_relay",
        ("postconf -e 'smtpd_relay_restrictions = check_client_access static:OK, reject'",),
        _settings("smtpd_relay_restrictions"),
    ),
    "networks too wide": Case(
        "smtp.open_relay",
        ("postconf -e 'mynetworks = 127.0.0.0/8 198.51.100.0/24 0.0.0.0/0'",),
        _settings("smtpd_relay_restrictions", "mynetworks"),
        by_hand=("sed -i 's#^\\(mynetworks = .*\\) 0.0.0.0/0#\\1#' /etc/postfix/main.cf",),
    ),
    "AUTH in the clear": Case("smtp.auth.plaintext", _SASL, _settings("smtpd_tls_auth_only")),
    "STARTTLS off": Case(
        "smtp.all_no_starttls",
        ("postconf -e 'smtpd_tls_security_level = none'",),
        _settings("smtpd_tls_security_level"),
    ),
    "no certificate": Case(
        "smtp.all_no_starttls",
        ("postconf -X smtpd_tls_security_level smtpd_tls_chain_files",),
        _settings("smtpd_tls_security_level", "smtpd_tls_chain_files"),
    ),
    "old TLS": Case(
        "smtp.tls.weak_tls_version",
        (
            "postconf -e 'smtpd_tls_protocols = TLSv1' 'smtpd_tls_mandatory_protocols = TLSv1'",
            "postconf -e 'smtpd_tls_ciphers = low' 'tls_low_cipherlist = ALL:@SECLEVEL=0'",
        ),
        _settings("smtpd_tls_protocols", "smtpd_tls_mandatory_protocols"),
    ),
    "virtual alias of postmaster": Case(
        "smtp.postmaster.rejected", _VIRTUAL, _settings(), files=_POSTMASTER_FILES
    ),
    "login for all mail": Case(
        "smtp.auth.required",
        (
            _LOGIN_ONLY,
            "postconf -e 'smtpd_tls_auth_only = yes'",
            *_SASL,
        ),
        _settings("smtpd_relay_restrictions"),
    ),
    "null sender in a table": Case(
        "smtp.null_sender.rejected",
        (
            "postconf -e 'smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/sender_access'",
            "printf '<> REJECT\\nbad.example REJECT\\n' > /etc/postfix/sender_access",
            "postmap /etc/postfix/sender_access",
        ),
        _settings(),
        by_hand=("sed -i '/^<>/d' /etc/postfix/sender_access",),
    ),
    "a key of another certificate": Case(
        "smtp.starttls.deferred",
        (_OTHER_KEY,),
        _settings(),
        then=(_OWN_KEY, "postfix reload"),
        shows="smtpd_tls_chain_files = /etc/own.key",
    ),
    "TLS required, and broken": Case(
        "smtp.starttls.required",
        (_OTHER_KEY, "postconf -e 'smtpd_tls_security_level = encrypt'"),
        _settings("smtp/inet/smtpd_tls_security_level"),
        by_hand=(_OWN_KEY,),
    ),
    "EHLO and HELO filtered": Case(
        "smtp.ehlo.failed",
        ("postconf -e 'smtpd_command_filter = regexp:{{/^(EHLO|HELO) .*/ NONE}}'",),
        _settings("smtpd_command_filter"),
        then=("postconf -X smtpd_command_filter", "postfix reload"),
        shows="smtpd_command_filter = regexp:",
    ),
    "EHLO filtered": Case(
        "smtp.ehlo.fallback",
        ("postconf -e 'smtpd_command_filter = regexp:{{/^EHLO .*/ NONE}}'",),
        _settings("smtpd_command_filter"),
        then=("postconf -X smtpd_command_filter", "postfix reload"),
        shows="smtpd_command_filter = regexp:",
    ),
    "TLS before the greeting": Case(
        "smtp.banner.missing",
        ("postconf -P 'smtp/inet/smtpd_tls_wrappermode = yes'",),
        _settings("smtp/inet/smtpd_tls_wrappermode"),
        then=("postconf -PX smtp/inet/smtpd_tls_wrappermode", "postfix reload"),
        shows="smtp/inet/smtpd_tls_wrappermode = yes",
    ),
    "listening to itself": Case(
        "smtp.all_unreachable",
        ("postconf -e 'inet_interfaces = loopback-only'", "postfix stop", "postfix start"),
        _settings("inet_interfaces"),
        then=("postconf -e 'inet_interfaces = all'", "postfix stop", "postfix start"),
        shows="inet_interfaces = loopback-only",
    ),
    "slow at connect": Case(
        "smtp.banner.slow",
        ("postconf -e 'smtpd_client_restrictions = sleep 11' 'smtpd_delay_reject = no'",),
        _settings("smtpd_client_restrictions", "smtpd_delay_reject"),
        then=("postconf -X smtpd_client_restrictions smtpd_delay_reject", "postfix reload"),
        shows="smtpd_delay_reject = no",
        note=True,
    ),
    "PIPELINING hidden": Case(
        "smtp.ext.pipelining",
        ("postconf -e 'smtpd_discard_ehlo_keywords = pipelining'",),
        _settings("smtpd_discard_ehlo_keywords"),
        then=("postconf -X smtpd_discard_ehlo_keywords", "postfix reload"),
        shows="smtpd_discard_ehlo_keywords = pipelining",
        note=True,
    ),
}


@pytest.fixture(scope="module")
def packages() -> None:
    install()


@pytest.fixture
def machine(packages: None, tmp_path: Path) -> Iterator[Sandbox]:
    """A healthy Postfix on the ports of a mail server, with submission as the Debian package has it: off."""
    try:
        with sandbox(tmp_path) as here:
            here.sh(f"{_CERTIFICATE} -subj /CN=mx.{ADVISED}")
            here.sh("rm -rf /var/spool/postfix/pid/* /var/lib/postfix/master.lock")
            here.sh("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf")
            here.write("/etc/postfix/main.cf", MAIN)
            here.write("/etc/aliases", "postmaster: root\n")
            here.sh("newaliases && postconf -F '*/*/chroot = n' && postfix start")
            yield here
            here.sh("postfix stop")
    except NoSandboxError as error:
        pytest.skip(str(error))


def _configuration(machine: Sandbox) -> set[str]:
    # -x would hide an own value that is as the default
    # -P has the values of master.cf one by one
    return set(machine.sh("postconf -n; postconf -M | sed 's/ -o .*//'; postconf -P").splitlines())


def _names_of(lines: set[str]) -> set[str]:
    return {line.partition(" = ")[0] for line in lines}


def _apply(machine: Sandbox, text: str, case: Case) -> str:
    """Apply the text and return what its lines print."""
    for line in case.by_hand:
        machine.sh(line)
    printed = []
    for copied, line in steps(text):
        if not copied:
            continue
        for example, own in _OWN.items():
            line = line.replace(example, own)
        file = next((file for beginning, file in case.files if line.startswith(beginning)), None)
        printed.append(machine.sh(f"echo '{line}' >> {file}" if file else line, check=bool(file)))
    for line in case.then:
        machine.sh(line)
    return "".join(printed)


@pytest.mark.parametrize("name", CASES)
def test_the_lines_fix_the_fault_and_change_nothing_else(machine: Sandbox, name: str) -> None:
    case = CASES[name]
    healthy = machine.check(notes=case.note)
    assert case.code not in healthy
    for line in case.fault:
        machine.sh(line)
    machine.sh("postfix reload")
    before = _configuration(machine)
    assert case.code in machine.check(notes=case.note)
    assert case.shows in _apply(machine, advice_for(case.code, "Postfix"), case)
    assert machine.check(notes=case.note) == healthy
    assert _names_of(before ^ _configuration(machine)) == case.changed


@pytest.mark.parametrize("submission", [False, True])
def test_no_line_harms_a_healthy_server(machine: Sandbox, submission: bool) -> None:
    """Every line of every code, pasted as printed and without an own value."""
    for line in _SASL:
        machine.sh(line)
    machine.sh("postconf -e 'smtpd_tls_auth_only = yes'")
    if submission:
        machine.sh(f"echo '{_SUBMISSION}' >> /etc/postfix/master.cf")
    machine.sh("postfix stop; postfix start")
    port = 587 if submission else 25
    healthy, offered = machine.check(), machine.offered(port)
    assert "AUTH" in offered
    settings = "mynetworks|mydestination|smtpd_sasl_auth_enable|smtpd_tls_chain_files"
    # port 25 may get a value of its own, the other services keep theirs
    kept = f"postconf -n | grep -E '^({settings}) '; postconf -P | grep -v ^smtp/inet/"
    before = machine.sh(kept)
    for code in CODES:
        for line in _commands(all_advice(code).get("Postfix", "")):
            machine.sh(f"timeout 5 sh -c {shlex.quote(line)}", check=False)
    assert machine.check() == healthy
    assert machine.offered(port) == offered
    assert machine.sh(kept) == before


def _commands(text: str) -> Iterator[str]:
    """Yield the lines for a shell; the others are the contents of tables."""
    yield from (line for copied, line in steps(text) if copied and not line.startswith("postmaster"))
