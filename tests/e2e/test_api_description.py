"""A client made from `/openapi.json` drives the API: no crash, and no answer that it does not describe.

What the client gives as a domain is mostly none, or one that the lab does not have.
"""

import subprocess
import sys
from pathlib import Path

from tests.e2e.browsers import UNLIMITED
from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE
from tests.e2e.served import IN_THE_LAB, served

EXAMPLES = 10
# a string is a domain by its syntax, which JSON Schema does not have
NOT_DESCRIBED = "positive_data_acceptance"


def test_the_api_is_as_it_is_described(lab: Lab, tmp_path: Path) -> None:
    with served(*IN_THE_LAB, *UNLIMITED, "--max-checks-per-client", "20", "--helo-name", PROBE) as here:
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{here.url}/openapi.json", "--no-color"),
                *("--max-examples", str(EXAMPLES), "--generation-deterministic", "--max-time", "60"),
                *("--exclude-checks", NOT_DESCRIBED),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert "Traceback" not in here.log
        assert here.inflight() == 0
    assert run.returncode == 0, run.stdout
    sys.stdout.write(run.stdout)
