"""The pytest plugin as its users have it: found by its entry point, in a run of pytest of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from smtp_sansio import Transcript

pytest_plugins = ["pytester"]

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLIENT = """
import smtplib

def client_of(server):
    client = smtplib.SMTP(local_hostname="client.test")
    client.sock = server.connect()
    client._host = "localhost"
    assert client.getreply()[0] == 220
    return client
"""


# the run inside this one needs none of them, and pytest-socket is in force already
WITHOUT = ("cacheprovider", "cov", "hypothesispytest", "socket", "timeout", "xdist")


def run(pytester: pytest.Pytester, test: str, *arguments: str | Path) -> pytest.RunResult:
    """Run the tests of a file, which begins where `client_of` is defined, without a network."""
    pytester.makepyfile(CLIENT + f"\nFIXTURES = {str(FIXTURES)!r}\n" + test)
    without = [option for name in WITHOUT for option in ("-p", f"no:{name}")]
    return pytester.runpytest_inprocess(*without, *arguments)


def test_a_recorded_case_is_played(pytester: pytest.Pytester) -> None:
    test = """
def test_client(smtp_replay):
    server = smtp_replay(FIXTURES + "/postfix-open-relay")
    client = client_of(server)
    client.starttls(context=server.client_context())
    client.ehlo()
    assert client.mail("a@b.example")[0] == 250
    client.quit()
    assert server.source.received[0][-1] == "quit"
"""
    run(pytester, test).assert_outcomes(passed=1)


@pytest.mark.parametrize("catch", ["", "import pytest\n    with pytest.raises(smtplib.SMTPDataError): "])
def test_a_departure_fails_the_test_with_both_lines_whatever_the_client_makes_of_it(
    pytester: pytest.Pytester, catch: str
) -> None:
    test = f"""
def test_client(smtp_replay):
    client = client_of(smtp_replay(FIXTURES + "/postfix-no-starttls"))
    {catch}client.sendmail("a@b.example", "postmaster@c.example", "hello")
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "connection 1: the client departs from the recording",
            "  recorded: RSET",
            "  client:   data",
            "No recording has a message: smtp_server is for a client that sends one.",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_client_that_insists_on_tls_is_answered_with_one_sentence(pytester: pytest.Pytester) -> None:
    test = """
def test_client(smtp_replay):
    client = client_of(smtp_replay(FIXTURES + "/postfix-no-starttls"))
    client.ehlo()
    client.docmd("STARTTLS")
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["This recording has no TLS, and the client insists on it: record a server *"]
    )


def test_a_server_takes_messages_and_what_was_said_is_written(pytester: pytest.Pytester) -> None:
    test = """
def test_client(smtp_server):
    server = smtp_server("no-starttls")
    client = client_of(server)
    assert not client.has_extn("starttls")
    client.sendmail("a@b.example", "postmaster@no-starttls.demo.test", "Subject: hello\\n\\nyou")
    client.quit()
    (message,) = server.source.messages
    assert message.sender == "a@b.example"
    assert message.recipients == ("postmaster@no-starttls.demo.test",)
    assert message.data == b"Subject: hello\\r\\n\\r\\nyou\\r\\n"

def test_rules(smtp_server):
    from checker_smtp.testing import RuleServer
    client = client_of(smtp_server(RuleServer(relays=True)))
    assert client.docmd("EHLO a")[0] == 250
"""
    folder = pytester.path / "recorded"
    run(pytester, test, "--smtp-record", folder).assert_outcomes(passed=2)
    first, second = sorted(folder.iterdir())
    assert first.name.endswith("-test_client-1.jsonl")
    assert second.name.endswith("-test_rules-1.jsonl")
    sent = [line["data"] for line in Transcript.loads(second.read_text()).entries() if line["do"] == "send"]
    assert sent == ["EHLO a\r\n"]
    again = f"""
def test_client(smtp_replay):
    client = client_of(smtp_replay({str(first)!r}))
    client.sendmail("other@b.example", "somebody@else.example", "another message")
"""
    run(pytester, again).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('smtp_server("unknown")', "no posture is called 'unknown': give one of healthy, open-relay, "),
        ('smtp_replay("nowhere")', "nowhere is no case, which is a folder: No such file or directory"),
        ("smtp_replay(__file__)", "line 1 is no transcript entry: "),
    ],
)
def test_a_mistake_is_one_sentence(pytester: pytest.Pytester, call: str, message: str) -> None:
    name = call.partition("(")[0]
    result = run(pytester, f"def test_mistake({name}):\n    {call}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E * {message}*"])


def test_a_plugin_that_nobody_uses_imports_nothing() -> None:
    code = "import sys, checker_smtp.pytest_plugin; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {
        name
        for name in done.stdout.split()
        if name.startswith(("checker_smtp", "smtp_sansio", "anyio", "ssl"))
    }
    assert loaded == {"checker_smtp", "checker_smtp.pytest_plugin"}
