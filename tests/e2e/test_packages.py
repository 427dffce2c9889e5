"""Both distributions as their users get them: built, installed into fresh environments, and uninstalled.

pip installs from the index of its configuration. The tests of one environment run in the order of this file.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASE = ROOT / "fixtures" / "postfix-healthy"
LINKS = ("backends", "probes", "report")
_LIMIT = 120

# Runs in the environment: imports every module of a package, and prints each missing package with its module.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
loaded, missing = [], {}
for package in map(importlib.import_module, sys.argv[1:]):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name == "checker_smtp.__main__":
            continue
        try:
            loaded.append(importlib.import_module(module.name).__file__)
        except ModuleNotFoundError as error:
            missing[module.name] = error.name
print(json.dumps([loaded, missing]))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment; its programs run in `cwd`, and with that folder on PYTHONPATH."""

    path: Path
    cwd: Path

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run a program of the environment and return its standard output; its exit code must be 0."""
        return run(self.path / "bin" / program, *arguments, cwd=self.cwd, PYTHONPATH=str(self.cwd))

    def pip(self, *arguments: str | Path) -> str:
        """Run this interpreter's pip for the environment."""
        return run(sys.executable, "-m", "pip", "--python", self.path / "bin" / "python", *arguments)

    def distributions(self) -> set[str]:
        """Return the names of the installed distributions."""
        return {line.partition("==")[0] for line in self.pip("list", "--format", "freeze").split()}


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=inherited | variables,
        timeout=_LIMIT,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def new_environment(path: Path, cwd: Path) -> Environment:
    run(sys.executable, "-m", "venv", "--without-pip", path)
    return Environment(path, cwd)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("builder")
    made = new_environment(folder / "venv", folder)
    made.pip("install", "-q", "build", "hatchling")
    return made


@pytest.fixture(scope="module")
def wheels(builder: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build an sdist of each distribution and its wheel from the sdist; return the wheels by name."""
    out = tmp_path_factory.mktemp("dist")
    for project in (ROOT, ROOT / "smtp_sansio"):
        builder.run("python", "-m", "build", "-q", "--no-isolation", "--outdir", out, project)
    assert len(list(out.glob("*.tar.gz"))) == 2
    return {path.name.partition("-")[0]: path for path in out.glob("*.whl")}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with modules of the names that the top level of the source tree has as links."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, file in (
        ("backends", "backends/__init__.py"),
        ("probes", "probes/__init__.py"),
        ("report", "report.py"),
    ):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(f"raise RuntimeError('the wrong {name} was imported')\n")
    return folder


@pytest.fixture(scope="module")
def installed(
    wheels: dict[str, Path], hostile: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Both wheels with their dependencies and no extra, in an environment whose programs run in `hostile`."""
    made = new_environment(tmp_path_factory.mktemp("both") / "venv", hostile)
    made.pip("install", "-q", *wheels.values())
    return made


def optional_packages() -> set[str]:
    """Return the top-level modules that the extras install: those named, and what these bring along."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {
        requirement.partition(">")[0] for requirements in extras.values() for requirement in requirements
    }
    # pytest itself imports its plugin
    return named - {"anyio"} | {"dask", "h11", "pytest"}


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_a_wheel_contains_its_package_and_nothing_else(wheels: dict[str, Path]) -> None:
    assert set(wheels) == {"checker_smtp", "smtp_sansio"}
    for package, wheel in wheels.items():
        shared = [name.partition(".data/data/")[2] for name in names(wheel) if ".data/data/" in name]
        wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "share").rglob("*") if path.is_file()}
        assert set(shared) == (wanted if package == "checker_smtp" else set())
        files = [name for name in names(wheel) if ".dist-info/" not in name and ".data/data/" not in name]
        assert {name.partition("/")[0] for name in files} == {package}
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}
        assert sources <= set(files)
        assert f"{package}/py.typed" in files


def test_every_module_is_imported_beside_hostile_modules(installed: Environment) -> None:
    loaded, missing = json.loads(installed.run("python", "-c", IMPORT_ALL, "checker_smtp", "smtp_sansio"))
    assert all(path.startswith(str(installed.path)) for path in loaded)
    assert {module: name for module, name in missing.items() if name not in optional_packages()} == {}
    assert len(loaded) > 4 * len(missing)


@pytest.mark.parametrize("command", [["checker-smtp"], ["python", "-m", "checker_smtp"]])
def test_the_command_runs_beside_hostile_modules(installed: Environment, command: list[str]) -> None:
    report = installed.run(*command, "replay", CASE)
    assert report.startswith("dev-healthy.test: OK")
    assert installed.run(*command, "--version").startswith("checker-smtp ")


def test_the_demo_runs_beside_hostile_modules(installed: Environment) -> None:
    assert "OK, with notes  null-mx.demo.test: " in installed.run("checker-smtp", "demo")


def test_a_program_uses_the_api_beside_hostile_modules(installed: Environment) -> None:
    program = (
        "import sys, anyio, pathlib; from checker_smtp import render, replay; "
        "print(render(anyio.run(replay, pathlib.Path(sys.argv[1])), 'json'))"
    )
    assert '"domain": "dev-healthy.test"' in installed.run("python", "-c", program, CASE)


def test_the_rule_of_another_package_is_installed(
    installed: Environment, builder: Environment, tmp_path: Path
) -> None:
    project = shutil.copytree(ROOT / "examples" / "greeting-version", tmp_path / "project")
    builder.run("python", "-m", "build", "-q", "--wheel", "--no-isolation", "--outdir", tmp_path, project)
    (wheel,) = tmp_path.glob("*.whl")
    installed.pip("install", "-q", "--no-index", wheel)
    assert "example.greeting_version" in installed.run("checker-smtp", "rules")
    told = installed.run("checker-smtp", "replay", ROOT / "fixtures" / "exim-healthy")
    assert "names the software with its version: Exim 4.96." in " ".join(told.split())
    installed.pip("uninstall", "-q", "-y", "checker-smtp-greeting-version")


def test_uninstalling_deletes_nothing_of_another_distribution(installed: Environment, tmp_path: Path) -> None:
    wheel = tmp_path / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "other-1.0.dist-info"
        files = {f"{name}/__init__.py": "OTHER = True\n" for name in LINKS}
        files[f"{info}/METADATA"] = "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        for name, text in files.items():
            archive.writestr(name, text)
    installed.pip("install", "-q", "--no-index", wheel)
    installed.pip("uninstall", "-q", "-y", "checker-smtp", "smtp-sansio")
    # -I, because the folder of this environment has modules of these names
    program = "from " + "; from ".join(f"{name} import OTHER" for name in LINKS)
    installed.run("python", "-I", "-c", program)
    assert not {"checker-smtp", "smtp-sansio"} & installed.distributions()
    assert not list(installed.path.glob("lib/*/site-packages/checker_smtp*"))


def test_smtp_sansio_is_installed_alone(wheels: dict[str, Path], tmp_path: Path, hostile: Path) -> None:
    alone = new_environment(tmp_path / "venv", hostile)
    alone.pip("install", "-q", "--no-index", wheels["smtp_sansio"])
    assert alone.distributions() == {"smtp-sansio"}
    program = (
        "import importlib.util as util, smtp_sansio\n"
        "assert not any(map(util.find_spec, ('anyio', 'checker_smtp')))\n"
        "connection = smtp_sansio.Connection()\n"
        "connection.receive_data(b'220 mx.example\\r\\n')\n"
        "print(connection.next_event().code, connection.send(smtp_sansio.Ehlo('probe.example')))"
    )
    assert alone.run("python", "-c", program) == "220 b'EHLO probe.example\\r\\n'\n"


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Clone the source tree twice: with symbolic links, and without them."""
    if not (ROOT / ".git").exists():
        pytest.skip("this source tree is not a git repository")
    folder = tmp_path_factory.mktemp("clones")
    for name, symlinks in (("linked", "true"), ("plain", "false")):
        run("git", "-c", f"core.symlinks={symlinks}", "clone", "-q", ROOT, folder / name)
    return folder / "linked", folder / "plain"


def test_a_clone_without_symbolic_links_builds_the_same_wheels(
    builder: Environment, clones: tuple[Path, Path], tmp_path: Path
) -> None:
    linked, plain = clones
    assert all((linked / name).is_symlink() and not (plain / name).is_symlink() for name in LINKS)
    for project in (".", "smtp_sansio"):
        contents = []
        for clone in clones:
            out = tmp_path / clone.name / project
            builder.run(
                "python", "-m", "build", "-q", "--no-isolation", "--wheel", "--outdir", out, clone / project
            )
            contents.append(names(next(out.glob("*.whl"))))
        assert contents[0] == contents[1]


def test_a_clone_without_symbolic_links_runs_and_is_tested(clones: tuple[Path, Path]) -> None:
    _, plain = clones
    program = "import checker_smtp, smtp_sansio; print(checker_smtp.__file__, smtp_sansio.__file__)"
    paths = run(sys.executable, "-c", program, cwd=plain, PYTHONPATH=str(plain)).split()
    assert all(path.startswith(str(plain)) for path in paths)
    assert run(sys.executable, "-m", "checker_smtp", "replay", CASE, cwd=plain, PYTHONPATH=str(plain))
    fast = ["tests/apps/test_packages.py", "tests/apps/test_public_api.py", "tests/sansio/test_exports.py"]
    run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *fast,
        cwd=plain,
        PYTHONPATH=str(plain),
    )
