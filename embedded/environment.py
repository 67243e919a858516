"""Make an empty virtual environment with pip, or install what a list asks for into one, as a lock file pins it.

    python3 -m embedded.environment .venv
    python -m embedded.environment .venv requirements-tools.txt requirements-run.in

It runs before anything is installed, so it needs the standard library only. What installs is the pip beside the Python
that runs this.
"""

import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
"""Lambda has a runtime for each of them; the packages in the bundle are built for the one that packages."""

_PIN = re.compile(r"^(([a-z0-9-]+)==(?:.|\n(?! +#))+)\n +# via (.+)$", re.MULTILINE)
"""A pin with its hashes, its name, and who asks for it. A package that other versions suit on other Pythons has two."""

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


def install(directory: Path, lock: Path, asked: Path) -> int:
    """Say what for and how far it is, and what pip said only if it fails; return the exit status."""
    pins = list(pinned(lock.read_text(), lists_of(asked)))
    purpose = asked.read_text().splitlines()[0].removeprefix("# ")
    print(f"{purpose} {len(pins)} packages for {directory} …", flush=True)
    into = ["--python", str(directory / "bin" / "python")]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as part:
        part.write("\n".join(pins))
        part.flush()
        command = [sys.executable, "-m", "pip", *into, "install", *OPTIONS, "-r", part.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
            said = list(_followed(pip.stdout or (), f"of {len(pins)} packages found for {directory}"))
    if pip.returncode != 0:
        print("", *said[-15:], "pip could not install what is pinned.", sep="\n", file=sys.stderr)
        print("→ The reason is above. Correct it and run make again.", file=sys.stderr)
    return pip.returncode


def pinned(lock: str, lists: Iterable[str]) -> Iterator[str]:
    """The pins of a lock file that some lists ask for, themselves or through another package.

    uv writes below each pin who asks for it: packages, and lists as `-r requirements.in`.
    """
    pins = [(pin, name, set(asking.split(", "))) for pin, name, asking in _PIN.findall(lock)]
    found, new = set[str](), {f"-r {name}" for name in lists}
    while new:
        found |= new
        new = {name for _, name, asking in pins if name not in found and asking & found}
    return (pin for pin, name, _ in pins if name in found)


def lists_of(asked: Path) -> Iterator[str]:
    """The name of a list, and of those that it includes: `asked` is its file."""
    yield asked.name
    for included in re.findall(r"^-r (.+)$", asked.read_text(), re.MULTILINE):
        yield from lists_of(asked.parent / included)


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
    place, *what = map(Path, sys.argv[1:])
    sys.exit(install(place, *what) if what else make(place))
