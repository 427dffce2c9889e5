"""Lists of names, valid and invalid."""

from collections.abc import Iterable

import pytest

from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.input.domain_list import DomainListError, read_domains, read_names
from checker_smtp.scan.input.duplicate_filter import DuplicateFilter
from checker_smtp.scan.politeness.exclusions import Exclusions


def read(*lines: str | bytes, column: str | None = None) -> list[str]:
    return list(read_names([line.encode() if isinstance(line, str) else line for line in lines], column))


def listed(*names: str, stop: Iterable[str] = ()) -> list[DomainScan]:
    seen = DuplicateFilter()
    found = list(read_domains(names, Exclusions(stop), seen.add))
    seen.close()
    return found


def test_a_name_a_line() -> None:
    lines = [
        "\ufeffa.test\r\n",
        "\n",
        "  b.test  \n",
        "# c.test\n",
        "d.test # mail only\n",
        "   \t\n",
        "e.test",
    ]
    assert read(*lines) == ["a.test", "b.test", "d.test", "e.test"]


def test_a_column_of_a_csv() -> None:
    lines = [
        '\ufeff"id", domain ,note\r\n',
        "1,a.test,\r\n",
        '2," b.test ","said ""no"""\r\n',
        '3,c.test,"two\n',
        'lines"\r\n',
        "\r\n",
        "4\r\n",
        "5,\r\n",
        "6,# d.test,x\r\n",
        "7,e.test",
    ]
    assert read(*lines, column="domain") == ["a.test", "b.test", "c.test", "e.test"]


@pytest.mark.parametrize("head", ["id,name\n", "\n", ""])
def test_a_missing_column(head: str) -> None:
    with pytest.raises(DomainListError, match=r"no column 'domain': its first line names (id, name|none)$"):
        read(head, "1,a.test\n", column="domain")


@pytest.mark.parametrize(
    ("line", "names_read"),
    [
        (b"3,c\rd,e\n", ["3,c\rd,e"]),
        (b'"3"x,c.test\n', ['"3"x,c.test']),
        # one cell, and not the one that is asked for
        (b"x" * 200_000 + b"\n", []),
    ],
    ids=["a bare CR", "a stray quotation mark", "huge"],
)
def test_a_line_that_is_not_csv_is_one_invalid_name(line: bytes, names_read: list[str]) -> None:
    names = read("id,domain\n", "1,a.test\n", line, "9,b.test\n", column="domain")
    assert names == ["a.test", *names_read, "b.test"]


@pytest.mark.parametrize(
    ("opening", "others", "closing"),
    [
        ('2,"b.test', 20_000, ""),
        ('2,"b.test', 1, ""),
        # closed by the next one, or within the text that follows it
        ('2,"b.test', 20_000, '9,"z.test'),
        ('2,"b.test', 3, '9,z.test"'),
        ('2,"b.test', 3, '9,"z.test"'),
        ('"2,b.test', 40, '9,z.test"'),
    ],
)
def test_a_quotation_mark_that_is_left_open_is_an_error_with_its_line(
    opening: str, others: int, closing: str
) -> None:
    lines = [opening, *(f"{n},d{n}.test" for n in range(others)), closing]
    with pytest.raises(DomainListError) as raised:
        read("id,domain\n", "1,a.test\n", *(f"{line}\n" for line in lines), column="domain")
    assert str(raised.value) == (
        "line 3 of the list opens a quotation mark that is not closed within 253 characters: "
        "close it, or double a quotation mark that is part of the text"
    )


def test_a_quotation_mark_is_closed_in_the_last_place_allowed() -> None:
    rows = ["domain,note\n", 'a.test,"one\n', "x" * 251 + '"\n', "b.test,\n"]
    assert read(*rows, column="domain") == ["a.test", "b.test"]
    with pytest.raises(DomainListError, match="line 2 of the list"):
        read(rows[0], rows[1], "x" + rows[2], column="domain")


@pytest.mark.parametrize("column", [None, "domain"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_list_in_utf_16_is_refused(encoding: str, column: str | None) -> None:
    lines = "domain\na.test\nb.test\n".encode(encoding).splitlines(keepends=True)
    with pytest.raises(DomainListError) as raised:
        read(*lines, column=column)
    assert str(raised.value) == (
        "the list is in UTF-16: give it in UTF-8, as made by: iconv -f UTF-16 -t UTF-8 LIST"
    )


def test_a_huge_line_is_one_invalid_name_and_cut() -> None:
    (name,) = read(b"x" * 10_000_000)
    assert len(name) <= 4096
    (domain,) = listed(name)
    assert domain.not_checked == "bad-name"
    assert len(domain.name) <= 300
    assert len(domain.reason) < 300


@pytest.mark.parametrize(
    "octets",
    [b"a\0.test", b"abc\0", bytes(range(128, 256)), b"\x1b[31mred.test", b"\xed\xa0\x80"],
)
def test_octets_that_are_not_text_are_an_invalid_name(octets: bytes) -> None:
    (domain,) = listed(*read(octets + b"\n"))
    assert domain.not_checked == "bad-name"
    assert domain.reason.isprintable()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a..test", "is not a host name"),
        ("postmaster@a.test", "is an e-mail address"),
        ("http://a.test/", "is a URL"),
        ("192.0.2.1", "is an IP address"),
        ("a b.test", "contains a space"),
        ("x" * 64 + ".test", "is too long"),
        (".", "is not a host name"),
    ],
)
def test_a_bad_name_says_why(name: str, reason: str) -> None:
    (domain,) = listed(name)
    assert (domain.name, domain.not_checked) == (name, "bad-name")
    assert reason in domain.reason


def test_each_name_once_in_any_spelling() -> None:
    names = [
        "a.test",
        "A.Test",
        "a.test.",
        "bücher.test",
        "xn--bcher-kva.test",
        "BÜCHER.test",
        "b",
        "b..",
        "b..",
    ]
    assert [domain.name for domain in listed(*names)] == ["a.test", "xn--bcher-kva.test", "b", "b.."]


def test_exclusions() -> None:
    names = ["stop.test", "a.stop.test", "nonstop.test", "b.test", "xn--bcher-kva.test"]
    stop = ["Stop.Test.", "*.b.test", "bücher.test", "192.0.2.0/24"]
    found = listed(*names, stop=stop)
    assert [domain.name for domain in found if not domain.not_checked] == ["nonstop.test"]
    assert found[1].not_checked == "stop-list"
    assert found[1].reason == "a.stop.test is on the stop list of this scan"


def test_many_different_names() -> None:
    seen = DuplicateFilter()
    assert all(seen.add(f"d{n}.test") for n in range(20_000))
    assert not any(seen.add(f"d{n}.test") for n in range(20_000))
    seen.close()


def test_no_room_for_the_duplicate_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = DuplicateFilter()
    seen._database.execute("PRAGMA max_page_count = 10")
    with pytest.raises(OSError, match="no room for temporary files"):
        [seen.add(f"d{n}.test") for n in range(20_000)]
    seen.close()
