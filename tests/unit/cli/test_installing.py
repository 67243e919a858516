"""`pip install .` installs the command line, what it imports, and nothing else of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from assets.fetching import FILES

ROOT = Path(__file__).parents[3]
SOURCES = ("chalicelib", "retrace")
IMPORT = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)


def pip(*arguments: object) -> None:
    """Run pip without any index, as where there is no network."""
    offline = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    command = [*offline, *map(str, arguments), "--no-index", "--no-deps"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603  # ours
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    sources = directory / "sources"
    for name in SOURCES:
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "assets", sources / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, sources / name)
    (sources / "embedded").mkdir()
    (sources / "embedded/__init__.py").touch()
    pip("wheel", "--no-build-isolation", "--wheel-dir", directory, sources)
    return next(directory.glob("*.whl"))


def test_the_wheel_holds_the_command_line_the_application_it_imports_and_the_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    modules = [path for source in SOURCES for path in (ROOT / source).rglob("*.py")]
    page = [path for path in (ROOT / "retrace/console/static").rglob("*") if path.is_file()]
    expected = [str(path.relative_to(ROOT)) for path in (*modules, *page)]

    assert sorted(names) == sorted(expected)


def test_the_wheel_holds_the_libraries_of_the_page_as_they_are_pinned(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        fetched = archive.read("retrace/console/static/vendor/fetched")

    assert fetched == (ROOT / "assets/package-lock.json").read_bytes()
    assert {f"retrace/console/static/vendor/{name}" for name in FILES.values()} <= set(names)


def test_what_is_installed_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    pip("install", "--target", tmp_path / "site", wheel)
    said = shown([tmp_path / "site/bin/retrace", "--version"], tmp_path)
    place = shown(
        [sys.executable, "-c", "import retrace, chalicelib; print(retrace.__file__, chalicelib.__file__)"], tmp_path
    )

    assert said == f"retrace {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}\n"
    assert all(path.startswith(str(tmp_path / "site")) for path in place.split())


def shown(command: Sequence[object], directory: Path) -> str:
    finished = subprocess.run(  # noqa: S603  # our own command
        list(map(str, command)),
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(directory / "site")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_every_library_that_the_command_line_imports_is_a_dependency_and_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    pinned = (ROOT / "requirements-dev.txt").read_text()
    imported = {name for path in (ROOT / "retrace").rglob("*.py") for name in IMPORT.findall(path.read_text())}
    outside = imported - set(sys.stdlib_module_names) - set(SOURCES) - {"botocore"}  # botocore is boto3's
    distributions = packages_distributions()

    assert {distributions[name][0].lower() for name in outside} <= required
    assert all(re.search(rf"^{name}==", pinned, re.MULTILINE) for name in required)


def test_the_build_works_offline_with_what_is_pinned() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = (ROOT / "requirements-dev.txt").read_text()

    assert all(re.search(rf"^{re.escape(requirement)}(\s|$)", pinned, re.MULTILINE) for requirement in build)
