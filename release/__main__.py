"""`make release`: builds the source distribution and the wheel of the last commit, and tries the wheel out."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.core.version import VERSION
from infra.command import say, say_doing
from release.page_libraries import PLACE, ROOT

OUT = ROOT / "build/release"
_HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def main() -> int:
    """Check, build and try out; returns the exit status."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    wrong = list(faults(VERSION, changelog, _git("status", "--porcelain"), _git("tag").split()))
    if wrong:
        print("This commit cannot be released.", *(f"→ {fault}" for fault in wrong), sep="\n", file=sys.stderr)
        return 1
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with TemporaryDirectory(prefix="retrace-release-") as directory:
        say_doing(f"Building {VERSION}")
        archive = sdist(_sources(Path(directory, "sources")), OUT)
        wheel = wheel_of(archive, OUT)
        say_doing("Trying the wheel in an empty environment")
        try_out(wheel, VERSION, Path(directory, "environment"))
    for made in (archive, wheel):
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        say(f"{made.relative_to(ROOT)}  {made.stat().st_size:,} bytes  sha256 {digest}")
    say(f"Next: git tag v{VERSION} && git push origin v{VERSION}, then attach both files to the release of that tag.")
    return 0


def faults(version: str, changelog: str, changes: str, tags: Collection[str]) -> Iterator[str]:
    """What is wrong, each with what to do. `changes` are those of the working tree, as `git status` lists them."""
    if changes:
        yield f"These files differ from the last commit. Commit or remove them:\n{changes}"
    if f"v{version}" in tags:
        yield f"Version {version} is released: there is a tag v{version}. Set the next in chalicelib/core/version.py."
    found = sections(changelog)
    if not found.get(version):
        yield f"CHANGELOG.md has no section '## [{version}] - <date>' with entries. Add it."
    if found.get("Unreleased"):
        yield (
            f"CHANGELOG.md lists changes under Unreleased. Move them to the section of {version}. If {version} is "
            "released already, move them to a section of the next version and set that in chalicelib/core/version.py."
        )


def sections(changelog: str) -> dict[str, str]:
    """What a changelog lists of each version. A version without a date is not released, so its entries do not count."""
    found = {}
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    for heading, end in zip(headings, ends, strict=True):
        if heading[1] == "Unreleased" or heading[2]:
            found[heading[1]] = changelog[heading.end() : end].strip()
    return found


def _sources(directory: Path) -> Path:
    """The last commit, and the libraries of the page."""
    directory.mkdir()
    packed = directory / "commit.tar"
    _git("archive", f"--output={packed}", "HEAD")
    with tarfile.open(packed) as archive:
        archive.extractall(directory, filter="data")
    packed.unlink()
    shutil.copytree(PLACE, directory / PLACE.relative_to(ROOT))
    return directory


def _git(*arguments: str) -> str:
    git = ["git", *arguments]
    return subprocess.run(git, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


_HOOK = "import sys; from setuptools import build_meta; print(build_meta.{}(sys.argv[1]))"

_HELP_OF_EVERY_COMMAND = """
import sys
from retrace.command_line import run
from retrace.command_registry import PLACES
sys.exit(sum(run([*name.split(), "--help"]) for name in PLACES))
"""
_NO_CHALICELIB = "import importlib.util, sys; sys.exit(importlib.util.find_spec('chalicelib') is not None)"
_EXTRAS = """
import retrace.console.application, retrace.exporting.parquet, duckdb
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
    _run(
        directory, *pip, "retrace[console,parquet,sql]"
    )  # as commands tell users to: pip keeps the version that is there
    _run(directory, "python", "-c", _EXTRAS)


def _run(directory: Path, program: str, *arguments: str) -> str:
    """Run a program of the environment, in a directory from which nothing can be imported; returns what it says."""
    command = [str(directory / "bin" / program), *arguments]
    return subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
