"""Debian packages that only a sandbox gets: downloaded to a folder, and installed from there."""

import subprocess
from pathlib import Path

from tests.e2e.sandbox import Sandbox

__all__ = ["download", "install_in"]


def download(folder: Path, *packages: str) -> Path:
    """Download these packages and what they need; return the folder."""
    (folder / "partial").mkdir(exist_ok=True)
    words = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", f"Dir::Cache::archives={folder}"]
    more = ["--download-only", "install", *packages]
    done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
    if done.returncode:
        subprocess.run(["apt-get", "-q", "update"], check=True, capture_output=True)
        subprocess.run([*words, *more], check=True, capture_output=True)
    return folder


def install_in(machine: Sandbox, folder: Path, *packages: str) -> None:
    """Install the packages in the sandbox, where no service is started by that."""
    machine.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
    machine.sh("chmod 755 /usr/sbin/policy-rc.d")
    machine.sh(
        "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends --no-download"
        f" -o Dir::Cache::archives={folder} install {' '.join(packages)}"
    )
