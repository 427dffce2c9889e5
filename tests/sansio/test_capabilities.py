"""The capabilities in EHLO's reply: keywords in any spelling that servers use."""

import pytest

from smtp_sansio import Capabilities, Reply
from tests.sansio.notation import Talk, converse


def offered(*lines: str, over_tls: bool = False) -> Talk:
    """A conversation up to the answer to EHLO, with these lines after the server's name."""
    answer = [f"250-{line}" for line in ("mx.example", *lines)]
    answer[-1] = "250 " + answer[-1][4:]
    hello = "C: EHLO a\n" + "\n".join(f"S: {line}" for line in answer)
    if over_tls:
        return converse(
            f"S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS\nC: STARTTLS\nS: 220\n-- tls\n{hello}"
        )
    return converse(f"S: 220 hi\n{hello}")


def capabilities(*lines: str) -> Capabilities:
    found = offered(*lines).connection.capabilities
    assert found is not None
    return found


def deviations(talk: Talk) -> list[tuple[str, int, int, bytes]]:
    assert isinstance(talk.last, Reply)
    return [(str(d.kind), d.line, d.offset, d.excerpt) for d in talk.last.deviations]


def test_keywords_keep_their_order_and_parameters_their_spelling() -> None:
    found = capabilities("PIPELINING", "SIZE = 1000", "AUTH PLAIN xOAuth2", "X-Odd a=B  c")
    assert found.keywords == (
        ("PIPELINING", ()),
        ("SIZE", ("1000",)),
        ("AUTH", ("PLAIN", "xOAuth2")),
        ("X-ODD", ("a=B", "c")),
    )
    assert list(found) == ["PIPELINING", "SIZE", "AUTH", "X-ODD"]
    assert "SIZE" in found
    assert "size" not in found
    assert "ETRN" not in found
    assert found.parameters("AUTH") == ("PLAIN", "xOAuth2")
    assert found.parameters("ETRN") == ()


def test_the_first_line_is_a_name_and_no_keyword() -> None:
    talk = converse("S: 220 hi\nC: EHLO a\nS: 250 STARTTLS")
    assert talk.connection.capabilities == Capabilities()
    assert deviations(talk) == []


def test_helo_offers_nothing() -> None:
    talk = converse("S: 220 hi\nC: HELO a\nS: 250-a\nS: 250 STARTTLS")
    assert talk.connection.capabilities == Capabilities()


def test_helo_takes_back_what_ehlo_offered() -> None:
    talk = offered("STARTTLS").continue_with("C: HELO a\nS: 250 a")
    assert talk.connection.capabilities == Capabilities()


def test_a_refused_hello_changes_nothing() -> None:
    talk = offered("STARTTLS")
    before = talk.connection.capabilities
    talk.continue_with("C: EHLO a\nS: 550-no\nS: 550 SIZE\nC: HELO a\nS: 450 no")
    assert talk.connection.capabilities == before


def test_the_last_ehlo_counts() -> None:
    talk = offered("SIZE").continue_with("C: EHLO a\nS: 250-a\nS: 250 DSN")
    assert list(talk.connection.capabilities or ()) == ["DSN"]


@pytest.mark.parametrize("line", ["starttls", "StartTLS", "STARTTLs"])
def test_case(line: str) -> None:
    talk = offered(line)
    assert list(talk.connection.capabilities or ()) == ["STARTTLS"]
    assert deviations(talk) == [("ehlo-keyword-case", 2, 16, line.encode())]


def test_a_repeated_keyword_counts_once_with_all_its_parameters() -> None:
    talk = offered("AUTH PLAIN", "SIZE 2000", "AUTH=plain LOGIN", "SIZE 1000")
    found = talk.connection.capabilities or Capabilities()
    assert list(found) == ["AUTH", "SIZE"]
    assert found.parameters("AUTH") == ("PLAIN", "plain", "LOGIN")
    assert found.auth_mechanisms == ("PLAIN", "LOGIN")
    assert found.size == 1000
    assert deviations(talk) == [
        ("ehlo-keyword-syntax", 4, 47, b"AUTH=plain LOGIN"),
        ("ehlo-keyword-repeated", 4, 47, b"AUTH=plain LOGIN"),
        ("ehlo-keyword-repeated", 5, 69, b"SIZE 1000"),
    ]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("AUTH=LOGIN", ("AUTH", ("LOGIN",))),
        ("AUTH=LOGIN PLAIN", ("AUTH", ("LOGIN", "PLAIN"))),
        (" DSN", ("DSN", ())),
        (r"SIZE\t1000", ("SIZE", ("1000",))),
        ("X_ODD", ("X_ODD", ())),
        ("-DSN", ("-DSN", ())),
        (r"caf\xe9", ("CAF\\XE9", ())),
        (r"X a\xe9", ("X", ("a\\xe9",))),
        ("X=a=b", ("X", ("a=b",))),
    ],
)
def test_what_breaks_the_grammar_is_read_all_the_same(line: str, entry: tuple[str, tuple[str, ...]]) -> None:
    talk = offered(line)
    assert (talk.connection.capabilities or Capabilities()).keywords == (entry,)
    assert "ehlo-keyword-syntax" in [kind for kind, _, _, _ in deviations(talk)]


@pytest.mark.parametrize("line", ["", "=", "= x"])
def test_a_line_without_a_keyword_is_noted_and_offers_nothing(line: str) -> None:
    talk = offered(line, "DSN")
    assert list(talk.connection.capabilities or ()) == ["DSN"]
    assert deviations(talk) == [("ehlo-keyword-syntax", 2, 16, line.encode())]


@pytest.mark.parametrize(
    "line", ["DSN", "8BITMIME", "X-A-", "SIZE 1 2", "SIZE  1", "DSN ", "SIZE 1  ", "AUTH !~"]
)
def test_what_keeps_the_grammar_is_not_noted(line: str) -> None:
    assert deviations(offered(line)) == []


@pytest.mark.parametrize(
    ("lines", "size", "unspecified"),
    [
        (("SIZE 10240000",), 10240000, []),
        (("SIZE",), None, [2]),
        (("SIZE 0",), None, [2]),
        (("SIZE 000",), None, [2]),
        (("SIZE 0 0",), None, [2]),
        (("SIZE 0 10",), 10, []),
        (("SIZE=10",), 10, []),
        (("SIZE", "SIZE 10"), 10, [2]),
        (("SIZE 20", "SIZE 0", "SIZE 10"), 10, [3]),
        (("SIZE ten",), None, []),
        (("SIZE -1",), None, []),
        (("SIZE 18446744073709551616",), 2**64, []),
        (("SIZE 184467440737095516160",), None, []),
        (("DSN",), None, []),
    ],
)
def test_size(lines: tuple[str, ...], size: int | None, unspecified: list[int]) -> None:
    talk = offered(*lines)
    assert (talk.connection.capabilities or Capabilities()).size == size
    noted = [line for kind, line, _, _ in deviations(talk) if kind == "size-unspecified"]
    assert noted == unspecified


@pytest.mark.parametrize("number", ["²", "٣", "１"])
def test_size_reads_no_digits_but_ascii(number: str) -> None:
    assert Capabilities((("SIZE", (number,)),)).size is None


def test_starttls_after_tls_is_noted() -> None:
    talk = offered("DSN", "starttls", over_tls=True)
    assert deviations(talk) == [
        ("ehlo-keyword-case", 3, 25, b"starttls"),
        ("starttls-after-tls", 3, 25, b"starttls"),
    ]
    assert deviations(offered("DSN", "STARTTLS")) == []


def test_offsets_hold_where_lines_end_and_begin_oddly() -> None:
    talk = converse(
        r"""
        S: 220 hi
        C: EHLO a
        S: 250-mx.example\n\
        S: lost\r\n\
        S: 250 size 0
        """
    )
    assert deviations(talk) == [
        ("bare-lf", 1, 14, b"250-mx.example\n"),
        ("missing-code", 2, 15, b"lost"),
        ("ehlo-keyword-case", 2, 15, b"lost"),
        ("ehlo-keyword-case", 3, 21, b"size 0"),
        ("size-unspecified", 3, 21, b"size 0"),
    ]
    raw = talk.last.raw
    for _, _, offset, excerpt in deviations(talk)[2:]:
        assert raw[offset:].removeprefix(b"250 ").startswith(excerpt)
