"""What tests in a real browser need: Chromium, node and npm from Debian, checkers of pages from npm."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["AXE", "install", "npm"]

AXE = "axe-core@4.10.3"
_NEEDED = {"chromium": "chromium", "node": "nodejs", "npm": "npm"}


def install() -> None:
    """What is missing, by apt; skips where that is not allowed."""
    missing = [package for command, package in _NEEDED.items() if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0:
        pytest.skip(f"{', '.join(missing)} can only be installed as root: run make e2e as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--no-install-recommends", *missing]):
        subprocess.run(
            ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", *arguments],
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=280,
        )


def npm(folder: Path, *packages: str) -> None:
    """Install packages below `folder`, in the versions named."""
    subprocess.run(
        ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", *packages],
        cwd=folder,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
