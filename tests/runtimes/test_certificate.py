"""The fields of certificates, good, odd and hostile. Nothing that a server shows may raise an error."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.backends.transport import certificate as module
from checker_smtp.backends.transport.certificate import MAX_DER, MAX_NAMES, MAX_TEXT, parse_certificate
from smtp_sansio import Certificate, Secured, Transcript, Upgrade
from tests.runtimes.certificates import GENERALIZED_TIME, UTC_TIME, crafted, issued, sequence, tlv


def test_a_certificate_of_an_authority() -> None:
    der = issued("mx.test", "*.mx.test", issuer="Authority, Inc.")
    assert parse_certificate(der) == Certificate(
        sha256=sha256(der).hexdigest(),
        common_name="mx.test",
        dns_names=("mx.test", "*.mx.test"),
        issuer=r"CN=Authority\, Inc.,C=NL",
        not_before="2026-01-01T00:00:00Z",
        not_after="2027-01-01T00:00:00Z",
        self_issued=False,
    )


def test_a_self_signed_one_without_names() -> None:
    found = parse_certificate(issued())
    assert (found.self_issued, found.dns_names, found.note) == (True, (), "")


def test_no_common_name() -> None:
    found = parse_certificate(issued("mx.test", subject=""))
    assert (found.common_name, found.dns_names, found.issuer) == ("", ("mx.test",), "C=NL")


def test_many_names_are_counted() -> None:
    found = parse_certificate(issued(*(f"mx{n}.test" for n in range(MAX_NAMES + 5))))
    assert found.dns_names == tuple(f"mx{n}.test" for n in range(MAX_NAMES))
    assert found.omitted_names == 5


@pytest.mark.parametrize(
    ("element", "text"),
    [
        (tlv(0x0C, "Büro 東京".encode()), "Büro 東京"),
        (tlv(0x0C, b"B\xfcro"), r"B\xfcro"),
        (tlv(0x13, b"B\xfcro"), r"B\xfcro"),
        (tlv(0x14, b"B\xfcro"), "Büro"),
        (tlv(0x1E, "東京".encode("utf-16-be")), "東京"),
        (tlv(0x1E, b"\xd8\x00\x00a"), r"\xd8\x00a"),
        (tlv(0x1C, "東".encode("utf-32-be")), "東"),
        (tlv(0x1C, b"\x00\x20\x00\x00"), r"\x00\x20\x00\x00"),
        (tlv(0x02, b"\x05"), "#05"),
        (tlv(0x0C, b""), ""),
        (tlv(0x0C, b"a" * 300), "a" * (MAX_TEXT - 1) + "…"),
    ],
)
def test_text_of_any_type(element: bytes, text: str) -> None:
    assert parse_certificate(crafted(subject=element)).common_name == text


@pytest.mark.parametrize(
    ("text", "issuer"),
    [
        ("x,CN=mx.test", r"CN=x\,CN=mx.test"),
        ('a+b"c\\d<e>f;', r"CN=a\+b\"c\\d\<e\>f\;"),
        (" a b ", r"CN=\ a b\ "),
        ("#1#", r"CN=\#1#"),
    ],
)
def test_special_characters_of_a_name_are_escaped(text: str, issuer: str) -> None:
    assert parse_certificate(crafted(subject=tlv(0x0C, text.encode()))).issuer == issuer


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        ("2a864886f70d010901", "emailAddress"),
        ("0992268993f22c640119", "DC"),
        ("883703", "2.999.3"),
        ("2b0601", "1.3.6.1"),
        ("0105", "0.1.5"),
    ],
)
def test_types_of_attributes(octets: str, kind: str) -> None:
    found = parse_certificate(crafted(attribute=tlv(0x06, bytes.fromhex(octets))))
    assert (found.issuer, found.common_name) == (f"{kind}=mx.test", "")


@pytest.mark.parametrize(
    ("element", "time"),
    [
        (tlv(UTC_TIME, b"491231235959Z"), "2049-12-31T23:59:59Z"),
        (tlv(UTC_TIME, b"500101000000Z"), "1950-01-01T00:00:00Z"),
        (tlv(GENERALIZED_TIME, b"20500101000000Z"), "2050-01-01T00:00:00Z"),
        (tlv(GENERALIZED_TIME, b"99991231235959Z"), "9999-12-31T23:59:59Z"),
        (tlv(GENERALIZED_TIME, b"00010101000000Z"), "0001-01-01T00:00:00Z"),
    ],
)
def test_times(element: bytes, time: str) -> None:
    found = parse_certificate(crafted(b"mx.test", until=element))
    assert (found.not_after, found.dns_names) == (time, ("mx.test",))


@pytest.mark.parametrize(
    "element",
    [
        tlv(UTC_TIME, b"260230000000Z"),
        tlv(UTC_TIME, b"2601010000Z"),
        tlv(UTC_TIME, b"260101000000+0100"),
        tlv(UTC_TIME, "２６0101000000Z".encode()),
        tlv(UTC_TIME, b"20260101000000Z"),
        tlv(GENERALIZED_TIME, b"00000101000000Z"),
        tlv(GENERALIZED_TIME, b"20260101000060Z"),
        tlv(GENERALIZED_TIME, b"20260101000000.5Z"),
        tlv(0x0C, b"260101000000Z"),
        tlv(UTC_TIME, b""),
    ],
)
def test_what_was_read_before_an_invalid_time_is_kept(element: bytes) -> None:
    found = parse_certificate(crafted(b"mx.test", until=element))
    assert found.note.startswith("not parsed to the end: it has an invalid time, b'")
    assert (found.common_name, found.not_before) == ("mx.test", "2026-01-01T00:00:00Z")
    assert (found.not_after, found.dns_names) == ("", ())


def test_expired_and_negative_serial_are_not_judged() -> None:
    past = datetime(1999, 1, 1, tzinfo=UTC)
    found = parse_certificate(issued(since=past, until=past + timedelta(days=1)))
    assert (found.not_after, found.note) == ("1999-01-02T00:00:00Z", "")
    assert parse_certificate(crafted()).note == ""  # its serial number is -1


@pytest.mark.parametrize("version", ["", "a003020100", "a003020109"])
def test_any_version(version: str) -> None:
    assert parse_certificate(crafted(b"mx.test", version=bytes.fromhex(version))).dns_names == ("mx.test",)


def test_identifiers_of_issuer_and_subject() -> None:
    identifiers = tlv(0x81, b"\0a") + tlv(0x82, b"\0b")
    assert parse_certificate(crafted(b"mx.test", identifiers=identifiers)).dns_names == ("mx.test",)


def test_names_that_are_no_ascii() -> None:
    found = parse_certificate(crafted(b"b\xc3\xbcro.test", b"\x1b[31m", b"a" * 300))
    assert found.dns_names == (r"b\xc3\xbcro.test", "\x1b[31m", "a" * (MAX_TEXT - 1) + "…")


@pytest.mark.parametrize(
    ("der", "note"),
    [
        (b"", "it ends too early"),
        (b"\x30", "it ends too early"),
        (b"garbage", "it ends too early"),
        (b"\x04\x00", "it has tag 0x04 in place of 0x30"),
        (b"\x30\x80\x00\x00", "it has an invalid length"),
        (b"\x30\x85\x01\x00\x00\x00\x00", "it has an invalid length"),
        (b"\x30\x84\xff\xff", "it ends too early"),
        (b"\x30\x84\xff\xff\xff\xff", "it ends too early"),
        (b"\x3f\x81\x01\x00", "it has a tag of several octets"),
        (sequence(), "it ends too early"),
        (sequence(sequence()), "it ends too early"),
        (sequence(sequence(tlv(0x02, b"\x01"), sequence(), sequence(), sequence())), "it ends too early"),
        # its length, and so the name that pytest gives it, is another each time
        pytest.param(issued()[:-1], "it ends too early", id="cut off"),
        (bytes(MAX_DER + 1), "it has more than 64 KiB"),
    ],
)
def test_what_is_no_certificate_has_a_fingerprint_and_a_note(der: bytes, note: str) -> None:
    expected = Certificate(sha256=sha256(der).hexdigest(), note=f"not parsed: {note}")
    assert parse_certificate(der) == expected


@pytest.mark.parametrize(
    ("der", "note"),
    [
        (crafted(attribute=tlv(0x06, b"")), "it has an invalid object identifier"),
        (crafted(attribute=tlv(0x06, b"\x55\x84")), "it has an invalid object identifier"),
        (crafted(attribute=tlv(0x06, b"\x55" * 65)), "it has an invalid object identifier"),
        (crafted(attribute=tlv(0x02, b"\x55")), "it has tag 0x02 in place of 0x06"),
        (crafted(subject=b""), "it ends too early"),
        (crafted().replace(b"\x31\x10\x30", b"\x32\x10\x30"), "it has an invalid name"),
        (crafted(alternatives=tlv(0x04, b"")), "it has tag 0x04 in place of 0x30"),
    ],
)
def test_what_was_read_before_an_error_is_kept(der: bytes, note: str) -> None:
    found = parse_certificate(der)
    assert found.note == f"not parsed to the end: {note}"
    assert found.self_issued is True


def test_deep_nesting() -> None:
    deep = b""
    for _ in range(10_000):
        deep = tlv(0x30, deep)
    assert parse_certificate(deep).note == "not parsed: it has tag 0x30 in place of 0x02"
    assert parse_certificate(crafted(alternatives=sequence(deep))).note == ""


def test_a_known_certificate_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_cache", {})
    monkeypatch.setattr(module, "_MAX_CACHED", 2)
    first, *others = (issued(f"mx{n}.test") for n in range(3))
    assert parse_certificate(first) is parse_certificate(first)
    for other in others:
        parse_certificate(other)
        assert len(module._cache) <= 2


def check_bounds(der: bytes) -> None:
    """Check what holds for any octets: the fields are bounded, and a record of them can be read back."""
    found = module._parse(der, sha256(der).hexdigest())
    assert len(found.dns_names) <= MAX_NAMES
    assert all(len(text) <= MAX_TEXT for text in (found.common_name, found.issuer, *found.dns_names))
    assert len(found.note) < 200
    transcript = Transcript()
    transcript.note(Upgrade("mx.test", 0), Secured(0.0, "TLSv1.3", "X", found))
    assert list(Transcript.loads(transcript.dumps())) == list(transcript)


@given(st.binary(max_size=200))
def test_any_octets(der: bytes) -> None:
    check_bounds(der)


REAL = (
    issued("mx.test", "b.mx.test", issuer="CA"),
    crafted(b"mx.test"),
    crafted(b"a", subject=tlv(0x1E, b"\0a")),
)


@given(st.sampled_from(REAL), st.data())
def test_certificates_with_some_octets_replaced(der: bytes, data: st.DataObject) -> None:
    octets = bytearray(der)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    check_bounds(bytes(octets))


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60),
    st.lists(st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9}){1,3}", fullmatch=True), min_size=1, max_size=4),
    st.datetimes(datetime(1950, 1, 1), datetime(9999, 1, 1)),
)
def test_the_fields_are_those_that_cryptography_wrote(
    subject: str, names: list[str], until: datetime
) -> None:
    until = until.replace(microsecond=0, tzinfo=UTC)
    found = parse_certificate(
        issued(*names, subject=subject, since=datetime(1950, 1, 1, tzinfo=UTC), until=until)
    )
    assert (found.common_name, found.dns_names, found.note) == (subject, tuple(names), "")
    assert found.not_after == f"{until.replace(tzinfo=None).isoformat()}Z"
