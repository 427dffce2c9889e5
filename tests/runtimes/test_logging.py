"""What is written to the log `checker_smtp`."""

import logging

import anyio
import pytest

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.transport.effect_log import log_effects
from smtp_sansio import Connect, Outcome, Receive, Script, Send, Upgrade
from tests.runtimes.dns_servers import MX, only, reply
from tests.runtimes.peer import ScriptedPeer
from tests.runtimes.session_script import RUNTIMES

SECONDS = 10.0


def conversation() -> Script[Outcome]:
    yield Connect("2001:db8::7", 25, SECONDS)
    yield Receive(SECONDS)
    yield Send(b"STARTTLS\r\n", SECONDS)
    yield Receive(SECONDS)
    return (yield Upgrade("mx.test", SECONDS))


def lines(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == name]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_effect_is_a_debug_line(runtime: str, caplog: pytest.LogCaptureFixture) -> None:
    peer = ScriptedPeer(f"S: 220 \x1b[2J{'x' * 300}\nC: STARTTLS\nS: 220 Go\nTLS")
    with caplog.at_level(logging.DEBUG, "checker_smtp"):
        RUNTIMES[runtime](conversation(), peer.dial)
    peer.join()
    told = [line.partition(" s: ") for line in lines(caplog, "checker_smtp.network")]
    assert [before.split()[0] for before, _, _ in told] == ["[2001:db8::7]:25"] * 5
    connected, greeted, sent, answered, secured = (after for _, _, after in told)
    assert (connected, sent) == ("connect", r"send b'STARTTLS\r\n'")
    assert answered == r"receive: b'220 Go\r\n'"
    assert secured.startswith("upgrade for 'mx.test': TLSv1.3 ")
    # neither a terminal nor the lines of the log can be changed by a server
    assert greeted.startswith(r"receive: b'220 \x1b[2Jxxx")
    assert greeted.endswith("x' and 150 octets")


def test_a_failure_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    peer = ScriptedPeer("S: 220 mx.test\nC: STARTTLS")
    with caplog.at_level(logging.DEBUG, "checker_smtp"):
        RUNTIMES["blocking"](conversation(), peer.dial)
    assert lines(caplog, "checker_smtp.network")[3].endswith("receive: b''")
    assert ": closed " in lines(caplog, "checker_smtp.network")[4]


def test_a_script_that_nobody_logs_is_passed_on_as_it_is() -> None:
    script = conversation()
    assert log_effects(script) is script


def test_a_dns_answer_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    servers = only(reply(MX))
    resolver = DnsResolver("192.0.2.1", udp=servers.connect_udp)
    with caplog.at_level(logging.DEBUG, "checker_smtp"):
        anyio.run(resolver.resolve, "mx.test", "MX")
    servers.join()
    assert lines(caplog, "checker_smtp.dns") == [f"'mx.test' MX: answer ({MX!r},)"]
