"""The strict policy: what breaks an RFC raises, what is merely unusual does not; one conversation a kind."""

import pytest

from smtp_sansio import DeviationKind, LocalProtocolError, Policy, RemoteProtocolError, State
from tests.sansio.notation import converse
from tests.sansio.routes import READY

OFFER = "S: 220 hi\nC: EHLO a\nS: 250-a\n"

EXAMPLES: dict[DeviationKind, str] = {
    DeviationKind.BARE_LF: "S: 220 hi\\n\\",
    DeviationKind.BARE_CR: "S: 220 h\\ri",
    DeviationKind.CONTROL: "S: 220 h\\0i",
    DeviationKind.NON_ASCII: "S: 220 h\\xefi",
    DeviationKind.LONG_LINE: "S: 220 " + "x" * 507,
    DeviationKind.NO_SEPARATOR: "S: 220",
    DeviationKind.BAD_SEPARATOR: "S: 220hi",
    DeviationKind.MISSING_CODE: "S: 220-hi\nS+ lost\nS+ 220 hi",
    DeviationKind.MIXED_CODES: "S: 220-hi\nS: 250 hi",
    DeviationKind.CODE_OUT_OF_RANGE: "S: 660 hi",
    DeviationKind.UNEXPECTED_CODE: "S: 221 hi",
    DeviationKind.UNEXPECTED_CLASS: "S: 354 hi",
    DeviationKind.UNSOLICITED: "S: 220 hi\nS: 250 late",
    DeviationKind.OUT_OF_SEQUENCE: READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nS: 550 no\nS: 250 ok",
    DeviationKind.KEYWORD_SYNTAX: OFFER + "S: 250 AUTH=PLAIN",
    DeviationKind.STARTTLS_AGAIN: READY
    + "C: STARTTLS\nS: 220 go\n-- tls\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS",
    DeviationKind.KEYWORD_CASE: OFFER + "S: 250 dsn",
    DeviationKind.KEYWORD_REPEATED: OFFER + "S: 250-DSN\nS: 250 DSN",
    DeviationKind.SIZE_UNSPECIFIED: OFFER + "S: 250 SIZE",
}


def test_there_is_an_example_of_each_kind() -> None:
    assert set(EXAMPLES) == set(DeviationKind)


@pytest.mark.parametrize("kind", DeviationKind)
def test_lenient(kind: DeviationKind) -> None:
    talk = converse(EXAMPLES[kind])
    assert talk.error is None
    assert kind in [deviation.kind for deviation in talk.last.deviations]


@pytest.mark.parametrize("kind", [kind for kind in DeviationKind if kind.reference])
def test_strict_about_what_breaks_an_rfc(kind: DeviationKind) -> None:
    lenient = converse(EXAMPLES[kind])
    noted = next(deviation for deviation in lenient.last.deviations if deviation.kind.reference)
    talk = converse(EXAMPLES[kind], Policy(strict=True))
    assert isinstance(talk.error, RemoteProtocolError)
    assert talk.events == lenient.events[:-1]
    assert talk.error.code == f"deviation.{noted.kind}"
    assert str(talk.error) == f"the peer broke {noted.kind.reference}: {noted.kind}"
    assert talk.error.excerpt == noted.excerpt
    assert talk.connection.state is State.ERROR
    with pytest.raises(LocalProtocolError):
        talk.connection.receive_data(b"250 ok\r\n")


@pytest.mark.parametrize("kind", [kind for kind in DeviationKind if not kind.reference])
def test_strict_about_nothing_else(kind: DeviationKind) -> None:
    talk = converse(EXAMPLES[kind], Policy(strict=True))
    assert talk.error is None
    assert talk.events == converse(EXAMPLES[kind]).events


@pytest.mark.parametrize(
    "conversation",
    [
        READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nS: 550 no\nS: 503 no",
        READY + "C: QUIT\nS: 221 bye\n-- eof",
        "S: 554 no\nC: QUIT\nS: 221 bye\n-- eof",
        READY + "C: STARTTLS\nS: 454 later\nC: MAIL FROM:<>\nS: 421 bye\n-- eof",
    ],
)
def test_refusals_and_the_close_are_no_deviations(conversation: str) -> None:
    talk = converse(conversation, Policy(strict=True))
    assert talk.error is None
    assert talk.events == converse(conversation).events
