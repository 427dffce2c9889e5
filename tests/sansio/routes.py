"""A conversation that leads to each state, and the commands to try there."""

from smtp_sansio import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls, State
from tests.sansio.notation import Talk, converse

GREETED = "S: 220 hi\n"
READY = GREETED + "C: EHLO a\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250 STARTTLS\n"
MAIL = READY + "C: MAIL FROM:<>\nS: 250 ok\n"

ROUTES: dict[State, str] = {
    State.GREETING: "",
    State.FRESH: GREETED,
    State.READY: READY,
    State.MAIL: MAIL,
    State.RCPT: MAIL + "C: RCPT TO:<postmaster>\nS: 250 ok\n",
    State.TLS: READY + "C: STARTTLS\nS: 220 go\n",
    State.REFUSED: "S: 554 no\n",
    State.QUITTING: GREETED + "C: QUIT\nS: 221 bye\n",
    State.CLOSED: GREETED + "-- eof\n",
    State.ERROR: GREETED + "S: nonsense\n",
}

ONE_OF_EACH: tuple[Command, ...] = (
    Ehlo("a"),
    Helo("a"),
    StartTls(),
    Mail(""),
    Rcpt("postmaster"),
    Rset(),
    Noop(),
    Quit(),
)


def lead_to(state: State) -> Talk:
    talk = converse(ROUTES[state])
    assert talk.connection.state is state
    return talk
