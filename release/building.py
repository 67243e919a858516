"""Builds the source distribution, and the wheel from what it contains, and tries a wheel in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

_HOOK = "import sys; from setuptools import build_meta; print(build_meta.{}(sys.argv[1]))"

_HELP_OF_EVERY_COMMAND = """
import sys
from retrace.command_line import run
from retrace.command_registry import PLACES
sys.exit(sum(run([name, "--help"]) for name in PLACES))
"""
_NO_CHALICELIB = "import importlib.util, sys; sys.exit(importlib.util.find_spec('chalicelib') is not None)"
_EXTRAS = """
import retrace.console.serving, retrace.exporting.parquet
from retrace.console.application import require_libraries
require_libraries()
"""


def sdist(sources: Path, out: Path) -> Path:
    """Build the source distribution of a tree."""
    return out / built("build_sdist", sources, out)


def wheel(sources: Path, out: Path) -> Path:
    """Build the wheel of a tree."""
    return out / built("build_wheel", sources, out)


def wheel_of(archive: Path, out: Path) -> Path:
    """Build the wheel of a source distribution."""
    with TemporaryDirectory(prefix="retrace-wheel-") as directory:
        with tarfile.open(archive) as packed:
            packed.extractall(directory, filter="data")
        [sources] = Path(directory).iterdir()
        return wheel(sources, out)


def built(hook: str, sources: Path, out: Path) -> str:
    """Call a hook of this environment's setuptools, as build front ends do; returns the name of what it made."""
    command = [sys.executable, "-c", _HOOK.format(hook), str(out)]
    finished = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{hook} failed in {sources}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout.splitlines()[-1]


def try_out(wheel: Path, version: str, directory: Path) -> None:
    """Install a wheel and use it; raises CalledProcessError if anything of that fails."""
    venv.create(directory, with_pip=True)
    pip = ("python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    _run(directory, *pip, str(wheel))
    shown = _run(directory, "retrace", "--version")
    if shown != f"retrace {version}\n":
        raise ValueError(f"`retrace --version` says {shown!r}, not {version}.")
    _run(directory, "python", "-c", _HELP_OF_EVERY_COMMAND)
    _run(directory, "python", "-c", _NO_CHALICELIB)
    _run(directory, *pip, "retrace[console,parquet]")  # as commands tell users to: pip keeps the version that is there
    _run(directory, "python", "-c", _EXTRAS)


def _run(directory: Path, program: str, *arguments: str) -> str:
    """Run a program of the environment, in a directory from which nothing can be imported; returns what it says."""
    command = [str(directory / "bin" / program), *arguments]
    return subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, text=True, check=True).stdout
