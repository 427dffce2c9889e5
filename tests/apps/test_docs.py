"""The examples of the documentation run: each ```python block, in order, one namespace a file."""

import re
import socket
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from checker_smtp import replay
from checker_smtp.report.formats.text import render_text
from checker_smtp.testing import play_dialogue
from smtp_sansio import Connect

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "fixtures" / "README.md"]
PATH = re.compile(
    r"(?<![\w/.])((?:benchmarks|checker_smtp|deploy|docs|fixtures|scripts|smtp_sansio|tests|\.ci|\.github)/[\w./-]*\w/?)"
)


def run_blocks(page: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for block in re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        exec(compile(block, str(page), "exec"), namespace)  # noqa: S102 - our own documentation
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run_blocks(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_that_need_a_network_are_at_least_python(page: Path) -> None:
    for block in re.findall(r"^```py\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        compile(block, str(page), "exec")


def test_links_between_pages_lead_somewhere() -> None:
    for page in TEXTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)|https?://\S+", "", page.read_text(encoding="utf-8"))
    missing = {path for path in PATH.findall(text) if not (ROOT / path).exists()}
    assert missing - {"fixtures/NAME"} == set()  # an example


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in TEXTS:
        named = re.findall(r"(?:^    |`)make ([a-z0-9]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert targets.issuperset(named), page.name


def test_the_changelog_has_the_usual_headings() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for section in text.split("\n## ")[1:]:
        named = re.findall(r"^### (.*)", section, re.MULTILINE)
        assert kinds.issuperset(named)
        assert len(set(named)) == len(named)


def test_the_blocking_client_of_the_guide_holds_a_session() -> None:
    farewell = run_blocks(ROOT / "docs" / "event-loops.md")["farewell"]
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            theirs.sendall(b"220 mx.example ESMTP\r\n")
            assert theirs.recv(100) == b"QUIT\r\n"
            theirs.sendall(b"221 bye\r\n")

    server = threading.Thread(target=serve)
    server.start()
    with ours:
        assert farewell(ours) == [220, 221]
    server.join()


def test_the_naive_script_of_the_guide_is_safe() -> None:
    tls_version = run_blocks(ROOT / "docs" / "event-loops.md")["tls_version"]
    opening = "S: 220 mx\nC: EHLO probe.example\n"
    assert (
        play_dialogue(tls_version("192.0.2.7"), "S: 554 go away") == "no TLS: the server refused: 554 go away"
    )
    without = play_dialogue(tls_version("192.0.2.7"), opening + "S: 250 mx")
    assert without == "no TLS: the server did not offer STARTTLS"
    secured = "S: 250-mx\nS+ 250 STARTTLS\nC: STARTTLS\nS: 220 go\n-- tls TLSv1.3 X\n"
    again = "C: EHLO probe.example\nS: 250 mx\nC: QUIT\nS: 221 bye"
    assert play_dialogue(tls_version("192.0.2.7"), opening + secured + again) == "TLSv1.3"


def test_examples_in_the_pages_are_the_files_that_are_tested() -> None:
    shown = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for path, block in re.findall(
            r"^<!-- (examples/\S+) -->\n```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE
        ):
            assert block == (ROOT / path).read_text(encoding="utf-8"), f"{page.name} shows another {path}"
            shown += 1
    assert shown


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "drivers").glob("*.py")), ids=lambda path: path.name
)
def test_a_driver_takes_less_than_sixty_lines(path: Path) -> None:
    assert sum(map(bool, map(str.strip, path.read_text("utf-8").splitlines()))) < 60


def test_the_interceptor_of_the_guide_refuses_other_addresses() -> None:
    guide = run_blocks(ROOT / "docs" / "event-loops.md")
    restricted, tls_version = guide["restricted"], guide["tls_version"]
    assert next(restricted(tls_version("192.0.2.7"), {"192.0.2.7"})) == Connect("192.0.2.7", 25, 30)
    with pytest.raises(StopIteration) as stop:
        next(restricted(tls_version("192.0.2.8"), {"192.0.2.7"}))
    assert "not an allowed address" in stop.value.value


def test_the_sample_in_the_readme_is_what_the_command_prints() -> None:
    shown = re.search(r"^```text\n(.*?)^```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert shown is not None
    result = anyio.run(replay, ROOT / "fixtures" / "postfix-open-relay")
    assert shown[1] == render_text(result)


def test_the_screenshot_is_small_enough_to_be_shown() -> None:
    image = (ROOT / "docs" / "report.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert len(image) < 200_000
