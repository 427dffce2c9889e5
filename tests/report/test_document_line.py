"""A document as one line is ASCII, wherever its other characters stand."""

import json
from dataclasses import replace

from checker_smtp.report.document import dump_line, load
from tests.report.results import POSTURES


def test_characters_at_the_borders_of_pieces_are_escaped_whole() -> None:
    result = next(iter(POSTURES.values()))()
    base = len(dump_line(result))
    for length in range(64 * 1024 - base - 40, 64 * 1024 - base + 1400, 37):
        name = "x" * max(length, 0) + "é\U0001f600·" * 3
        seen = replace(result.observation, resolver=name)
        line = dump_line(replace(result, observation=seen))
        assert line.isascii()
        assert json.loads(line)["observation"]["resolver"] == name
        assert load(line).observation == seen
