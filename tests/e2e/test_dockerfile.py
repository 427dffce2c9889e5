"""The Dockerfile's own commands, run in an empty folder by a user who is nobody: it installs, starts, stops.

No container engine is needed. Paths of the image lie below a temporary folder here; all else is as written.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
KNOWN = ("COPY", "RUN", "WORKDIR", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "CMD", "HEALTHCHECK")
_LIMIT = 300


@dataclass
class Stage:
    """One stage: each instruction's arguments, in their order."""

    image: str
    name: str
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.said["ENV"])

    def words(self, instruction: str) -> list[str]:
        """The one exec form of an instruction; a shell form is an error."""
        (line,) = self.said[instruction]
        words: list[str] = json.loads(line[line.index("[") :])
        return words


def stages() -> list[Stage]:
    """Parse the Dockerfile; an unknown instruction is an error."""
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    read: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            read.append(Stage(image, name))
        elif word in KNOWN:
            read[-1].said[word].append(rest)
        else:
            assert not line or word == "#", line
    return read


@dataclass(frozen=True)
class Image:
    """Where the image's paths lie, and who runs what is in it."""

    root: Path
    last: Stage

    def here(self, text: str) -> str:
        return text.replace("/opt/", f"{self.root}/opt/")

    def run(self, command: Sequence[str], **how: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command,
            **(_as_nobody(self.root) | how),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )


def _as_nobody(root: Path) -> dict[str, object]:
    """How a process is started that is nobody, with no more of our environment than pip may need."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or "_proxy" in name.lower()
    }
    environment = kept | {"PATH": f"{root}/tools/bin:/usr/bin:/bin", "HOME": str(root / "home")}
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return {"env": environment, "cwd": root, "stdin": subprocess.DEVNULL, **who}


def _interpreter(root: Path) -> str:
    """A Python that nobody may run, as python:3.12-slim has one."""
    wanted = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    for found in (
        getattr(sys, "_base_executable", sys.executable),
        shutil.which("python3", path="/usr/bin:/usr/local/bin"),
    ):
        if found is None:
            continue
        try:
            done = subprocess.run([found, "-c", wanted], **_as_nobody(root), capture_output=True, check=False)  # type: ignore[call-overload]
        except PermissionError:
            continue
        if done.returncode == 0:
            return str(found)
    pytest.skip("no Python 3.11 or newer, with venv, that an unprivileged user may run")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image, built as the Dockerfile says."""
    first, last = stages()
    with tempfile.TemporaryDirectory(prefix="checker-smtp-image-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        built = Image(root, last)
        for name in ("src", "opt", "home", "tools"):
            (root / name).mkdir()
            if os.geteuid() == 0:
                os.chown(root / name, NOBODY, NOBODY)
        done = built.run([_interpreter(root), "-m", "venv", str(root / "tools")])
        assert done.returncode == 0, done.stderr
        sources = root / first.said["WORKDIR"][0].lstrip("/")
        for *names, target in map(str.split, first.said["COPY"]):
            for name in names:
                _copy(ROOT / name, sources / (name if target == "./" else target))
        for command in first.said["RUN"]:
            done = built.run(["sh", "-c", built.here(command)], cwd=sources)
            assert done.returncode == 0, done.stdout + done.stderr
        # of the first stage, only what was installed is in the image
        shutil.rmtree(sources)
        shutil.rmtree(root / "tools")
        yield built


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_nothing_needs_a_shell_or_privileges_in_the_end() -> None:
    first, last = stages()
    assert last.image == first.image
    assert last.said["RUN"] == []
    assert last.said["COPY"] == [
        f"--from={first.name} /opt/checker-smtp /opt/checker-smtp",
        # an empty folder, for results
        f"--from={first.name} --chown={last.said['USER'][0]} /opt/state /var/lib/checker-smtp",
    ]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.said["USER"][0])
    assert all(last.words(instruction) for instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))


def test_what_is_installed_is_whole(image: Image) -> None:
    done = image.run([*map(image.here, image.last.words("ENTRYPOINT")), "--version"])
    assert re.fullmatch(r"checker-smtp \d\S*\n", done.stdout)
    # a missing tool cannot be used by an intruder
    assert not list((image.root / "opt" / "checker-smtp" / "bin").glob("pip*"))


def test_it_starts_is_well_and_stops(image: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    started = _as_nobody(image.root)
    environment = {**started["env"], **image.last.environment}  # type: ignore[dict-item]
    environment["CHECKER_SMTP_LISTEN"] = environment["CHECKER_SMTP_LISTEN"].replace("8080", port)
    command = [image.here(word) for word in (*image.last.words("ENTRYPOINT"), *image.last.words("CMD"))]
    check = [image.here(word).replace("8080", port) for word in image.last.words("HEALTHCHECK")]
    assert image.run(check).returncode == 1
    with (image.root / "log").open("wb") as log:
        process = subprocess.Popen(  # type: ignore[call-overload]
            command, **(started | {"env": environment}), stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 20
            while (done := image.run(check)).returncode:
                assert time.monotonic() < deadline, done.stderr
                time.sleep(0.2)
            if os.geteuid() == 0:
                assert Path(f"/proc/{process.pid}").stat().st_uid == NOBODY
            process.send_signal(signal.SIGTERM)
            assert process.wait(12) == 0
        finally:
            process.kill()
            process.wait()
    assert (image.root / "log").read_text().splitlines()[-1].endswith("INFO stopped")
    assert list((image.root / "home").iterdir()) in ([], [image.root / "home" / ".cache"])
