"""The pytest plugin with real clients over loopback: smtplib, aiosmtplib, and Django's mail backend."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
HEAD = f"""
import asyncio, smtplib
import pytest
import aiosmtplib
from django.conf import settings
from django.core.mail import EmailMessage, get_connection

RECORDED = {str(FIXTURES)!r} + "/"
if not settings.configured:
    settings.configure()

def with_smtplib(server, tls=True):
    with smtplib.SMTP(server.host, server.port) as client:
        if tls:
            client.starttls(context=server.client_context())
        client.sendmail("a@b.example", ["you@healthy.demo.test"], "Subject: hello\\r\\n\\r\\nyou\\r\\n")

def with_aiosmtplib(server, tls=True):
    message = "Subject: hello\\r\\n\\r\\nyou\\r\\n"
    asyncio.run(aiosmtplib.send(
        message, sender="a@b.example", recipients=["you@healthy.demo.test"], hostname=server.host,
        port=server.port, start_tls=tls, tls_context=server.client_context() if tls else None,
    ))

def with_django(server, tls=True):
    connection = get_connection(
        "django.core.mail.backends.smtp.EmailBackend", host=server.host, port=server.port, use_tls=tls
    )
    connection.ssl_context = server.client_context()
    EmailMessage("hello", "you", "a@b.example", ["you@healthy.demo.test"], connection=connection).send()

CLIENTS = pytest.mark.parametrize("send", [with_smtplib, with_aiosmtplib, with_django])
"""


def run(pytester: pytest.Pytester, test: str, *arguments: str | Path) -> pytest.RunResult:
    pytester.makepyfile(HEAD + test)
    # without its summary, which repeats each failure in full where CI is in the environment
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rN", *arguments)


def test_messages_arrive_from_every_client_and_are_recorded(pytester: pytest.Pytester) -> None:
    test = """
@CLIENTS
@pytest.mark.parametrize("posture", ["healthy", "no-starttls"])
def test_send(smtp_server, send, posture):
    from checker_smtp.testing import RuleServer
    server = smtp_server(RuleServer(starttls=posture == "healthy"))
    send(server, tls=posture == "healthy")
    (message,) = server.source.messages
    assert message.sender == "a@b.example"
    assert message.recipients == ("you@healthy.demo.test",)
    assert b"Subject: hello\\r\\n" in message.data
    assert message.data.endswith(b"you\\r\\n")
"""
    folder = pytester.path / "recorded"
    run(pytester, test, "--smtp-record", folder).assert_outcomes(passed=6)
    assert len(list(folder.iterdir())) == 6
    again = f"""
FILES = {sorted(map(str, folder.iterdir()))!r}

@pytest.mark.parametrize("file", FILES)
def test_again(smtp_replay, file):
    send = next(send for send in (with_smtplib, with_aiosmtplib, with_django) if send.__name__ in file)
    send(smtp_replay(file), tls="no-starttls" not in file)
"""
    run(pytester, again).assert_outcomes(passed=6)


def test_a_recorded_server_is_played_to_every_client_until_it_sends_a_message(
    pytester: pytest.Pytester,
) -> None:
    test = """
@CLIENTS
def test_replay(smtp_replay, send):
    send(smtp_replay(RECORDED + "postfix-open-relay"))

@CLIENTS
def test_insists(smtp_replay, send):
    send(smtp_replay(RECORDED + "postfix-no-starttls"))
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert text.count("\n  recorded: RSET\n  client:   ") == 3
    assert text.count("No recording has a message: smtp_server is for a client that sends one.") == 3


def test_a_server_that_refuses_is_reported_by_every_client(pytester: pytest.Pytester) -> None:
    test = """
@CLIENTS
def test_refusal(smtp_replay, send):
    with pytest.raises(Exception, match="554|421|5.7.1"):
        send(smtp_replay(RECORDED + "postfix-greeting-554"), tls=False)
"""
    run(pytester, test).assert_outcomes(passed=3)


def test_the_tests_of_the_guide_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "testing-clients.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    file = pytester.makepyfile("\n".join(blocks))
    monkeypatch.chdir(ROOT)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--rootdir", pytester.path, file)
    result.assert_outcomes(passed=3)
