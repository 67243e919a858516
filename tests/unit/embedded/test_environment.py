"""The environments that make makes: of which Python, from what, and what is said if one cannot be made."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from embedded.environment import NEWEST, OLDEST, pinned
from embedded.layout import ROOT

pytestmark = pytest.mark.long

MAKE = shutil.which("make") or "make"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Makefile needs to say what it would do, and a place for Pythons."""
    for path in [ROOT / "Makefile", *ROOT.glob("requirements*")]:
        shutil.copy2(path, tmp_path)
    (tmp_path / "bin").mkdir()
    return tmp_path


def python(checkout: Path, name: str, version: str) -> Path:
    """A Python of some version, which runs nothing but says that, if Retrace runs on it."""
    supported = version.startswith(("3.11.", "3.12.", "3.13.", "3.14."))
    program = checkout / "bin" / name
    program.write_text(f"#!/bin/sh\n{f'echo {version}' if supported else ''}\n")
    program.chmod(0o755)
    return program


def make(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the make of this machine, on a copy of our Makefile
        [MAKE, *arguments],
        cwd=checkout,
        env={"PATH": f"{checkout}/bin:/usr/bin:/bin" if arguments[0] == "-n" else f"{checkout}/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_newest_python_that_is_found_is_taken(checkout: Path) -> None:
    for name, version in {"python3.14": "3.15.0", "python3.13": "3.13.9", "python3.12": "3.12.4"}.items():
        python(checkout, name, version)

    assert "python3.13 -m embedded.environment .venv" in make(checkout, "-n", "-B", "demo").stdout.splitlines()


def test_a_python_can_be_named(checkout: Path) -> None:
    python(checkout, "python3.13", "3.13.9")
    named = python(checkout, "another", "3.12.4")

    planned = make(checkout, "-n", "-B", "demo", f"PYTHON={named}").stdout

    assert f"{named} -m embedded.environment .venv" in planned.splitlines()


@pytest.mark.parametrize(("version", "stays"), [("3.12.4", True), ("3.13.9", False)])
def test_environments_of_another_python_than_the_one_that_is_named_are_made_again(
    checkout: Path, version: str, *, stays: bool
) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    (checkout / ".venv/made").touch()
    python(checkout, "another", version)

    make(checkout, "-n", "demo", PYTHON="another")

    assert (checkout / ".venv/made").exists() == stays


@pytest.mark.parametrize("named", ["missing", "true", "old"])
def test_another_program_or_python_that_is_named_is_refused_and_environments_stay(checkout: Path, named: str) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/made").touch()
    python(checkout, "old", "3.10.13")

    done = make(checkout, "-n", "demo", f"PYTHON={named}")

    assert done.returncode != 0
    assert done.stdout == ""
    assert f"{named} is not Python 3.11, 3.12, 3.13 or 3.14." in done.stderr
    assert "→ Install one of them, or name it: make PYTHON=/path/to/python3.13" in done.stderr
    assert (checkout / ".venv/made").exists()


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 11, 0), (3, 14, 9), (3, 15, 0)])
def test_make_takes_the_pythons_that_retrace_runs_on(version: tuple[int, int, int]) -> None:
    [asked] = re.findall("^VERSION := -c '(.*)'$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    answer = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", f"import sys; sys.version_info = {version}; {asked}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == (".".join(map(str, version)) if OLDEST <= version[:2] <= NEWEST else "")


def test_without_a_python_make_says_which_are_taken_and_how_to_name_one(checkout: Path) -> None:
    done = make(checkout, "demo")

    assert done.returncode != 0
    assert "Python 3.11, 3.12, 3.13 or 3.14 was not found." in done.stderr
    assert "make PYTHON=/path/to/python3.13" in done.stderr


def test_all_environments_are_of_the_python_of_the_first(checkout: Path) -> None:
    named = python(checkout, "another", "3.12.4")
    planned = make(checkout, "-n", "-B", "demo", ".retrace/checkov/installed", f"PYTHON={named}").stdout

    assert [line for line in planned.splitlines() if line.startswith(str(named))] == [
        f"{named} -m embedded.environment .venv"
    ]
    for place in (".retrace/venv", ".retrace/checkov"):
        assert f".venv/bin/python -m venv --clear --without-pip {place}" in planned


def with_a_stack(checkout: Path) -> None:
    (checkout / ".retrace").mkdir(exist_ok=True)
    (checkout / ".retrace/administrator.json").touch()


@pytest.mark.parametrize("command", ["down", "forget"])
def test_without_a_stack_there_is_nothing_to_install_for_stopping_it(checkout: Path, command: str) -> None:
    for program in ("echo", "od"):
        (checkout / "bin" / program).symlink_to(shutil.which(program) or program)
    without = make(checkout, command)
    with_a_stack(checkout)
    planned = make(checkout, "-n", command).stdout

    assert (without.returncode, without.stderr) == (0, "")
    assert without.stdout == "There is no stack here. make up starts one.\n"
    assert not (checkout / ".venv").exists()
    assert "embedded.environment .retrace/venv" in planned
    assert f"-m embedded {command}\n" in planned


@pytest.mark.parametrize(("installed", "stays"), [(True, True), (True, False), (False, True)])
def test_clean_stops_a_stack_where_one_can_be_and_installs_nothing_where_none_can(
    checkout: Path, *, installed: bool, stays: bool
) -> None:
    if installed:
        (checkout / ".retrace/venv").mkdir(parents=True)
        (checkout / ".retrace/venv/installed").touch()
    if stays:
        with_a_stack(checkout)

    planned = make(checkout, "-n", "clean").stdout

    assert ("embedded forget" in planned) == (installed and stays)
    assert ("embedded.environment .retrace/venv" in planned) == (installed and stays)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file of one package, and that beside it."""
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        archive.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.dist-info/RECORD", "")
    (tmp_path / "some.in").write_text("# Something tiny.\ntiny\n")
    lock = tmp_path / "some.txt"
    lock.write_text(
        f"tiny==1 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n    # via -r some.in\n"
    )
    return lock


def install(lock: Path) -> subprocess.CompletedProcess[str]:
    made = lock.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)  # noqa: S603  # our own
    return subprocess.run(  # noqa: S603  # our own interpreter, our own module
        [sys.executable, "-m", "embedded.environment", made, lock, lock.with_suffix(".in")],
        cwd=ROOT,
        env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(lock.parent), "PIP_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_pinned_is_installed_and_said_before(lock: Path) -> None:
    done = install(lock)

    assert done.stderr == ""
    assert done.stdout == f"Something tiny. 1 packages for {lock.parent}/environment …\n"
    assert len(list(lock.parent.glob("environment/lib/python*/site-packages/tiny.py"))) == 1


@pytest.mark.parametrize("hashed", [f" \\\n    --hash=sha256:{'0' * 64}", ""])
def test_what_has_another_hash_or_none_is_not_installed(lock: Path, hashed: str) -> None:
    lock.write_text(f"tiny==1{hashed}\n    # via -r some.in\n")

    done = install(lock)

    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert "pip could not install what is pinned.\n→" in done.stderr


def test_what_only_others_ask_for_is_not_installed(lock: Path) -> None:
    lock.write_text(lock.read_text() + "huge==1 \\\n    --hash=sha256:0\n    # via -r another.in, larger\n")

    done = install(lock)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_list_has_its_packages_those_of_lists_that_it_includes_and_what_they_need() -> None:
    asked = {
        "one==1": "-r one.in",
        "two==2 ; python_version < '3.12'": "-r two.in",
        "two==3": "-r two.in",
        "needed==4": "also, two",
        "needed-by-it==5": "needed",
        "also==6": "-r also.in",
    }
    lock = "".join(f"{pin} \\\n    --hash=sha256:0\n    # via {by}\n" for pin, by in asked.items())

    found = [pin.splitlines()[0].removesuffix(" \\") for pin in pinned(lock, ["one.in", "two.in"])]

    assert found == [pin for pin in asked if pin != "also==6"]


def test_nothing_is_built_for_an_installation(lock: Path) -> None:
    (source,) = lock.parent.glob("*.whl")
    source.rename(lock.parent / "tiny-1.tar.gz")

    done = install(lock)

    assert done.returncode != 0
    assert "No matching distribution" in done.stderr
