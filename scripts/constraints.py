"""Write constraints.txt: every dependency of every extra and group, pinned and with hashes.

Run it with the `lint` group installed: `python scripts/constraints.py`. It resolves for the Python that runs
it, so run it with the oldest one that is supported. Options are those of pip-compile, such as `--upgrade`.
The file names no package index: pip uses the one that it is configured for.
"""

import os
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
# built from this source tree, so no hash of it is known
_OURS = ("checker-smtp", "smtp-sansio")


def requirements() -> list[str]:
    """Return what pyproject.toml requires, without the distributions of this source tree."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = table["project"]
    lists = (
        table["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *table["dependency-groups"].values(),
    )
    return sorted({line for line in chain.from_iterable(lists) if not line.startswith(_OURS)})


def main() -> None:
    """Run pip-compile; pins that are there stay, unless `--upgrade` is given."""
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe"]
    command += ["--strip-extras", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
    command += ["--no-annotate", f"--output-file={CONSTRAINTS}", *sys.argv[1:], "-"]
    environment = os.environ | {"CUSTOM_COMPILE_COMMAND": "python scripts/constraints.py"}
    subprocess.run(command, input="\n".join(requirements()), text=True, env=environment, check=True)


if __name__ == "__main__":
    main()
