"""`make release`: builds the source distribution and the wheel of the last commit, and tries the wheel out."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.fetching import PLACE
from release.building import sdist, wheel_of
from release.checks import faults
from release.trial import try_out

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build/release"


def main() -> int:
    """Check, build and try out; returns the exit status."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    wrong = list(faults(version, changelog, _git("status", "--porcelain"), _git("tag").split()))
    if wrong:
        print("This commit cannot be released.", *(f"→ {fault}" for fault in wrong), sep="\n", file=sys.stderr)
        return 1
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with TemporaryDirectory(prefix="retrace-release-") as directory:
        print(f"Building {version} …", flush=True)
        archive = sdist(_sources(Path(directory, "sources")), OUT)
        wheel = wheel_of(archive, OUT)
        print("Trying the wheel in an empty environment …", flush=True)
        try_out(wheel, version, Path(directory, "environment"))
    for made in (archive, wheel):
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        print(f"{made.relative_to(ROOT)}  {made.stat().st_size:,} bytes  sha256 {digest}")
    print(f"Next: git tag v{version} && git push origin v{version}, then attach both files to the release of that tag.")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
