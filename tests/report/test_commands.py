"""The commands below a finding repeat the steps of the check, and hostile text cannot change them."""

import re
import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from checker_smtp.probes.observation import MxTarget, Observation, ReverseDns
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import CODES, Finding
from checker_smtp.report.advice.commands import commands_for
from checker_smtp.report.model.endpoint_index import EndpointIndex
from checker_smtp.report.model.report import build_report
from tests.report.results import FIXTURES, MX, endpoint, finding, observation, replayed, session
from tests.report.results import result as as_result

SUBJECT = "192.0.2.1:25"
HOSTILE = (
    "$(id)",
    "`id`",
    "a;id",
    "a|id",
    "a'b",
    'a"b',
    "a\nid",
    "-oProxyCommand=id",
    "+trace",
    "@192.0.2.66",
    "a\u202eb",
    "a b",
    "a&&id",
    "\x1b[31m",
    ">/tmp/x",
)


def lines_for(found: Finding, seen: Observation) -> tuple[str, ...]:
    return commands_for(found, EndpointIndex(seen).find(found), seen)


def commands_of(code: str, seen: Observation | None = None, subject: str = SUBJECT) -> list[list[str]]:
    return [shlex.split(line) for line in lines_for(finding(code, subject=subject), seen or observation())]


def test_the_relay_question_again() -> None:
    assert commands_of("smtp.open_relay") == [
        shlex.split(
            "swaks --server 192.0.2.1 --port 25 --helo probe.example.net --from postmaster@probe.example.net "
            "--to postmaster@example.com --tls --quit-after RCPT"
        )
    ]


def test_the_null_sender_is_quoted() -> None:
    line = lines_for(finding("smtp.null_sender.rejected"), observation())[0]
    assert " --from '<>' " in line
    assert len(commands_of("smtp.null_sender.rejected")) == 2


def test_tls_is_asked_for_only_where_it_was_used() -> None:
    plain = observation(endpoint("192.0.2.1", session(tls="")))
    assert "--tls" not in commands_of("smtp.postmaster.rejected", plain)[0]
    assert "--tls" in commands_of("smtp.postmaster.rejected")[0]


def test_the_handshake_names_the_mx() -> None:
    (words,) = commands_of("smtp.starttls.failed")
    assert words[:4] == ["openssl", "s_client", "-starttls", "smtp"]
    assert words[words.index("-connect") + 1] == SUBJECT
    assert words[words.index("-servername") + 1] == MX
    (words,) = commands_of("smtp.starttls.failed", subject="[2001:db8::1]:25")
    assert words[words.index("-connect") + 1] == "[2001:db8::1]:25"


def test_dns_questions_go_to_the_resolver_of_the_check() -> None:
    assert commands_of("smtp.mx.none", subject="") == [["dig", "@192.0.2.53", "example.org", "MX"]]
    for resolver, asked in (
        ("", []),
        ("[2001:db8::53]:5353", ["@2001:db8::53", "-p", "5353"]),
        ("192.0.2.53:5353", ["@192.0.2.53", "-p", "5353"]),
        ("2001:db8::53", ["@2001:db8::53"]),
        ("nonsense; id", []),
    ):
        seen = replace(observation(), resolver=resolver)
        assert commands_of("smtp.mx.none", seen, "") == [["dig", *asked, "example.org", "MX"]]


def test_reverse_and_forward() -> None:
    commands = commands_of("smtp.fcrdns.mismatch", subject="[2001:db8::1]:25")
    assert commands[0][-2:] == ["-x", "2001:db8::1"]
    assert commands[1][-2:] == [MX, "AAAA"]


def test_a_port_that_does_not_answer() -> None:
    assert commands_of("smtp.tcp.unreachable", subject="[2001:db8::1]:25") == [
        ["nc", "-vz", "-w", "12", "2001:db8::1", "25"]
    ]


def test_a_silent_port_is_asked_for_tls() -> None:
    """A port with implicit TLS sends no greeting."""
    silent = observation(endpoint("192.0.2.1", replace(session(), greeting=None)))
    tls = ["openssl", "s_client", "-connect", "192.0.2.1:25", "</dev/null"]
    assert commands_of("smtp.banner.missing", silent)[-1] == tls
    assert tls not in commands_of("smtp.banner.refused")


def test_the_tls_checker_names_the_mx_and_port() -> None:
    assert commands_of("smtp.tls.expired", subject=f"{MX}:25")[0][-2:] == ["-showcerts", "</dev/null"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_in_no_command(name: str) -> None:
    seen = observation()
    reverse = ReverseDns(status=DnsStatus.ANSWER, names=(name,), total=1)
    hostile = tuple(
        replace(
            e,
            targets=(name,),
            reverse=reverse,
            sessions=tuple(
                replace(
                    s,
                    transactions=tuple(
                        replace(t, recipient=f"{name}@x", sender=name) for t in s.transactions
                    ),
                )
                for s in e.sessions
            ),
        )
        for e in seen.endpoints
    )
    seen = replace(
        seen,
        domain=name,
        resolver=name,
        endpoints=hostile,
        settings=replace(seen.settings, helo_name=name, sender=f"p@{name}", probe_address=f"p@{name}"),
        mx=replace(seen.mx, records=(MxTarget(preference=0, target=name),)),
    )
    for code, subject in product(CODES, (SUBJECT, name, "")):
        for line in lines_for(finding(code, subject=subject), seen):
            assert name not in line
            assert line.isascii()
            assert line.isprintable()


def test_every_recorded_finding_about_a_reached_server_has_one() -> None:
    for folder in FIXTURES:
        result = replayed(folder)
        for found in result.findings:
            lines = lines_for(found, result.observation)
            assert lines, (folder.name, found.code)
            for line in lines:
                assert re.match(r"(swaks|dig|openssl|nc|\(sleep) ", line)
                assert shlex.split(line)


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_the_commands_ask_what_the_evidence_asked(folder: Path) -> None:
    result = replayed(folder)
    report = build_report(result)
    for item in (*report.to_fix, *report.unsettled, *report.checker):
        commands = [shlex.split(line) for line in item.commands]
        asked = {
            (words[words.index("--from") + 1], words[words.index("--to") + 1])
            for words in commands
            if words[0] == "swaks"
        }
        for quote in item.quotes:
            senders = [line.removeprefix("MAIL FROM:") for line in quote.asked if line.startswith("MAIL")]
            recipients = [line.removeprefix("RCPT TO:") for line in quote.asked if line.startswith("RCPT")]
            for sender in senders:
                sender = sender if sender == "<>" else sender.strip("<>")
                wanted = {to for who, to in asked if who == sender}
                assert wanted, (item.code, quote.asked, item.commands)
                assert {one.strip("<>") for one in recipients} <= wanted
            question = re.fullmatch(r"([A-Z]+) (\S+)", quote.where)
            if question and question[1] != "PTR":
                assert any(
                    [question[2], question[1]] == words[n : n + 2]
                    for words in commands
                    for n in range(len(words))
                ), (item.code, quote.where, item.commands)


def test_a_reply_to_ehlo_on_tls_is_asked_for_on_tls() -> None:
    result = replayed(next(folder for folder in FIXTURES if folder.name == "odd-lower-case-keywords"))
    found = next(one for one in result.findings if one.code == "smtp.ext.pipelining")
    assert lines_for(found, result.observation)[0].endswith(" --tls --quit-after EHLO")


def test_a_document_that_names_no_session_has_commands() -> None:
    result = replayed(next(folder for folder in FIXTURES if folder.name == "postfix-open-relay"))
    found = result.findings[0]
    old = replace(found, evidence=tuple(replace(item, session=None, entry=None) for item in found.evidence))
    assert lines_for(old, result.observation) == lines_for(found, result.observation)


def test_each_server_in_the_evidence_is_asked() -> None:
    seen = observation(endpoint("192.0.2.1", session(tls="")), endpoint("192.0.2.2", session(tls="")))
    found = [finding("smtp.postmaster.rejected", subject=f"192.0.2.{n}:25") for n in (1, 2)]
    (item,) = build_report(as_result(seen, tuple(found), "critical")).to_fix
    servers = [words[words.index("--server") + 1] for words in map(shlex.split, item.commands)]
    assert servers == ["192.0.2.1", "192.0.2.2"]
