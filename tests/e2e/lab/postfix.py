"""One Postfix with a configuration, a queue and a log of its own: a smtpd line for each posture.

It is started without the `postfix` command, which is made for the host's one mail system: the master daemon
is enough, and then nothing below /etc/postfix is read (meta_directory points elsewhere) and no multi-instance
bookkeeping is touched. There is no queue manager and no delivery agent, so even a message that was sent by
mistake could not go anywhere. Nor does smtpd look up its client's name: it knows no resolver but the host's.
"""

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from .table import PORT, POSTURES, SHAPES, PostfixPosture, domain

_MAIN = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "myhostname": f"mx.{domain('healthy')}",
    "inet_protocols": "ipv4",
    "mynetworks": "192.0.2.255/32",
    "mydestination": " ".join(map(domain, (*(posture.name for posture in POSTURES), *SHAPES))),
    "local_recipient_maps": "inline:{{postmaster=x}}",
    "alias_maps": "",
    "local_transport": "discard:",
    "default_transport": "discard:",
    "smtpd_banner": "$myhostname ESMTP $mail_name",
    "smtpd_peername_lookup": "no",
    "smtpd_tls_security_level": "may",
    # smtpd waits that long for a queue manager that says the queue can take more: there is none
    "in_flow_delay": "0",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_recipient_restrictions": "",
    # both limits off: there is no anvil to count, and a test run looks like a flood
    "smtpd_client_connection_count_limit": "0",
    "smtpd_client_connection_rate_limit": "0",
}

_SERVICES = """cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def command(folder: Path, log: Path) -> list[str]:
    """Writes the instance into the folder; the command that runs its master daemon in the foreground."""
    config, queue, data = folder / "etc", folder / "queue", folder / "data"
    for part in (config / "sasl", queue / "pid", data):
        part.mkdir(parents=True)
    _give(data, 0o700)
    for name, mode in (("incoming", 0o700), ("private", 0o700), ("public", 0o710)):
        (queue / name).mkdir()
        _give(queue / name, mode)
    (config / "master.cf").write_text("".join(map(_service, POSTURES)) + _SERVICES)
    (config / "sasl" / "smtpd.conf").write_text("pwcheck_method: auxprop\nmech_list: PLAIN LOGIN\n")
    chain = _certificate(config)
    programs = _programs(config)
    many = config / "many.regexp"
    many.write_text(rf"/^d[0-9]+\.many[0-9]{re.escape(domain(''))}$/ local" + "\n")
    main = _MAIN | {
        "mydestination": f"{_MAIN['mydestination']} regexp:{many}",
        "queue_directory": str(queue),
        "data_directory": str(data),
        "daemon_directory": str(programs),
        "meta_directory": str(config),
        "maillog_file": str(log),
        "maillog_file_prefixes": str(log.parent),
        "cyrus_sasl_config_path": str(config / "sasl"),
        "smtpd_tls_chain_files": str(chain),
    }
    (config / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
    return [str(programs / "master"), "-c", str(config), "-s"]


def _service(posture: PostfixPosture) -> str:
    options = (("myhostname", posture.host), *posture.options)
    lines = [f"{posture.address}:{PORT} inet n - n - - smtpd"]
    lines += [f"  -o {{ {key} = {value} }}" for key, value in options]
    return "\n".join(lines) + "\n"


def _give(folder: Path, mode: int) -> None:
    os.chown(folder, pwd.getpwnam("postfix").pw_uid, -1)
    folder.chmod(mode)


def _programs(config: Path) -> Path:
    postconf = shutil.which("postconf", path="/usr/sbin:/usr/local/sbin")
    if postconf is None:
        raise FileNotFoundError("Postfix is not installed")
    # -d: the defaults it was compiled with; -c: it reads a master.cf all the same, and not the host's
    asked = [postconf, "-c", str(config), "-dh", "daemon_directory"]
    return Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())


def _certificate(config: Path) -> Path:
    key, certificate, chain = (config / name for name in ("key.pem", "cert.pem", "chain.pem"))
    names = ",".join(f"DNS:{posture.host}" for posture in POSTURES)
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    request += ["-keyout", str(key), "-out", str(certificate)]
    request += ["-subj", f"/CN={POSTURES[0].host}", "-addext", f"subjectAltName={names}"]
    subprocess.run(request, check=True, capture_output=True)
    chain.touch(mode=0o600)
    chain.write_bytes(key.read_bytes() + certificate.read_bytes())
    return chain
