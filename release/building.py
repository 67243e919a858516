"""Builds the source distribution, and the wheel from what it contains, with the setuptools of this environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

_HOOK = "import sys; from setuptools import build_meta; print(build_meta.{}(sys.argv[1]))"


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
    """Call a hook of setuptools in a tree, as build front ends do; returns the name of what it made."""
    command = [sys.executable, "-c", _HOOK.format(hook), str(out)]
    finished = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{hook} failed in {sources}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout.splitlines()[-1]
