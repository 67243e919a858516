"""Make an empty virtual environment with pip, or install what a lock file pins into one.

    python3 -m embedded.environment .venv
    python -m embedded.environment .venv requirements-run.txt

It runs before anything is installed, so it needs the standard library only. What installs is the pip beside the Python
that runs this.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
"""Lambda has a runtime for each of them; the packages in the bundle are built for the one that packages."""

OPTIONS = (
    "--disable-pip-version-check",
    "--require-hashes",  # of the lock file
    "--only-binary=:all:",  # nothing is built, as what builds would come without hashes
    "--no-deps",  # the lock file has them all
    "--no-compile",  # Python compiles what is imported, which is a small part
)


def make(directory: Path) -> int:
    """Make the environment afresh and return the exit status."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"Making {directory} with Python {version} …", flush=True)
    try:
        venv.create(directory, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, OSError, ValueError):
        print(f"\nPython's venv module cannot make {directory}.", file=sys.stderr)
        print(
            f"→ On Debian and Ubuntu it needs a package of its own: apt install python{version}-venv", file=sys.stderr
        )
        return 1
    return 0


def install(directory: Path, lock: Path) -> int:
    """Say what for and how far it is, and what pip said only if it fails; return the exit status."""
    total = sum("==" in line for line in lock.read_text().splitlines())
    print(f"{_purpose(lock)} {total} packages for {directory} …", flush=True)
    into = ["--python", str(directory / "bin" / "python")]
    command = [sys.executable, "-m", "pip", *into, "install", *OPTIONS, "-r", str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        said = list(_followed(pip.stdout or (), f"of {total} packages found for {directory}"))
    if pip.returncode != 0:
        print("", *said[-15:], "pip could not install what is pinned.", sep="\n", file=sys.stderr)
        print("→ The reason is above. Correct it and run make again.", file=sys.stderr)
    return pip.returncode


def _purpose(lock: Path) -> str:
    """What the lock file is for: the comment that what it was made from begins with."""
    return lock.with_suffix(".in").read_text().splitlines()[0].removeprefix("# ")


def _followed(lines: Iterable[str], what: str) -> Iterator[str]:
    """Yield the lines; count the packages in one line of a terminal."""
    found = 0
    for line in lines:
        yield line.rstrip()
        if line.startswith("Collecting ") and sys.stdout.isatty():
            found += 1
            print(f"\r  {found} {what}", end="", flush=True)
    if found:
        print()


if __name__ == "__main__":
    place, *locks = map(Path, sys.argv[1:])
    sys.exit(install(place, *locks) if locks else make(place))
