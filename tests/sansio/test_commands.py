"""Commands: what can be said, that nothing else can, and that no argument can carry anything else along."""

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smtp_sansio
from smtp_sansio import (
    Command,
    Connection,
    Ehlo,
    Helo,
    LocalProtocolError,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
)
from tests.sansio.notation import converse
from tests.sansio.strategies import COMMANDS, hostile_arguments, steady

VERBS = {"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "NOOP", "QUIT"}

WITH_NAME: list[type[Ehlo | Helo]] = [Ehlo, Helo]
WITH_MAILBOX: list[type[Mail | Rcpt]] = [Mail, Rcpt]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (Ehlo("probe.example"), "EHLO probe.example"),
        (Ehlo("[192.0.2.1]"), "EHLO [192.0.2.1]"),
        (Ehlo("[IPv6:2001:db8::1]"), "EHLO [IPv6:2001:db8::1]"),
        (Ehlo("_odd-name.example"), "EHLO _odd-name.example"),
        (Helo("localhost"), "HELO localhost"),
        (StartTls(), "STARTTLS"),
        (Mail(""), "MAIL FROM:<>"),
        (Mail("a@b.example"), "MAIL FROM:<a@b.example>"),
        (
            Mail("o'brien+x!#$%&*/=?^_`{|}~-y.z@b.example"),
            "MAIL FROM:<o'brien+x!#$%&*/=?^_`{|}~-y.z@b.example>",
        ),
        (Rcpt("postmaster"), "RCPT TO:<postmaster>"),
        (Rcpt("PostMaster"), "RCPT TO:<PostMaster>"),
        (Rcpt("a@[192.0.2.1]"), "RCPT TO:<a@[192.0.2.1]>"),
        (Rcpt('"a b;c@d?"@e.example'), 'RCPT TO:<"a b;c@d?"@e.example>'),
        (Rset(), "RSET"),
        (Noop(), "NOOP"),
        (Quit(), "QUIT"),
    ],
)
def test_lines(command: Command, line: str) -> None:
    assert command.line == line


def test_the_commands_are_these_eight() -> None:
    assert set(get_args(Command)) == {Ehlo, Helo, StartTls, Mail, Rcpt, Rset, Noop, Quit}


def test_nothing_public_speaks_of_messages_or_credentials() -> None:
    names = " ".join(smtp_sansio.__all__).lower()
    assert not any(word in names for word in ("data", "bdat", "auth", "login", "password"))


@steady
@given(COMMANDS)
def test_a_line_begins_with_an_allowed_verb_and_is_one_line_of_ascii(command: Command) -> None:
    assert command.line.partition(" ")[0] in VERBS
    assert command.line.isascii()
    assert command.line.isprintable()
    assert len(command.line) <= 510  # RFC 5321 §4.5.3.1.4, less CRLF
    path = command.line.partition("<")[2]
    assert path.count(">") == path.count("<") + bool(path)


@steady
@given(COMMANDS)
def test_commands_are_frozen(command: Command) -> None:
    for name in ("line", "extra", *(field.name for field in dataclasses.fields(command))):
        with pytest.raises((AttributeError, TypeError)):
            setattr(command, name, "DATA")
    assert hash(command) == hash(dataclasses.replace(command))


@steady
@given(hostile_arguments())
def test_metacharacters_die_in_the_constructor(argument: str) -> None:
    """The strategy puts at least one character no argument may have into an otherwise good one."""
    for build in (*WITH_NAME, *WITH_MAILBOX):
        with pytest.raises(LocalProtocolError):
            build(argument)


@steady
@given(st.text(max_size=40))
def test_any_text_is_refused_or_said_as_it_is(text: str) -> None:
    for build in (*WITH_NAME, *WITH_MAILBOX):
        try:
            line = build(text).line
        except LocalProtocolError:
            continue
        assert text in line
        assert line.isascii()
        assert line.isprintable()


@pytest.mark.parametrize("build", WITH_NAME)
@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a\n",
        "a\r\nDATA",
        "a\0",
        "bücher.example",
        "a/b",
        "a:b",
        "x" * 64,
        "a." * 127 + "bc",
        "[192.0.2]",
        "[192.0.2.1",
        "192.0.2.1]",
        "[IPv6:]",
        "[IPv6:g::1]",
        "[192.0.2.1]\n",
        "[a.example]",
    ],
)
def test_bad_names(build: type[Ehlo | Helo], name: str) -> None:
    with pytest.raises(LocalProtocolError, match="takes a host name or an address literal") as caught:
        build(name)
    assert caught.value.code == "argument.name"
    assert build.__name__.upper() in str(caught.value)


@pytest.mark.parametrize("build", WITH_MAILBOX)
@pytest.mark.parametrize(
    "mailbox",
    [
        " ",
        "a",
        "@b.example",
        "a@",
        "a@b@c.example",
        "a b@c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a@b..c",
        "a@b.example\n",
        "a@b.example>\r\nDATA\r\n<",
        "<a@b.example>",
        "a>@b.example",
        "a@b.example> SIZE=1",
        '"a\\"b"@c.example',
        '"a<b"@c.example',
        '"a>b"@c.example',
        '""@c.example',
        '"a@c.example',
        "@relay.example:a@b.example",
        "é@b.example",
        "a\0@b.example",
        "a" * 65 + "@b.example",
        '"' + "a" * 63 + '"@b.example',
        "a@" + "b." * 127 + "cd",
        "postmaster\n",
        "postmaste",
    ],
)
def test_bad_mailboxes(build: type[Mail | Rcpt], mailbox: str) -> None:
    with pytest.raises(LocalProtocolError, match="takes local-part@domain") as caught:
        build(mailbox)
    assert caught.value.code == "argument.mailbox"
    assert build.__name__.upper() in str(caught.value)


def test_only_a_recipient_may_be_a_bare_postmaster_and_only_a_sender_empty() -> None:
    for build, argument in ((Mail, "postmaster"), (Rcpt, "")):
        with pytest.raises(LocalProtocolError):
            build(argument)


def test_the_longest_arguments_are_taken() -> None:
    domain = "b." * 127 + "c"
    assert len(domain) == 255
    assert Ehlo(domain).name == domain
    assert Ehlo("x" * 63).name == "x" * 63
    assert Mail("a" * 64 + "@" + domain).sender == "a" * 64 + "@" + domain
    assert Rcpt('"' + "a" * 62 + '"@b').recipient == '"' + "a" * 62 + '"@b'


@dataclasses.dataclass(frozen=True)
class Data:
    """A command type that is not in the package."""

    line: str = "DATA"


class Disguised(Noop):
    """Or one that passes for another."""

    line = "AUTH PLAIN AGEAYg=="


@pytest.mark.parametrize("command", [Data(), Disguised()])
@pytest.mark.parametrize("conversation", ["", "S: 220 hi", "S: 220 hi\nC: HELO a\nS: 250 a"])
def test_a_connection_says_no_command_from_elsewhere(command: Noop, conversation: str) -> None:
    connection: Connection = converse(conversation).connection
    with pytest.raises(LocalProtocolError) as caught:
        connection.send(command)
    assert caught.value.code == "state.command"
    assert connection.outstanding == ()
