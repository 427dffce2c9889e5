"""The document agrees with its published schema, and documents without a version can be read."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Delivery, MailState
from checker_smtp.report.document import VERSION, DocumentError, dump, load, load_observation
from checker_smtp.report.model.report import build_report
from checker_smtp.report.refusal_count import count_refusals
from checker_smtp.report.schema import build_schema, dump_schema
from tests.report.results import DATA, FIXTURES, POSTURES, everywhere_hostile, replayed

OLD = DATA / "before-versions.json"


def tightened(part: Any) -> Any:
    """Return the schema without unknown properties: a property of a document that it lacks is an error."""
    if isinstance(part, list):
        return [tightened(one) for one in part]
    if not isinstance(part, dict):
        return part
    strict = {key: tightened(one) for key, one in part.items()}
    if part.get("type") == "object" and "properties" in part:
        strict["additionalProperties"] = False
    return strict


EXACTLY = Draft202012Validator(tightened(build_schema()))


def agrees(result: Result) -> None:
    """Assert that the output of `dump` is valid and complete, and that `load` restores the result."""
    text = dump(result)
    document = json.loads(text)
    EXACTLY.validate(document)
    assert list(document) == [
        *("version", "observation", "findings", "status", "mail", "unused_acceptances", "refusals")
    ]
    assert document["refusals"] == count_refusals(result.observation)
    assert document["version"] == VERSION == 2
    assert text.isascii()
    assert dump(load(text)) == text


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(build_schema())
    assert build_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert build_schema()["$id"].startswith("urn:")
    assert build_schema()["title"]
    assert json.loads(dump_schema()) == build_schema()


def test_every_type_is_described() -> None:
    assert all("description" in kind for kind in build_schema()["$defs"].values())


def test_each_call_returns_a_new_schema() -> None:
    build_schema()["$defs"].clear()
    assert build_schema()["$defs"]


@pytest.mark.parametrize("posture", POSTURES)
def test_documents_agree_with_the_schema(posture: str) -> None:
    agrees(POSTURES[posture]())


def test_recorded_checks_agree_with_the_schema() -> None:
    for folder in FIXTURES:
        result = replayed(folder)
        agrees(result)
        assert load(dump(result)) == result, folder.name


def test_hostile_content_agrees_with_the_schema() -> None:
    hostile = everywhere_hostile()
    # a lone surrogate is no character and cannot be in JSON; nothing we read gives one
    clean = json.loads(json.dumps(json.loads(dump(hostile))).replace("\\udc80", "?"))
    # an endpoint's address went through a parser on its way in, and has to on its way back
    for endpoint in clean["observation"]["endpoints"]:
        endpoint["address"] = "192.0.2.1"
    # a reason is a word, and the words of a reply are few
    for holder in (*clean["findings"], clean["mail"]):
        holder["reason"] = "mailbox"
    for found in clean["findings"]:
        found["words"] = found["words"][:200]
    agrees(load(json.dumps(clean)))


@given(st.data())
def test_the_schema_rejects_missing_fields_and_other_types(data: st.DataObject) -> None:
    document = json.loads(dump(POSTURES["relay"]()))
    validator = Draft202012Validator(build_schema())
    place = data.draw(
        st.sampled_from([("observation", "domain"), ("findings", 0), ("status",), ("findings",)])
    )
    broken = copy.deepcopy(document)
    inner = broken
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = data.draw(st.sampled_from([None, 1, True]))
    with pytest.raises(ValidationError):
        validator.validate(broken)
    with pytest.raises(DocumentError):
        load(json.dumps(broken))


def test_a_document_without_a_version_is_read_and_evaluated() -> None:
    text = OLD.read_bytes()
    assert "version" not in json.loads(text)
    EXACTLY.validate(json.loads(text))
    result = load(text)
    assert result.observation.domain == "dev-conn421.test"
    # "too many connections from your" address is said of this client
    assert evaluate(result.observation).status == "unknown"
    assert load(dump(result)) == result
    assert result.mail == Delivery(state=MailState.UNKNOWN, reason="rate")
    assert [found.id for found in result.findings] == [
        "dev-conn421.test smtp.banner.deferred 127.1.1.21:25",
        "dev-conn421.test smtp.ipv6.none",
    ]
    assert not any(found.reason or found.words for found in result.findings)


def test_a_document_of_version_1_is_read_as_if_it_had_the_new_fields() -> None:
    for folder in FIXTURES:
        result = replayed(folder)
        document = json.loads(dump(result)) | {"version": 1}
        del document["mail"]
        for found in document["findings"]:
            del found["id"], found["reason"], found["words"]
        EXACTLY.validate(document)
        old = load(json.dumps(document))
        assert evaluate(old.observation) == result, folder.name
        assert old.mail == result.mail, folder.name
        assert [f.id for f in old.findings] == [f.id for f in result.findings], folder.name


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "no mail": ({"mail": None}, "mail"),
    "a state of its own": ({"mail": {"state": "perhaps", "reason": ""}}, "perhaps"),
    "no state": ({"mail": {"reason": ""}}, "state"),
    "a reason that is no word": ({"mail": {"state": "refused", "reason": "\x1b[2J"}}, "the reason"),
    "a reason without end": ({"mail": {"state": "refused", "reason": "x" * 41}}, "the reason"),
    "a finding with such a reason": ({"findings": [{"reason": "<b>"}]}, "the reason"),
    "words without end": ({"findings": [{"words": "x" * 201}]}, "more than 200 characters"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_mail_reasons_and_words_are_bounded(change: dict[str, Any], said: str) -> None:
    document = json.loads(dump(POSTURES["relay"]()))
    if "findings" in change:
        document["findings"][0] |= change["findings"][0]
    elif change["mail"] is None:
        del document["mail"]
    else:
        document |= change
    assert not EXACTLY.is_valid(document)
    with pytest.raises(DocumentError, match=said) as caught:
        load(json.dumps(document))
    assert "\x1b" not in str(caught.value)


def test_the_id_of_a_document_does_not_count() -> None:
    document = json.loads(dump(POSTURES["relay"]()))
    document["findings"][0]["id"] = "x" * 10_000
    assert load(json.dumps(document)) == POSTURES["relay"]()


def test_fields_of_a_later_release_are_ignored() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    document["observation"]["weather"] = "fine"
    assert load(json.dumps(document)) == POSTURES["healthy"]()


@pytest.mark.parametrize("version", [3, 10**30])
def test_a_newer_version_is_rejected(version: int) -> None:
    with pytest.raises(DocumentError, match="install a newer checker-smtp") as caught:
        load(json.dumps({"version": version, "observations": []}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "null",
        '"\\ud800"',
        "\ud800",
        b"\xff\xfe",
        b"\x89PNG\r\n",
        "[" * 100_000,
        '{"version": ' + "[" * 100_000,
        '{"version": 0}',
        '{"version": "1"}',
        '{"version": true}',
        '{"version": 1e400}',
        '{"domain": "example.org", "findings": []}',
    ],
)
def test_an_error_of_load_is_one_sentence(text: str | bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert "\n" not in str(caught.value)


def test_an_invalid_version_is_rejected() -> None:
    text = dump(POSTURES["healthy"]())
    no_session = json.loads(text)
    no_session["observation"]["endpoints"][0]["sessions"] = []
    for wrong, said in (
        (json.loads(text) | {"status": "great"}, "'great'"),
        (json.loads(text) | {"version": 0}, "the version is 0"),
        (no_session, "no session"),
    ):
        assert not EXACTLY.is_valid(wrong)
        with pytest.raises(DocumentError, match=said):
            load(json.dumps(wrong))


def test_an_invalid_severity_of_the_tls_checker_is_rejected() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    issue = {"code": "x", "severity": "awful", "message": "y"}
    document["observation"]["tls_probes"] = [{"endpoint": "mx.example.org:25", "issues": [issue]}]
    with pytest.raises(DocumentError, match="awful"):
        load(json.dumps(document))


def test_an_endpoint_without_an_address_is_rejected() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    document["observation"]["endpoints"][0]["address"] = "mx.example.org"
    with pytest.raises(DocumentError, match="no IP address"):
        load(json.dumps(document))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"do": "receive"},
        {"do": "receive", "at": "soon"},
        {"do": "wait", "at": 0},
        {"do": "connect", "host": "192.0.2.1", "at": 0},
        {"do": "send", "at": 0},
        {"do": "upgrade", "at": 0, "version": "TLSv1.3", "cipher": "X"},
        {"do": "upgrade", "at": 0, "server_name": "", "version": "TLSv1.3"},
    ],
)
def test_an_invalid_transcript_entry_is_rejected(entry: dict[str, object]) -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    document["observation"]["endpoints"][0]["sessions"][0]["transcript"].append(entry)
    with pytest.raises(DocumentError, match="an invalid entry"):
        load(json.dumps(document))
    with pytest.raises(DocumentError, match="an invalid entry"):
        load_observation(json.dumps(document["observation"]))


def test_an_observation_alone() -> None:
    result = POSTURES["healthy"]()
    assert load_observation(json.dumps(json.loads(dump(result))["observation"])) == result.observation
    with pytest.raises(DocumentError, match="not an observation of checker-smtp"):
        load_observation(dump(result))


def test_a_handshake_that_was_not_begun_has_no_version_and_shows_the_octets_before_it() -> None:
    result = replayed(next(folder for folder in FIXTURES if folder.name == "odd-starttls-injection"))
    document = json.loads(dump(result))
    transcript = document["observation"]["endpoints"][0]["sessions"][0]["transcript"]
    transcript[-1]["got"] = "220 2.0.0 Go ahead\r\n"
    transcript += [{"do": "upgrade", "server_name": "mx.test", "got": "250 2.1.0 Ok\r\n", "at": 0.03}]
    loaded = load(json.dumps(document))
    lines = build_report(loaded).endpoints[0].sessions[0].lines
    assert (lines[-1].speaker, lines[-1].text) == ("server", "250 2.1.0 Ok")
    assert [f.code for f in loaded.findings] == [f.code for f in result.findings]


def test_a_handshake_that_failed_has_no_version() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    entry = {"do": "upgrade", "at": 0, "server_name": "", "failed": "tls"}
    document["observation"]["endpoints"][0]["sessions"][0]["transcript"].append(entry)
    assert load(json.dumps(document))
