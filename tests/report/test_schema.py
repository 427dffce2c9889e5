"""The document and its published schema agree, and documents from before there was a version are read."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.document import VERSION, DocumentError, dump, load, load_observation
from checker_smtp.report.schema import build_schema, dump_schema
from tests.report.results import DATA, FIXTURES, POSTURES, everywhere_hostile, replayed

OLD = DATA / "before-versions.json"


def tightened(part: Any) -> Any:
    """The schema with every property named: what a document has and the schema does not is then an error."""
    if isinstance(part, list):
        return [tightened(one) for one in part]
    if not isinstance(part, dict):
        return part
    told = {key: tightened(one) for key, one in part.items()}
    if part.get("type") == "object" and "properties" in part:
        told["additionalProperties"] = False
    return told


EXACTLY = Draft202012Validator(tightened(build_schema()))


def agrees(result: Result) -> None:
    """What `dump` writes is valid and complete, and comes back as it was."""
    text = dump(result)
    document = json.loads(text)
    EXACTLY.validate(document)
    assert list(document) == ["version", "observation", "findings", "status"]
    assert document["version"] == VERSION == 1
    assert text.isascii()
    assert dump(load(text)) == text


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(build_schema())
    assert build_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert build_schema()["$id"].startswith("urn:")
    assert build_schema()["title"]
    assert json.loads(dump_schema()) == build_schema()


def test_every_type_is_described() -> None:
    assert all("description" in kind for kind in build_schema()["$defs"].values())


def test_the_schema_given_out_can_be_changed_without_harm() -> None:
    build_schema()["$defs"].clear()
    assert build_schema()["$defs"]


@pytest.mark.parametrize("posture", POSTURES)
def test_documents_agree_with_the_schema(posture: str) -> None:
    agrees(POSTURES[posture]())


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_recorded_checks_agree_with_the_schema(folder: Path) -> None:
    result = replayed(folder)
    agrees(result)
    assert load(dump(result)) == result


def test_hostile_content_agrees_with_the_schema() -> None:
    hostile = everywhere_hostile()
    # a lone surrogate is no character and cannot be in JSON; nothing we read gives one
    clean = json.loads(json.dumps(json.loads(dump(hostile))).replace("\\udc80", "?"))
    # an endpoint's address went through a parser on its way in, and has to on its way back
    for told in clean["observation"]["endpoints"]:
        told["address"] = "192.0.2.1"
    agrees(load(json.dumps(clean)))


@given(st.data())
def test_the_schema_refuses_what_is_missing_or_of_another_type(data: st.DataObject) -> None:
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


def test_a_document_from_before_there_was_a_version_is_read_and_judged() -> None:
    text = OLD.read_bytes()
    assert "version" not in json.loads(text)
    EXACTLY.validate(json.loads(text))
    result = load(text)
    assert result.observation.domain == "dev-conn421.test"
    assert evaluate(result.observation).status == "warning"
    assert load(dump(result)) == result


def test_fields_of_a_later_release_are_passed_over() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    document["observation"]["weather"] = "fine"
    assert load(json.dumps(document)) == POSTURES["healthy"]()


@pytest.mark.parametrize("version", [2, 10**30])
def test_a_newer_version_is_refused_whatever_it_looks_like(version: int) -> None:
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
def test_what_is_no_document_is_one_sentence(text: str | bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert "\n" not in str(caught.value)


def test_what_no_version_can_mean_is_refused() -> None:
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


def test_a_severity_of_the_tls_checker_that_is_none_is_refused() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    issue = {"code": "x", "severity": "awful", "message": "y"}
    document["observation"]["tls_probes"] = [{"endpoint": "mx.example.org:25", "issues": [issue]}]
    with pytest.raises(DocumentError, match="awful"):
        load(json.dumps(document))


def test_an_endpoint_that_is_nowhere_is_refused() -> None:
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
def test_a_line_of_a_transcript_that_says_nothing_is_refused(entry: dict[str, object]) -> None:
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


def test_a_handshake_that_failed_has_no_version() -> None:
    document = json.loads(dump(POSTURES["healthy"]()))
    entry = {"do": "upgrade", "at": 0, "server_name": "", "failed": "tls"}
    document["observation"]["endpoints"][0]["sessions"][0]["transcript"].append(entry)
    assert load(json.dumps(document))
