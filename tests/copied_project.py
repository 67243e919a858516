"""A copy of the project in which the code may be made wrong, and runs of its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
_LEFT_OUT = (".git", ".venv", ".retrace", "build", "node_modules", "__pycache__", ".*_cache", ".hypothesis")
_ENDLESS_S = 1_200
"""Far longer than the tests of any break take: code that is wrong may never end."""


@contextmanager
def a_copy() -> Iterator[Path]:
    """The folder of a copy without what was installed, built or remembered."""
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory) / "project"
        shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        yield project


@dataclass(frozen=True)
class Outcome:
    """What a run of tests came to."""

    tests: int
    failures: int
    errors: int

    @property
    def green(self) -> bool:
        """Whether all of them passed."""
        return self.tests > 0 and not self.failures and not self.errors

    @property
    def noticing(self) -> bool:
        """Whether a test failed; that one cannot be run at all is no failure."""
        return self.failures > 0 and not self.errors


def run_tests(project: Path, *arguments: str) -> Outcome:
    """Run tests in a copy, on moto, as MiniStack is not installed there."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AWS_"))}
    report = project / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    try:
        subprocess.run(  # noqa: S603  # ours
            [*command, *arguments],
            cwd=project,
            env={**own, "RETRACE_AWS": "moto"},
            capture_output=True,
            check=False,
            timeout=_ENDLESS_S,
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, 0, 1)
    if not report.exists():
        return Outcome(0, 0, 1)
    found = ET.parse(report).getroot()[0].attrib  # noqa: S314  # pytest wrote it just now
    return Outcome(*(int(found[name]) for name in ("tests", "failures", "errors")))
