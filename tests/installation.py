"""An empty environment with the wheel and, of other packages, only what the wheel requires."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Installation:
    """An environment in which the wheel is installed."""

    directory: Path

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, outside of the checkout."""
        program, *rest = map(str, arguments)
        return subprocess.run(  # noqa: S603  # our own command
            [str(self.directory / "bin" / program), *rest],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def said(self, *arguments: object, **environment: str) -> str:
        """What a program says that ends well."""
        finished = self.run(*arguments, **environment)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


def a_checkout(directory: Path) -> Path:
    """A copy of what the build reads, without what is fetched or generated."""
    for name in ("chalicelib", "release", "retrace"):
        ignored = shutil.ignore_patterns("__pycache__", "vendor")
        shutil.copytree(ROOT / name, directory / name, ignore=ignored)
    for name in ("CHANGELOG.md", "LICENSE", "MANIFEST.in", "NOTICE", "README.md", "pyproject.toml"):
        shutil.copy2(ROOT / name, directory / name)
    return directory


def installed(wheel: Path, directory: Path, extras: Sequence[str] = ()) -> Installation:
    """Install a wheel without any index; what it requires is linked from the environment of the tests."""
    venv.create(directory, symlinks=True)
    [site] = directory.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(directory / "bin/python"), "--disable-pip-version-check"]
    options = ["install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    finished = subprocess.run([*pip, *options, str(wheel)], capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert finished.returncode == 0, finished.stderr
    [metadata] = site.glob("retrace-*.dist-info")
    for required in closure(Distribution.at(metadata), extras):
        _link(required, site)
    return Installation(directory)


def closure(of: Distribution, extras: Sequence[str] = ()) -> list[Distribution]:
    """The distributions that one requires, directly or not."""
    found: dict[str, Distribution] = {}
    left = list(_required(of, extras))
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = distribution(name)
            left += _required(found[name], list(requirement.extras))
    return list(found.values())


def _required(of: Distribution, extras: Sequence[str]) -> Iterator[Requirement]:
    for line in of.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _link(required: Distribution, site: Path) -> None:
    """Let an environment have what another has of a distribution."""
    top = {path.parts[0] for path in required.files or () if path.parts[0] not in {"..", "__pycache__"}}
    for name in top:
        if not (site / name).exists():
            (site / name).symlink_to(Path(str(required.locate_file(name))))
