"""The README's state table and diagram are the code's."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from smtp_sansio import State

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("state_table", ROOT / "scripts" / "state_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_shows_the_table_of_the_code(script: ModuleType) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = text.partition(script.BEGIN)[2].partition(script.END)[0]
    assert shown == script.section(), "run: python scripts/state_table.py --write README.md"


def test_the_table_says_what_the_cells_say(script: ModuleType) -> None:
    rows = {
        row.split("|")[1].strip(" *"): [cell.strip() for cell in row.split("|")[2:-1]]
        for row in script.table().splitlines()
    }
    assert rows["GREETING"] == ["FRESH / REFUSED"] + ["–"] * 8
    assert rows["READY"] == ["–", ".", ".", "TLS / .", "MAIL / .", "–", ".", ".", "QUITTING"]
    assert rows["RCPT"] == ["–", "READY / .", "READY / .", "–", "–", ".", "READY / .", ".", "QUITTING"]
    assert rows["ERROR"] == ["–"] * 9
    assert list(rows)[2:] == list(State)


def test_the_diagram_leaves_out_what_stays(script: ModuleType) -> None:
    lines = [line.strip() for line in script.diagram().splitlines()]
    assert lines[0] == "stateDiagram-v2"
    assert "GREETING --> FRESH: greeting 2yz" in lines
    assert "GREETING --> REFUSED: greeting other" in lines
    assert "FRESH --> READY: EHLO 2yz, HELO 2yz" in lines
    assert "RCPT --> READY: EHLO 2yz, HELO 2yz, RSET 2yz" in lines
    assert "REFUSED --> QUITTING: QUIT" in lines
    assert "TLS --> FRESH: tls_established()" in lines
    assert not any(line.startswith(("READY --> READY", "FRESH --> FRESH")) for line in lines)
    for state in State:
        assert any(str(state) in line for line in lines)


def test_writing_replaces_what_stands_between_the_markers(script: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{script.BEGIN}\nold\n{script.END}\nafter – end\n", "utf-8")
    script.write(page)
    script.write(page)
    assert page.read_text("utf-8") == f"before\n{script.BEGIN}{script.section()}{script.END}\nafter – end\n"


@pytest.mark.parametrize("text", ["", "{BEGIN}", "{END} {BEGIN}", "{BEGIN} {BEGIN} {END}"])
def test_without_the_markers_nothing_is_written(script: ModuleType, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    text = text.format(BEGIN=script.BEGIN, END=script.END)
    page.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="needs the markers"):
        script.write(page)
    assert page.read_text("utf-8") == text
