"""`make release`: builds the source distribution and the wheel of the last commit, and tries the wheel out."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.core.version import VERSION
from infra.command import say, say_doing
from release.building import sdist, try_out, wheel_of
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


if __name__ == "__main__":
    sys.exit(main())
