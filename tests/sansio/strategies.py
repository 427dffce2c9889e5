"""Strategies of hypothesis: commands, hostile arguments, octets of servers, and ways to split them."""

from itertools import pairwise
from typing import Any, TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from smtp_sansio import Command, Ehlo, Helo, Mail, Noop, Policy, Quit, Rcpt, Rset, StartTls

# No test here is about time, so none may fail because the machine is busy.
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)

_LETTERS = st.sampled_from("abcXYZ019")


def _text(alphabet: Any, low: int, high: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


LABELS = st.builds(lambda a, b, c: a + b + c, _LETTERS, _text("ab9-_", 0, 61), _LETTERS)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    st.ip_addresses(v=4).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[IPv6:{address}]"),
)
_ATOMS = _text("abz09!#$%&'*+/=?^_`{|}~-", 1, 15)
_QUOTED = _text([chr(c) for c in range(0x20, 0x7F) if chr(c) not in '"\\<>'], 1, 60)
LOCAL_PARTS = st.one_of(
    st.lists(_ATOMS, min_size=1, max_size=3).map(".".join),
    _QUOTED.map(lambda text: f'"{text}"'),
)
MAILBOXES = st.builds(lambda local, host: f"{local}@{host}", LOCAL_PARTS, HOSTS)

COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Ehlo, HOSTS),
    st.builds(Helo, HOSTS),
    st.builds(Mail, st.one_of(st.just(""), MAILBOXES)),
    st.builds(Rcpt, st.one_of(st.sampled_from(["postmaster", "Postmaster"]), MAILBOXES)),
    st.sampled_from([StartTls(), Rset(), Noop(), Quit()]),
)


@st.composite
def hostile_arguments(draw: st.DrawFn) -> str:
    """A good argument with something in it that belongs into no argument of any command."""
    good = draw(st.one_of(HOSTS, MAILBOXES, st.just("postmaster")))
    bad = draw(st.sampled_from([*"\r\n\0<>\\\t\x0b\x1f\x7f\x80\xe9\u2028\u0130", "\r\nDATA\r\n", "> <"]))
    at = draw(st.integers(0, len(good)))
    return good[:at] + bad + good[at:]


_CODES = st.sampled_from(
    [b"220", b"250", b"250", b"250", b"251", b"354", b"421", b"450", b"550", b"000", b"999"]
)
_TEXTS = st.one_of(
    st.sampled_from(
        [
            b"",
            b"ok",
            b"mx.example",
            b"PIPELINING",
            b"STARTTLS",
            b"STARTTLS",
            b"SIZE",
            b"size 0",
            b"AUTH=PLAIN",
        ]
    ),
    st.binary(max_size=12),
    st.integers(0, 700).map(lambda n: b"x" * n),
)
_LINES = st.builds(
    lambda code, separator, text, end: code + separator + text + end,
    _CODES,
    st.sampled_from([b" ", b" ", b" ", b"-", b"-", b"", b"\t"]),
    _TEXTS,
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n", b"\r"]),
)
_EHLO = st.sampled_from(
    [b"250-mx.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"220 go\r\n", b"250 ok\r\n"]
)

OCTETS: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(_LINES, _EHLO), max_size=8).map(b"".join),
    st.lists(st.one_of(_EHLO, _EHLO, _LINES, st.binary(max_size=5)), max_size=8).map(b"".join),
)

# One turn of a conversation: what the server says, what we try to say, and what becomes of a handshake.
Turn: TypeAlias = tuple[bytes, list[Command], str]

_COMMON = st.sampled_from(
    [Ehlo("a"), Helo("a"), StartTls(), StartTls(), Mail(""), Rcpt("postmaster"), Rset(), Quit()]
)
TURNS: st.SearchStrategy[list[Turn]] = st.lists(
    st.tuples(
        OCTETS,
        st.lists(st.one_of(_COMMON, _COMMON, COMMANDS), max_size=4),
        st.sampled_from(["", "", "established", "failed"]),
    ),
    max_size=5,
)
_GREETED: list[Turn] = [(b"220 hi\r\n", [Ehlo("a")], "")]
_READY: list[Turn] = [*_GREETED, (b"250-a\r\n250-PIPELINING\r\n250 STARTTLS\r\n", [], "")]
_GROUP: list[Turn] = [*_READY, (b"", [Mail(""), Rcpt("postmaster"), Rcpt("a@b"), Rset(), Quit()], "")]
_TLS: list[Turn] = [*_READY, (b"", [StartTls()], ""), (b"220 go\r\n", [], "")]
_SECURED: list[Turn] = [*_TLS, (b"", [], "established")]
OPENINGS: st.SearchStrategy[list[Turn]] = st.sampled_from([[], _GREETED, _READY, _GROUP, _TLS, _SECURED])

# Limits so low that they are met, and the usual ones.
POLICIES: st.SearchStrategy[Policy] = st.one_of(
    st.just(Policy()),
    st.just(Policy(strict=True)),
    st.builds(
        Policy,
        strict=st.booleans(),
        max_line=st.integers(1, 60),
        max_reply_lines=st.integers(1, 4),
        max_reply=st.integers(1, 120),
        max_session=st.integers(0, 400),
        max_unsolicited=st.integers(0, 3),
        max_deviations=st.integers(0, 5),
        max_excerpt=st.integers(0, 90),
    ),
)


@st.composite
def splits(draw: st.DrawFn, octets: bytes) -> list[bytes]:
    """The octets in pieces, none of them empty."""
    if not octets:
        return []
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(octets) - 1)), max_size=20)))
    ends = [0, *cuts, len(octets)]
    return [octets[a:b] for a, b in pairwise(ends) if b > a]
