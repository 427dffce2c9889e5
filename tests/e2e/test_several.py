"""`checker-smtp check` of several domains as a process: one command, one exit code, one document."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checker_smtp.testing import RuleServer
from tests.e2e.conftest import Tool
from tests.e2e.served import served, until
from tests.e2e.small_world import SmallWorld, small_world

ZONE = """
well.test MX 10 mx.well.test.
mx.well.test A 127.81.0.1
1.0.81.127.in-addr.arpa PTR mx.well.test.
relay.test MX 10 mx.relay.test.
mx.relay.test A 127.81.0.2
2.0.81.127.in-addr.arpa PTR mx.relay.test.
plain.test MX 10 mx.plain.test.
mx.plain.test A 127.81.0.3
one.test MX 10 mx.plain.test.
two.test MX 10 mx.plain.test.
three.test MX 10 mx.plain.test.
four.test MX 10 mx.plain.test.
silent.test MX 10 mx.silent.test.
mx.silent.test A 127.81.0.4
"""
DOMAINS = ("well.test", "relay.test", "plain.test")


def server(domain: str) -> RuleServer:
    return RuleServer(host=f"mx.{domain}", local_domains=(domain,), mailboxes=frozenset({"postmaster"}))


@pytest.fixture(scope="module")
def world() -> Iterator[SmallWorld]:
    servers = {
        "127.81.0.1": server("well.test"),
        "127.81.0.2": replace(server("relay.test"), relays=True),
        "127.81.0.3": server("plain.test"),
        "127.81.0.4": None,
    }
    with small_world(ZONE, servers) as running:
        yield running


@pytest.fixture
def run(world: SmallWorld, tool: Tool) -> Tool:
    return lambda *arguments: tool("check", *arguments, *world.options, "--helo-name", "probe.test")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_text_begins_with_a_line_each_and_the_worst_sets_the_exit_code(run: Tool, backend: str) -> None:
    done = run(*DOMAINS, "--backend", backend)
    assert (done.code, done.err) == (2, "")
    lines = done.out.decode().splitlines()
    assert [line.split(":")[0].split()[-1] for line in lines[:3]] == list(DOMAINS)
    assert lines[1].startswith("Critical ")
    assert lines[3] == ""
    assert run("well.test", "plain.test").code == 1  # no PTR record
    assert run("well.test").code == 0


def test_documents(run: Tool) -> None:
    array = json.loads(run(*DOMAINS, "--format", "json").out)
    assert [one["observation"]["domain"] for one in array] == list(DOMAINS)
    lines = [json.loads(line) for line in run(*DOMAINS, "--format", "jsonl").out.splitlines()]
    assert [one["status"] for one in lines] == [one["status"] for one in array]
    assert isinstance(json.loads(run("well.test", "--format", "json").out), dict)
    nagios = run(*DOMAINS, "--format", "nagios").out.decode().splitlines()
    assert nagios[0].startswith("SMTP CRITICAL: 3 domains: 1 CRITICAL, 1 WARNING, 1 OK; relay.test: ")
    assert len(nagios) == 4


def test_the_first_line_for_nagios_is_the_same_in_each_run(run: Tool) -> None:
    for domains in (["relay.test"], DOMAINS):
        first, second = (run(*domains, "--format", "nagios").out.decode().partition(" | ")[0] for _ in "12")
        assert first == second
        assert "nobody-" not in first


def test_the_domains_share_the_limits_and_the_answers(run: Tool, world: SmallWorld) -> None:
    domains = ("plain.test", "one.test", "two.test", "three.test", "four.test")
    world.most.clear()
    read = json.loads(run(*domains, "--format", "json").out)
    assert len(read) == 5
    assert 1 <= world.most["127.81.0.3"] <= 2


def test_pages_have_an_index(run: Tool, tmp_path: Path) -> None:
    done = run(*DOMAINS, "--format", "html", "-o", tmp_path / "pages")
    assert (done.code, done.out, done.err) == (2, b"", "")
    names = {path.name for path in (tmp_path / "pages").iterdir()}
    assert names == {"report.html", *(f"{domain}.html" for domain in DOMAINS)}
    index = (tmp_path / "pages" / "report.html").read_text("utf-8")
    assert "The server accepts mail from outside for other domains." in index


def test_the_name_of_the_file_chooses_the_format(run: Tool, tmp_path: Path) -> None:
    for name, start in (("a.html", "<!DOCTYPE html>"), ("a.xml", "<?xml"), ("a.json", "["), ("a.txt", "OK")):
        domains = ("well.test",) if name == "a.html" else ("well.test", "relay.test")
        run(*domains, "-o", tmp_path / name)
        assert (tmp_path / name).read_text("utf-8").startswith(start), name
    run("well.test", "-o", tmp_path / "b.html", "--format", "nagios")
    assert (tmp_path / "b.html").read_text().startswith("SMTP OK")


def test_each_domain_has_its_recording(run: Tool, tool: Tool, tmp_path: Path) -> None:
    done = run(*DOMAINS, "--record", tmp_path / "cases", "--format", "jsonl")
    lines = done.out.splitlines()
    for domain, line in zip(DOMAINS, lines, strict=True):
        replayed = tool("replay", tmp_path / "cases" / domain, "--format", "jsonl", offline=True)
        assert replayed.out.splitlines() == [line]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_prints_what_was_learnt(world: SmallWorld, tmp_path: Path, backend: str) -> None:
    command = [sys.executable, "-m", "checker_smtp", "check", "well.test", "silent.test", *world.options]
    command += ["--record", str(tmp_path / "cases"), "--backend", backend, "--helo-name", "probe.test"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a background job of a shell ignores SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        # the recording of a check is written when it has finished
        finished = tmp_path / "cases" / "well.test" / "expected.json"
        assert world.is_silent.wait(20)
        until(finished.exists)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.startswith(b"OK, with notes  well.test: Mail can arrive.")
    assert b"silent.test" not in out
    # the server may have accepted before the client knows
    assert re.fullmatch(
        r"checker-smtp: interrupted: silent.test was not checked to the end: MX 10 mx.silent.test.; "
        rf"127.81.0.4:{world.port} (connecting|waiting for the greeting)\n",
        err.decode(),
    )


def test_a_dead_resolver_is_a_status_line(tool: Tool) -> None:
    done = tool("check", "well.test", "--resolver", "127.81.0.9:9", "--timeout", "0.5", "--format", "nagios")
    assert (done.code, done.err) == (3, "")
    assert done.out.startswith(b"SMTP UNKNOWN: the resolver 127.81.0.9:9 ")


def test_servers_to_be_are_checked_in_place_of_the_records(run: Tool, world: SmallWorld) -> None:
    for server in ("mx.plain.test", "127.81.0.3", f"127.81.0.3:{world.port}"):
        read = json.loads(run("well.test", "--mx", server, "--format", "json").out)
        (endpoint,) = read["observation"]["endpoints"]
        assert endpoint["address"] == "127.81.0.3", server
        questions = {(one["name"], one["rdtype"]): one["detail"] for one in read["observation"]["dns"]}
        assert questions["well.test", "MX"] == "given with the request, not asked for in the DNS"
        assert not any(finding["code"].startswith("smtp.mx.") for finding in read["findings"])
    text = run("well.test", "--mx", "mx.plain.test").out.decode()
    assert "MX records given with the request, not asked for in the DNS" in " ".join(text.split())


def test_a_recording_of_servers_to_be_is_replayed(run: Tool, tool: Tool, tmp_path: Path) -> None:
    done = run("well.test", "--mx", "127.81.0.3", "--mx", "mx.relay.test", "--record", tmp_path / "case")
    assert tool("replay", tmp_path / "case", offline=True).out == done.out


def test_a_server_that_does_not_resolve_is_one_sentence(run: Tool) -> None:
    done = run("well.test", "--mx", "nowhere.test")
    assert (done.code, done.out) == (3, b"")
    assert done.err == (
        "checker-smtp: the mail server 'nowhere.test' has no address (NXDOMAIN): "
        "give a name that resolves, or the address itself\n"
    )


def test_connections_begin_at_the_source_address(run: Tool, world: SmallWorld) -> None:
    world.clients.clear()
    done = run("well.test", "--source-address", "127.81.7.7")
    assert (done.code, done.err) == (0, "")
    assert set(world.clients) == {"127.81.7.7"}
    wrong = run("well.test", "--source-address", "192.0.2.1")
    assert (wrong.code, wrong.out) == (3, b"")
    assert "192.0.2.1 cannot be used (Cannot assign requested address): give an address" in wrong.err
    family = run("well.test", "--source-address", "127.81.7.7", "--ipv6")
    assert "--ipv6 cannot be used with the source address 127.81.7.7: omit one of the two" in family.err


def test_the_report_says_why_the_default_name_is_given(world: SmallWorld, tool: Tool) -> None:
    read = json.loads(tool("check", "well.test", *world.options, "--format", "json").out)
    settings = read["observation"]["settings"]
    assert settings["helo_name"] == "mx-checker.happydomain.org"
    assert settings["helo_reason"].startswith("the default: ")
    source = tool("check", "well.test", *world.options, "--source-address", "127.81.7.7").out.decode()
    assert "the default: the address of this machine is not public" in " ".join(source.split())


def test_a_service_and_a_scan_begin_at_the_source_address(
    world: SmallWorld, tool: Tool, tmp_path: Path
) -> None:
    world.clients.clear()
    options = [*world.options, "--source-address", "127.81.7.8"]
    with served(*options) as service:
        answer = service.collect("well.test")
        assert answer.status == 200
    assert set(world.clients) == {"127.81.7.8"}
    (tmp_path / "list").write_text("well.test\n")
    results = tmp_path / "r.jsonl"
    assert tool("scan", tmp_path / "list", "-o", results, *options, "--delay", "0").code == 0
    assert set(world.clients) == {"127.81.7.8"}
    assert len(world.clients) > 1
    assert json.loads(results.read_text())["status"] in ("ok", "info")
