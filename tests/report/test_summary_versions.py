"""The results of an older scan are counted beside those of a new one."""

import json

from tests.report.results import finding
from tests.report.scan_lines import checked, tallied


def test_lines_of_both_versions_are_counted() -> None:
    second = json.loads(checked("b.example", finding()))
    first = {key: value for key, value in second.items() if key != "mail"} | {"version": 1}
    first["findings"] = [
        {key: value for key, value in found.items() if key not in ("id", "reason", "words")}
        for found in first["findings"]
    ]
    no_version = {key: value for key, value in first.items() if key != "version"}
    lines = [json.dumps(one).encode() + b"\n" for one in (first, second, no_version)]
    tally = tallied(*lines)
    assert (tally.checked, tally.broken) == (3, 0)
