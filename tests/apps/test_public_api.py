"""The public API of `checker_smtp`: the names in public_names.txt, documented, typed, and cheap to import."""

import inspect
import json
import pkgutil
import pydoc
import subprocess
import sys
import threading
import typing
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import anyio
import pytest

import checker_smtp
from checker_smtp import DnsStatus, api
from checker_smtp.report.formats import FORMATS
from checker_smtp.testing import FakeNetwork, FakeResolver

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = (Path(__file__).with_name("public_names.txt")).read_text("ascii").split()
DOCUMENTED = [name for name in NAMES if name != "__version__"]

FRESH = """
import json, sys
before = set(sys.modules)
import checker_smtp
loaded = sorted(set(sys.modules) - before)
dir(checker_smtp), checker_smtp.__all__, checker_smtp.__version__
print(json.dumps([loaded, sorted(set(sys.modules) - before)]))
"""


def test_the_public_names_are_the_committed_ones() -> None:
    assert sorted(checker_smtp.__all__) == NAMES == sorted(set(NAMES))


def test_every_public_name_is_in_dir_and_can_be_imported() -> None:
    assert set(NAMES) <= set(dir(checker_smtp))
    assert [name for name in NAMES if not hasattr(checker_smtp, name)] == []
    assert not hasattr(checker_smtp, "no_such_name")


def test_no_module_has_the_name_of_a_public_object() -> None:
    """The import system would replace the object by the module."""
    modules = {module.name for module in pkgutil.iter_modules(checker_smtp.__path__)}
    assert modules & set(NAMES) == set()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_public_objects_are_documented_and_typed(name: str) -> None:
    value = getattr(checker_smtp, name)
    assert (value.__doc__ or "").strip()
    # the docstring that dataclasses write themselves is the signature
    assert not value.__doc__.startswith(f"{name}(")
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.values()
        assert [p.name for p in parameters if p.annotation is inspect.Parameter.empty] == []
        assert "Any" not in str(inspect.signature(value))


def test_help_shows_every_public_object() -> None:
    text = pydoc.render_doc(checker_smtp, renderer=pydoc.plaintext)
    assert [name for name in DOCUMENTED if name not in text] == []


def test_importing_the_package_loads_no_other_module() -> None:
    command = [sys.executable, "-c", FRESH]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    loaded, later = json.loads(done.stdout)
    # importlib and typing are the only imports of the package itself
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "checker_smtp"
    }
    assert loaded == later


def test_the_formats_of_render_are_those_of_the_command_line() -> None:
    assert list(typing.get_args(api.Format)) == list(FORMATS)


@pytest.mark.anyio
async def test_an_observation_is_evaluated_and_rendered() -> None:
    result = await checker_smtp.replay(FIXTURES / "postfix-healthy")
    assert checker_smtp.evaluate(result.observation) == result
    assert json.loads(checker_smtp.render(result, "json"))["status"] == result.status
    assert checker_smtp.render(result).startswith(checker_smtp.render(result, "text")[:20])
    with pytest.raises(
        ValueError,
        match="the format 'pdf' is unknown: give one of html, json, jsonl, junit, nagios, prometheus, text",
    ):
        checker_smtp.render(result, "pdf")  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_recording_is_saved_and_replayed(tmp_path: Path) -> None:
    from checker_smtp.backends.recording.case import read_case
    from checker_smtp.backends.recording.replay_backend import Replay

    case = read_case(FIXTURES / "postfix-healthy")
    recording = checker_smtp.Recording(Replay(case))
    context = checker_smtp.RunContext(run_at=case.run_at, seed=case.seed)
    result = await checker_smtp.check(case.options, recording, context=context)
    recording.save(tmp_path / "case", case.options, result, seed=context.seed)
    assert await checker_smtp.replay(tmp_path / "case") == result


def null_mx_network() -> FakeNetwork:
    return FakeNetwork(FakeResolver("example.test MX 0 ."))


def test_a_blocking_check_has_the_result_of_check() -> None:
    context = checker_smtp.RunContext(seed=7)
    given = checker_smtp.Options(domain="example.test")
    awaited = anyio.run(partial(checker_smtp.check, given, null_mx_network(), context=context))
    blocking = checker_smtp.check_blocking(given, null_mx_network(), context=context)
    assert blocking.findings == awaited.findings
    assert [finding.code for finding in blocking.findings] == ["smtp.null_mx"]


@pytest.mark.anyio
async def test_a_blocking_check_runs_beside_an_event_loop() -> None:
    given = checker_smtp.Options(domain="example.test")
    assert checker_smtp.check_blocking(given, null_mx_network()).status == "info"
    with pytest.raises(checker_smtp.ResolverError):
        checker_smtp.check_blocking(given, FakeNetwork(FakeResolver.failing(DnsStatus.TIMEOUT)))


def test_threads_check_at_once() -> None:
    """As many as the docstring promises: any number, each with a backend of its own."""
    together = threading.Barrier(4)

    def one(number: int) -> str:
        given = checker_smtp.Options(domain=f"d{number}.test")
        network = FakeNetwork(FakeResolver(f"d{number}.test MX 0 ."))
        together.wait(20)
        return checker_smtp.check_blocking(given, network).observation.domain

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(one, range(4))) == [f"d{number}.test" for number in range(4)]
