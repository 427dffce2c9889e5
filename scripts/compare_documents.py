"""Compare what two versions of checker-smtp say of every fixture, sentences aside.

    scripts/compare_documents.py OLD/bin/checker-smtp NEW/bin/checker-smtp

Each command replays each recorded check as JSON and as Prometheus text. Prints what differs, a line for each
place, and exits with 1 where anything does. Sentences (`message`, `fix`, `reason` of a skipped host and the
help lines of metrics) may change; codes, severities, outcomes, subjects, evidence, facts and figures may not.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"
TEXTS = frozenset({"message", "fix", "title", "why"})


def replayed(command: str, folder: Path) -> dict[str, object]:
    document = json.loads(_output(command, folder, "json"))
    metrics = [
        line for line in _output(command, folder, "prometheus").splitlines() if not line.startswith("#")
    ]
    return {"document": document, "metrics": metrics}


def _output(command: str, folder: Path, form: str) -> str:
    words = [command, "replay", str(folder), "--format", form]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    if not done.stdout:
        raise SystemExit(f"{' '.join(words)} printed nothing: {done.stderr.strip()}")
    return f"{done.stdout}"


def differences(old: object, new: object, where: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key in TEXTS and key in old and key in new:
                continue
            yield from differences(old.get(key, "<absent>"), new.get(key, "<absent>"), f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where}[{number}]")
    elif old != new or type(old) is not type(new):
        yield f"{where}: {old!r:.200} became {new!r:.200}"


def main(old: str, new: str) -> int:
    folders = sorted(path for path in FIXTURES.iterdir() if path.is_dir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        before, after = (list(pool.map(partial(replayed, command), folders)) for command in (old, new))
    found = [
        line
        for folder, *pair in zip(folders, before, after, strict=True)
        for line in differences(*pair, folder.name)
    ]
    print(*found, f"{len(folders)} fixtures, {len(found)} differences", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
