"""The packaged application, made once for each content of what goes into it."""

import shutil
import tempfile
from pathlib import Path

from embedded.admin import REGION
from embedded.layout import PACKAGES, ROOT
from infra.command import Tell, silent
from infra.merge import RUNTIME, SOURCES, fingerprint
from infra.package import BUNDLE, package, size

INPUTS = (*SOURCES, "infra", "requirements-tools.txt")
"""What decides the content of a package, beside the Python that makes it; requirements-tools.txt pins Chalice."""

KEPT = 8
"""How many packages are kept; the oldest go first."""


def packaged(tell: Tell) -> Path:
    """Return the directory with sam.json and deployment.zip of the checkout as it is now."""
    target = PACKAGES / f"{RUNTIME}-{fingerprint(ROOT, INPUTS)}"
    if not target.exists():
        tell("Packaging the application")
        _make(target)
        _forget_oldest(PACKAGES)
    return target


def _make(target: Path) -> None:
    """Package beside the target and move it there whole: others see all of it or nothing."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=PACKAGES, prefix=".making-"))
    try:
        package(temporary, region=REGION)
        temporary.rename(target)
    except OSError:
        if not target.exists():  # else another process made the same package first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _forget_oldest(directory: Path) -> None:
    by_age = sorted(directory.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    print(size(packaged(silent) / BUNDLE))
