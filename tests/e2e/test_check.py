"""What checker-smtp finds in each posture and shape of the lab, on both event loops, live and replayed.

Only what is warn or crit is compared, and exactly: a finding too many is as wrong as one too few. Info
findings say things that are true of every lab (no IPv6), so they are looked at only where they are the point.
"""

import hashlib
import json
import os
import re
import smtplib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ASKED, Run, Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import ADDRESS, DEAD_RESOLVER, PORT, RESOLVER, domain

BACKENDS = ("asyncio", "trio")
WANTED: dict[str, set[str]] = {
    "healthy": set(),
    "openrelay": {"crit smtp.open_relay"},
    "nostarttls": {"crit smtp.all_no_starttls"},
    "authplain": {"crit smtp.auth.plaintext"},
    "nullrej": {"crit smtp.null_sender.rejected"},
    "nopostmaster": {"crit smtp.postmaster.rejected"},
    "greylist": set(),
    "tlsonly": set(),
    "conn421": set(),  # 4.7.0 is security or policy: the client is refused
    "ptrmissing": {"warn smtp.ptr.missing"},
    "nullmx": set(),
    "cname": {"crit smtp.mx.cname"},
    "unres": {"crit smtp.mx.unresolved"},
    "implicit": {"warn smtp.mx.implicit"},
    "mixed": {"crit smtp.open_relay"},
    "nx": {"crit smtp.mx.none"},
}
RANK = {"info": 0, "warn": 1, "crit": 2}
STATUS = {0: {"ok", "info"}, 1: {"warning"}, 2: {"critical"}, 3: {"unknown"}}
# what Postfix counts at the end of a session, for the commands a checker may send
HARMLESS = {"ehlo", "helo", "starttls", "mail", "rcpt", "rset", "noop", "quit", "commands"}


def document(run: Run) -> dict[str, Any]:
    """The JSON of a run that went well: nothing on stderr, and code and status as its findings say."""
    assert run.err == ""
    read: dict[str, Any] = json.loads(run.out)
    assert set(read) >= {"observation", "findings", "status"}
    worst = max((RANK[finding["severity"]] for finding in read["findings"]), default=0)
    # nothing bad was found, but nobody answered either
    assert run.code == (3 if read["status"] == "unknown" and worst == 0 else worst)
    assert read["status"] in STATUS[run.code]
    for finding in read["findings"]:
        assert finding["message"].strip()
        assert finding["severity"] != "crit" or finding["outcome"] == "fail"
    return read


def serious(read: dict[str, Any]) -> set[str]:
    found = [finding for finding in read["findings"] if finding["severity"] != "info"]
    return {f"{finding['severity']} {finding['code']}" for finding in found}


def infos(read: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in read["findings"] if finding["severity"] == "info"}


def subjects(read: dict[str, Any], code: str) -> list[str]:
    return [finding["subject"] for finding in read["findings"] if finding["code"] == code]


def words(run: Run) -> str:
    return run.out.decode() + run.err


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", WANTED)
def test_findings_live_and_replayed(check: Tool, tool: Tool, tmp_path: Path, name: str, backend: str) -> None:
    case = tmp_path / "case"
    live = check(domain(name), "--format", "json", "--backend", backend, "--record", case)
    assert serious(document(live)) == WANTED[name]

    replayed = tool("replay", case, "--format", "json", offline=True)
    assert (replayed.code, replayed.err) == (live.code, "")
    assert replayed.out == live.out


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_certificate_is_the_one_another_client_sees(check: Tool, backend: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(ADDRESS["healthy"], PORT, "another.e2e.test") as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        der = client.sock.getpeercert(binary_form=True)
    assert der is not None

    read = document(check(domain("healthy"), "--format", "json", "--backend", backend))
    (session,) = read["observation"]["endpoints"][0]["sessions"]
    seen = session["tls"]["certificate"]
    assert seen["sha256"] == hashlib.sha256(der).hexdigest()
    assert seen["common_name"] == f"mx.{domain('healthy')}"
    assert (seen["self_issued"], seen["note"]) == (True, "")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_refusing_greeting_may_be_about_us(check: Tool, backend: str) -> None:
    read = document(check(domain("banner554"), "--format", "json", "--backend", backend))
    assert (serious(read), read["status"]) == (set(), "unknown")
    assert "smtp.refused_us" in infos(read)


def test_a_null_mx_is_told_and_nothing_else(check: Tool) -> None:
    read = document(check(domain("nullmx"), "--format", "json"))
    assert [finding["code"] for finding in read["findings"]] == ["smtp.null_mx"]


def test_greylisting_is_told_as_temporary(check: Tool) -> None:
    read = document(check(domain("greylist"), "--format", "json"))
    assert infos(read) & {"smtp.null_sender.deferred", "smtp.postmaster.deferred"}


def test_the_open_relay_of_two_is_named(check: Tool) -> None:
    read = document(check(domain("mixed"), "--format", "json"))
    assert subjects(read, "smtp.open_relay") == [f"{ADDRESS['openrelay']}:{PORT}"]


def test_nothing_listens(check: Tool) -> None:
    read = document(check(domain("refused"), "--format", "json"))
    assert "crit smtp.all_unreachable" in serious(read)
    assert serious(read) <= {"crit smtp.all_unreachable", "warn smtp.tcp.unreachable"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_server_that_never_speaks(check: Tool, silence: socket.socket, backend: str) -> None:
    read = document(check(domain("silent"), "--format", "json", "--backend", backend, "--timeout", "1"))
    # a sender would wait for minutes: silence for a second is no proof of a fault
    assert serious(read) == {"warn smtp.banner.missing"}


def test_loopback_is_left_alone_unless_named(lab: Lab, tool: Tool) -> None:
    before = len(settled(lab.maillog))
    allowed = ASKED.index("--allow-target")
    asked = ASKED[:allowed] + ASKED[allowed + 2 :]
    read = document(tool("check", domain("healthy"), "--resolver", RESOLVER, *asked, "--format", "json"))
    assert serious(read) == {"crit smtp.mx.not_public"}
    assert len(settled(lab.maillog)) == before


@pytest.mark.parametrize("name", ["healthy", "conn421", "openrelay", "nx"])
def test_text_says_the_same(check: Tool, name: str) -> None:
    text = check(domain(name), "--format", "text")
    assert (text.code, text.err) == (check(domain(name), "--format", "json").code, "")
    assert domain(name).encode() in text.out
    assert b"\x1b" not in text.out


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_resolver_that_does_not_answer_is_our_problem(check: Tool, backend: str) -> None:
    run = check(domain("healthy"), "--backend", backend, "--timeout", "2", resolver=DEAD_RESOLVER)
    assert run.code == 3
    assert "Traceback" not in words(run)
    assert len(words(run).strip().splitlines()) == 1
    assert "resolver" in words(run)


@pytest.mark.parametrize("wrong", ["exa mple.test", "e2e..test", "user@e2e.test"])
def test_what_is_no_domain_is_said_before_a_packet_leaves(check: Tool, lab: Lab, wrong: str) -> None:
    before = len(settled(lab.maillog))
    run = check(wrong)
    assert run.code == 3
    assert "Traceback" not in words(run)
    assert len(settled(lab.maillog)) == before


def test_no_message_is_ever_sent(lab: Lab, check: Tool) -> None:
    for name in ("healthy", "openrelay", "authplain"):
        check(domain(name), "--format", "json")
    log = settled(lab.maillog)
    ended = re.findall(r" disconnect from \S+ (.*)", log)
    sent = {word.partition("=")[0] for counts in ended for word in counts.split()}
    assert {"rcpt", "starttls"} <= sent <= HARMLESS
    # a queue id appears at the first accepted recipient; a message only at DATA
    assert "message-id=" not in log
    assert [name for _, _, names in os.walk(lab.queue / "incoming") for name in names] == []


def settled(maillog: Path) -> str:
    """The log once every session in it has ended: Postfix may write a little later than it answers."""
    deadline = time.monotonic() + 10
    while True:
        log = maillog.read_text()
        if log.count(" connect from ") == log.count(" disconnect from ") or time.monotonic() > deadline:
            return log
        time.sleep(0.1)
