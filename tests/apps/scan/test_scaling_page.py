"""The costs on the page are those that its script computes."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_table_is_what_the_script_prints() -> None:
    spec = importlib.util.spec_from_file_location("scan_costs", ROOT / "scripts" / "scan_costs.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    shown = page.partition(script.BEGIN + "\n")[2].partition(script.END)[0]
    assert shown == script.table(script.Measured(), script.Assumed()), (
        "run: python scripts/scan_costs.py --write docs/scaling.md"
    )
