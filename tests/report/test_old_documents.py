"""A document of an older release is shown with what it has: its findings may lack ids, reasons and words."""

import json
from typing import Any

import pytest

from checker_smtp.probes.rules import Severity
from checker_smtp.report.diff.compare import compare
from checker_smtp.report.document import load
from checker_smtp.report.formats import FORMATS, render
from tests.report.results import DATA, POSTURES
from tests.report.scan_lines import line, tallied

OLD = (DATA / "before-versions.json").read_bytes()


def aged(name: str) -> dict[str, Any]:
    """Return a document as the first release wrote it, with findings that have no evidence either."""
    document: dict[str, Any] = json.loads(line(POSTURES[name]()))
    del document["version"], document["mail"]
    for found in document["findings"]:
        for key in ("id", "reason", "words", "evidence"):
            del found[key]
    return document


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_shows_the_findings(form: str) -> None:
    result = load(OLD)
    page = render(result, form)
    assert result.observation.domain in page
    if form != "prometheus":
        assert "Client host rejected" in page


@pytest.mark.parametrize("name", POSTURES)
@pytest.mark.parametrize("form", FORMATS)
def test_findings_without_evidence_are_shown(name: str, form: str) -> None:
    result = load(json.dumps(aged(name)))
    page = render(result, form)
    codes = [found.code for found in result.findings if found.severity is not Severity.INFO]
    assert all(code in page for code in codes if form != "prometheus")


@pytest.mark.parametrize("name", POSTURES)
def test_a_document_compared_with_itself_made_older_has_not_changed(name: str) -> None:
    new, old = load(json.dumps(aged(name))), POSTURES[name]()
    assert not compare(old, new).worse
    assert not compare(new, old).worse


@pytest.mark.parametrize("name", POSTURES)
def test_the_summary_counts_it(name: str) -> None:
    tally = tallied(json.dumps(aged(name)).encode() + b"\n", json.dumps(json.loads(OLD)).encode() + b"\n")
    assert (tally.checked, tally.broken) == (2, 0)
