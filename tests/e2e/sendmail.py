"""Sendmail as Debian configures it, in a sandbox, with its log written by a syslog daemon."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.e2e.archives import download, install_in
from tests.e2e.lab import install
from tests.e2e.lab.table import ADVISED, ADVISED_ADDRESS
from tests.e2e.sandbox import NoSandboxError, Sandbox, sandbox

__all__ = ["SENDMAIL_LOG", "sendmail", "start_sendmail"]

_PACKAGES = ("sendmail-bin", "sendmail-cf", "inetutils-syslogd")
SENDMAIL_LOG = "/var/log/mail.log"
_PID = "/run/sendmail/mta/sendmail.pid"
# Debian's access list rejects all of 192.0.2.0/24, so the client has an address outside it. That has no PTR
# record, as the stock filter of fail2ban counts a refused relay of such clients only.
_CLIENT_ADDRESS = "198.51.100.7"
_OWN_LINES = """define(`confCACERT_PATH', `/etc/ssl/certs')dnl
define(`confCACERT', `/etc/own.pem')dnl
define(`confSERVER_CERT', `/etc/own.pem')dnl
define(`confSERVER_KEY', `/etc/own.key')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
MAILER_DEFINITIONS
"""
_SETUP = f"""
mkdir -p /mnt/dev/upper /mnt/dev/work
mount -t overlay overlay -o lowerdir=/dev,upperdir=/mnt/dev/upper,workdir=/mnt/dev/work /dev
syslogd
ip address add {_CLIENT_ADDRESS}/32 dev lo
ip route change local {ADVISED_ADDRESS} dev lo table local src {_CLIENT_ADDRESS}
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
cp /etc/mail/service.switch-nodns /etc/mail/service.switch
echo '{ADVISED_ADDRESS} mx.{ADVISED}' >> /etc/hosts
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout /etc/own.key -out /etc/own.pem -subj /CN=mx
chmod 600 /etc/own.key
sed -i -e 's/, Addr=127.0.0.1//' -e '/^MAILER_DEFINITIONS/{{r /etc/own.mc' -e 'd}}' /etc/mail/sendmail.mc
m4 /etc/mail/sendmail.mc > /etc/mail/sendmail.cf
"""


@pytest.fixture(scope="module")
def sendmail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with Sendmail in place of Postfix, not started."""
    if os.geteuid() != 0:
        pytest.skip("the sandbox needs root: run make e2e as root")
    install()
    archives: Path = download(tmp_path_factory.mktemp("archives"), *_PACKAGES)
    try:
        with sandbox(tmp_path_factory.mktemp("sandbox")) as here:
            install_in(here, archives, *_PACKAGES)
            here.write("/etc/own.mc", _OWN_LINES)
            here.write("/etc/setup", _SETUP)
            here.sh("sh -e /etc/setup")
            yield here
    except NoSandboxError as error:
        pytest.skip(str(error))


def start_sendmail(machine: Sandbox, domains: Iterable[str]) -> None:
    """Start it again; it serves these domains."""
    machine.write("/etc/mail/local-host-names", "".join(f"{domain}\n" for domain in domains))
    machine.sh(
        f'test ! -s {_PID} || kill "$(head -n 1 {_PID})"; while ss -ltn | grep -q ":25 "; do :; done;'
        " sendmail-mta -L sm-mta -bd -q10m; until ss -ltn | grep -q ':25 '; do :; done"
    )
