"""Every state, command and class of reply: the cell written here, or a refusal that changes nothing."""

import ast
from itertools import product
from pathlib import Path

import pytest

import smtp_sansio
from smtp_sansio import (
    Command,
    ConnectionClosed,
    LocalProtocolError,
    Mail,
    Quit,
    Rcpt,
    RemoteProtocolError,
    State,
)
from smtp_sansio._state import GROUPABLE, TABLE, SessionState
from tests.sansio.notation import converse
from tests.sansio.routes import ONE_OF_EACH, ROUTES, lead_to

# Written by hand and on purpose not made from the code: next on 2yz / otherwise; "." stays, "-" is refused.
EXPECTED = """
          banner         EHLO     HELO     STARTTLS MAIL     RCPT     RSET     NOOP  QUIT
GREETING  FRESH/REFUSED  -        -        -        -        -        -        -     -
FRESH     -              READY/.  READY/.  -        -        -        ./.      ./.   QUITTING/QUITTING
READY     -              READY/.  READY/.  TLS/.    MAIL/.   -        ./.      ./.   QUITTING/QUITTING
MAIL      -              READY/.  READY/.  -        -        RCPT/.   READY/.  ./.   QUITTING/QUITTING
RCPT      -              READY/.  READY/.  -        -        ./.      READY/.  ./.   QUITTING/QUITTING
TLS       -              -        -        -        -        -        -        -     -
REFUSED   -              -        -        -        -        -        -        -     QUITTING/QUITTING
QUITTING  -              -        -        -        -        -        -        -     -
CLOSED    -              -        -        -        -        -        -        -     -
ERROR     -              -        -        -        -        -        -        -     -
"""


def expected() -> dict[tuple[State, str], tuple[State, State] | None]:
    header, *rows = EXPECTED.strip().splitlines()
    cells: dict[tuple[State, str], tuple[State, State] | None] = {}
    for row in rows:
        name, *written = row.split()
        state = State(name)
        for column, cell in zip(header.split(), written, strict=True):
            yes, _, no = cell.partition("/")
            cells[state, column] = (
                None
                if cell == "-"
                else (state if yes == "." else State(yes), state if no == "." else State(no))
            )
    return cells


CELLS = expected()


def test_the_table_is_the_one_written_here() -> None:
    columns = {None: "banner"} | {type(command): command.line.split()[0] for command in ONE_OF_EACH}
    assert set(TABLE) == set(State)
    assert {(s, columns[k]): cell for s, row in TABLE.items() for k, cell in row.items()} == {
        key: cell for key, cell in CELLS.items() if cell is not None
    }
    assert {type(command) for command in ONE_OF_EACH} > GROUPABLE


@pytest.mark.slow
@pytest.mark.parametrize("command", ONE_OF_EACH, ids=lambda command: command.line.split()[0])
def test_all_triples(command: Command) -> None:
    for state, code in product(State, [150, 250, 259, 299, 350, 450, 459, 550, 559, 0, 99, 999]):
        check_triple(state, command, code)


def check_triple(state: State, command: Command, code: int) -> None:
    talk = lead_to(state)
    connection = talk.connection
    cell = CELLS[state, command.line.split()[0]]
    before = (state, connection.outstanding, connection.capabilities, connection.has_unread)
    if cell is None:
        with pytest.raises(LocalProtocolError) as refused:
            connection.send(command)
        assert refused.value.code == "state.command"
        assert str(state) in str(refused.value)
        assert command.line.split()[0] in str(refused.value)
        assert before == (
            connection.state,
            connection.outstanding,
            connection.capabilities,
            connection.has_unread,
        )
        return
    assert connection.send(command) == command.line.encode() + b"\r\n"
    assert (connection.state, connection.outstanding) == (state, (command,))
    talk.hear(b"%03d answer\r\n" % code)
    assert connection.state is (cell[0] if 200 <= code <= 299 else cell[1])
    assert connection.outstanding == ()
    assert getattr(talk.last, "command", None) == command


@pytest.mark.parametrize(("code", "state"), [(c, State.FRESH) for c in (200, 220, 299)])
def test_a_banner_of_class_2_greets(code: int, state: State) -> None:
    assert converse(f"S: {code} hi").connection.state is state


@pytest.mark.parametrize("code", [0, 199, 300, 354, 421, 450, 521, 554, 999])
def test_any_other_banner_refuses(code: int) -> None:
    assert converse(f"S: {code:03d} hi").connection.state is State.REFUSED


OPEN = [State.FRESH, State.READY, State.MAIL, State.RCPT, State.REFUSED]


@pytest.mark.parametrize(
    ("state", "command"),
    [(s, c) for s in OPEN for c in ONE_OF_EACH if CELLS[s, c.line.split()[0]] is not None],
)
def test_421_leaves_only_quit(state: State, command: Command) -> None:
    talk = lead_to(state)
    talk.connection.send(command)
    talk.hear(b"421 closing\r\n")
    if isinstance(command, Quit):
        assert talk.connection.state is State.QUITTING
        return
    assert talk.connection.state is State.REFUSED
    with pytest.raises(LocalProtocolError):
        talk.connection.send(Mail(""))
    talk.continue_with("C: QUIT\nS: 221 bye")
    assert talk.connection.state is State.QUITTING


@pytest.mark.parametrize("state", OPEN)
def test_421_that_nobody_asked_for_leaves_only_quit_too(state: State) -> None:
    talk = lead_to(state)
    talk.continue_with("S: 421 shutting down")
    assert talk.connection.state is State.REFUSED
    with pytest.raises(LocalProtocolError):
        talk.connection.send(Rcpt("postmaster"))
    assert talk.connection.send(Quit()) == b"QUIT\r\n"


@pytest.mark.parametrize("state", [*OPEN, State.QUITTING])
def test_anything_else_that_nobody_asked_for_moves_nothing(state: State) -> None:
    for code in (220, 250, 420, 422, 521, 550):
        assert lead_to(state).continue_with(f"S: {code} late").connection.state is state


def test_421_after_quit_does_not_bring_quit_back() -> None:
    talk = lead_to(State.QUITTING).continue_with("S: 421 closing")
    assert talk.connection.state is State.QUITTING
    with pytest.raises(LocalProtocolError):
        talk.connection.send(Quit())


@pytest.mark.parametrize("state", [s for s in State if s not in (State.CLOSED, State.ERROR)])
def test_the_end_of_the_stream_closes(state: State) -> None:
    talk = lead_to(state)
    talk.hear(b"")
    assert talk.events[-1] == ConnectionClosed((), b"")
    assert talk.connection.state is State.CLOSED


@pytest.mark.parametrize(
    "state", [s for s in State if s not in (State.TLS, State.CLOSED, State.ERROR)], ids=str
)
def test_nonsense_is_an_error(state: State) -> None:
    talk = lead_to(state)
    talk.hear(b"nonsense\r\n")
    assert isinstance(talk.error, RemoteProtocolError)
    assert talk.connection.state is State.ERROR


@pytest.mark.parametrize("state", [s for s in State if s is not State.TLS])
def test_there_is_no_handshake_outside_tls(state: State) -> None:
    connection = lead_to(state).connection
    for handshake in (connection.tls_established, connection.tls_failed):
        with pytest.raises(LocalProtocolError) as refused:
            handshake()
        assert refused.value.code == "state.no-handshake"
        assert str(state) in str(refused.value)
        assert connection.state is state
    assert not connection.tls_active


def test_each_state_is_reached_by_conversation() -> None:
    assert set(ROUTES) == set(State)


def test_only_the_state_module_writes_a_state() -> None:
    writers = {
        path.name
        for path in Path(smtp_sansio.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if node.attr in SessionState.__slots__
    }
    assert writers == {"_state.py"}, "call a method of SessionState instead of setting its attributes"
