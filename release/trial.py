"""Tries a wheel out in an empty environment: with what it requires, then with its extras too."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

_HELP_OF_EVERY_COMMAND = """
import sys
from retrace.command_line import run
from retrace.commands import PLACES
sys.exit(sum(run([name, "--help"]) for name in PLACES))
"""
_NO_CHALICELIB = "import importlib.util, sys; sys.exit(importlib.util.find_spec('chalicelib') is not None)"
_EXTRAS = """
import retrace.console.serving, retrace.exporting.parquet
from retrace.console.page import require_libraries
require_libraries()
"""


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
