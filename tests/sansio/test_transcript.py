"""The record of a session: the form of its lines, and that reading returns the entries written."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_sansio import (
    Certificate,
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Secured,
    Send,
    Transcript,
    Upgrade,
)
from tests.sansio.strategies import steady

WRITTEN = r"""
{"do": "connect", "host": "192.0.2.7", "port": 25, "at": 0.031}
{"do": "receive", "got": "220 mx.example caf\u00e9\u0000\r\n", "at": 0.094}
{"do": "send", "data": "EHLO probe.example\r\n", "at": 0.094}
{"do": "receive", "got": "", "at": 1.5}
{"do": "upgrade", "server_name": "mx.example", "version": "TLSv1.3", "cipher": "X", "at": 2.0}
{"do": "upgrade", "server_name": "", "version": "TLSv1.3", "cipher": "X", "at": 2.0, "certificate": {"sha256": "0f", "dns_names": ["a.example", "caf\u00e9"], "omitted_names": 3, "not_after": "2050-01-01T00:00:00Z", "self_issued": false}}
{"do": "upgrade", "server_name": "", "failed": "tls", "detail": "alert \u00e9", "at": 2.0}
{"do": "receive", "failed": "timeout", "at": 12.094}
""".lstrip()  # noqa: E501

CERTIFICATE = Certificate(
    sha256="0f",
    dns_names=("a.example", "café"),
    omitted_names=3,
    not_after="2050-01-01T00:00:00Z",
    self_issued=False,
)
PAIRS: list[tuple[Effect, Outcome]] = [
    (Connect("192.0.2.7", 25, 12), Done(0.031)),
    (Receive(12), Received(0.094, b"220 mx.example caf\xe9\0\r\n")),
    (Send(b"EHLO probe.example\r\n", 12), Done(0.094)),
    (Receive(12), Received(1.5, b"")),
    (Upgrade("mx.example", 12), Secured(2.0, "TLSv1.3", "X")),
    (Upgrade("", 12), Secured(2.0, "TLSv1.3", "X", CERTIFICATE)),
    (Upgrade("", 12), Failed(2.0, FailureKind.TLS, "alert é")),
    (Receive(12), Failed(12.094, FailureKind.TIMEOUT)),
]


def written(pairs: list[tuple[Effect, Outcome]]) -> Transcript:
    transcript = Transcript()
    for pair in pairs:
        transcript.note(*pair)
    return transcript


def test_the_form() -> None:
    assert written(PAIRS).dumps() == WRITTEN
    lines = [json.loads(line) for line in WRITTEN.splitlines()]
    assert lines[5].pop("certificate")
    assert [dict(entry) for entry in written(PAIRS).entries()] == lines


def test_reading_it_back() -> None:
    transcript = Transcript.loads(WRITTEN)
    assert len(transcript) == len(PAIRS)
    assert list(transcript) == [(replace(effect, timeout=0), outcome) for effect, outcome in PAIRS]


def test_nothing() -> None:
    assert Transcript().dumps() == ""
    assert len(Transcript.loads("")) == 0
    assert Transcript().entries() == ()


TIMES = st.floats(0, 1e6)
WORDS = st.text(max_size=20)
CERTIFICATES = st.none() | st.builds(
    Certificate,
    sha256=WORDS,
    common_name=WORDS,
    dns_names=st.lists(WORDS, max_size=2).map(tuple),
    omitted_names=st.integers(0, 9),
    issuer=WORDS,
    not_before=WORDS,
    not_after=WORDS,
    self_issued=st.sampled_from([None, True, False]),
    note=WORDS,
)
FAILURES = st.builds(Failed, TIMES, st.sampled_from(FailureKind), WORDS)
ENTRIES: st.SearchStrategy[tuple[Effect, Outcome]] = st.one_of(
    st.tuples(
        st.builds(Connect, WORDS, st.integers(0, 65535), st.just(0)),
        st.one_of(st.builds(Done, TIMES), FAILURES),
    ),
    st.tuples(st.builds(Send, st.binary(), st.just(0)), st.one_of(st.builds(Done, TIMES), FAILURES)),
    st.tuples(st.just(Receive(0)), st.one_of(st.builds(Received, TIMES, st.binary()), FAILURES)),
    st.tuples(
        st.builds(Upgrade, WORDS, st.just(0)),
        st.one_of(st.builds(Secured, TIMES, WORDS, WORDS, CERTIFICATES), FAILURES),
    ),
)


@steady
@given(st.lists(ENTRIES, max_size=5))
def test_round_trip(pairs: list[tuple[Effect, Outcome]]) -> None:
    text = written(pairs).dumps()
    assert text.isascii()
    assert text.count("\n") == len(pairs)
    assert list(Transcript.loads(text)) == pairs
    assert Transcript.loads(text).dumps() == text


SECURED = '{"do": "upgrade", "server_name": "", "version": "", "cipher": "", "at": 0'
GOOD = '{"do": "receive", "got": "220 hi\\r\\n", "at": 0.1}'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "[" * 100_000,
        "[]",
        '"receive"',
        "null",
        "{}",
        '{"do": "dance", "at": 0}',
        '{"do": null, "at": 0}',
        '{"do": "receive", "got": "x"}',
        '{"do": "receive", "at": 0}',
        '{"do": "receive", "got": 1, "at": 0}',
        '{"do": "receive", "got": "\\u0100", "at": 0}',
        '{"do": "receive", "got": "x", "at": "soon"}',
        '{"do": "receive", "got": "x", "at": null}',
        '{"do": "receive", "got": "x", "at": 1' + "0" * 400 + "}",
        '{"do": "receive", "failed": "badly", "at": 0}',
        '{"do": "receive", "failed": "other", "detail": 1, "at": 0}',
        '{"do": "send", "at": 0}',
        '{"do": "send", "data": "\\u20ac", "at": 0}',
        '{"do": "connect", "host": "192.0.2.7", "at": 0}',
        '{"do": "connect", "host": null, "port": 25, "at": 0}',
        '{"do": "connect", "host": "192.0.2.7", "port": "25", "at": 0}',
        '{"do": "connect", "host": "192.0.2.7", "port": 25.5, "at": 0}',
        '{"do": "connect", "host": "192.0.2.7", "port": Infinity, "at": 0}',
        '{"do": "upgrade", "version": "x", "cipher": "x", "at": 0}',
        '{"do": "upgrade", "server_name": 1, "version": "x", "cipher": "x", "at": 0}',
        '{"do": "upgrade", "server_name": "x", "cipher": "x", "at": 0}',
        '{"do": "upgrade", "server_name": "x", "version": "x", "cipher": null, "at": 0}',
        '{"do": "upgrade", "server_name": "x", "version": 1.3, "cipher": "x", "at": 0}',
        *(
            f'{SECURED}, "certificate": {c}}}'
            for c in (
                "null",
                '"0f"',
                "{}",
                '{"sha256": 1}',
                '{"sha256": "0f", "dns_names": "mx.example"}',
                '{"sha256": "0f", "dns_names": [1]}',
                '{"sha256": "0f", "omitted_names": "1"}',
                '{"sha256": "0f", "self_issued": "no"}',
                '{"sha256": "0f", "self_issued": 1}',
            )
        ),
    ],
)
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 3 is no transcript entry: ") as caught:
        Transcript.loads(f"{GOOD}\n{GOOD}\n{line}\n{GOOD}\n")
    assert caught.value.__cause__ is not None


def test_a_failure_without_a_word_has_no_detail() -> None:
    transcript = Transcript()
    transcript.note(Receive(1), Failed(12.0, FailureKind.TIMEOUT))
    assert transcript.entries() == ({"do": "receive", "failed": "timeout", "at": 12.0},)
    assert list(Transcript.loads(transcript.dumps())) == [(Receive(0), Failed(12.0, FailureKind.TIMEOUT))]


def reads(number: int, data: bytes = b"x") -> list[tuple[Effect, Outcome]]:
    return [(Receive(0), Received(at / 10, data)) for at in range(number)]


@pytest.mark.parametrize("number", [64, 65])
def test_reads_up_to_the_limit_have_an_entry_each(number: int) -> None:
    transcript = written(reads(number))
    assert list(transcript) == reads(number)
    assert "reads" not in transcript.dumps()


def test_reads_past_the_limit_are_joined_with_their_number_and_times() -> None:
    transcript = written(reads(200, b"\xff"))
    assert len(transcript) == 65
    assert list(transcript)[:64] == reads(64, b"\xff")
    last = {"do": "receive", "got": "\xff" * 136, "reads": 136, "first": 6.4, "at": 19.9}
    assert transcript.entries()[-1] == last
    assert json.loads(transcript.dumps().splitlines()[-1]) == last


@pytest.mark.parametrize(
    "between",
    [
        (Send(b"EHLO a\r\n", 0), Done(9.0)),
        (Receive(0), Received(9.0, b"")),
        (Receive(0), Failed(9.0, FailureKind.TIMEOUT)),
    ],
    ids=["command", "end-of-stream", "failure"],
)
def test_only_reads_in_a_row_are_joined(between: tuple[Effect, Outcome]) -> None:
    transcript = written([*reads(64), between, *reads(70)])
    assert len(transcript) == 64 + 1 + 65
    assert list(transcript)[64] == between


def test_a_transcript_that_was_read_in_between_goes_on() -> None:
    transcript = written(reads(70))
    assert transcript.entries()[-1]["reads"] == 6
    for pair in reads(4):
        transcript.note(*pair)
    assert len(transcript) == 65
    assert transcript.entries()[-1] | {"reads": 10, "first": 6.4, "at": 0.3} == transcript.entries()[-1]


def test_joined_reads_are_read_back_and_joined_no_further() -> None:
    text = written([*reads(200), (Send(b"QUIT\r\n", 0), Done(20.0))]).dumps()
    assert Transcript.loads(text).dumps() == text


def test_a_record_of_single_reads_is_joined_as_it_is_read() -> None:
    line = '{"do": "receive", "got": "x", "at": 1.5}\n'
    assert (
        Transcript.loads(line * 1000).dumps() == written([(Receive(0), Received(1.5, b"x"))] * 1000).dumps()
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"do": "receive", "got": "x", "reads": 2, "at": 1.0}',
        '{"do": "receive", "got": "x", "reads": 0, "first": 1.0, "at": 1.0}',
        '{"do": "receive", "got": "x", "reads": "2", "first": 1.0, "at": 1.0}',
        '{"do": "receive", "got": "x", "reads": 2, "first": "soon", "at": 1.0}',
    ],
)
def test_joined_reads_that_cannot_be(line: str) -> None:
    with pytest.raises(ValueError, match="line 1 is no transcript entry"):
        Transcript.loads(line)


def test_a_line_that_begins_with_a_hash_is_a_comment() -> None:
    lines = '# from another program\n{"do": "receive", "failed": "timeout", "at": 12.0}\n# the end\n'
    assert list(Transcript.loads(lines)) == [(Receive(0), Failed(12.0, FailureKind.TIMEOUT))]
    with pytest.raises(ValueError, match="line 2 is no transcript entry"):
        Transcript.loads("# a comment\n # none\n")
