"""Install what a lock file pins into a virtual environment, with the pip of the one that runs this.

python -m embedded.installation .retrace/venv requirements-embedded.txt
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

OPTIONS = (
    "--disable-pip-version-check",
    "--require-hashes",  # of the lock file
    "--only-binary=:all:",  # nothing is built, as what builds would come without hashes
    "--no-deps",  # the lock file has them all
    "--no-compile",  # Python compiles what is imported, which is a small part
)


def main(directory: Path, lock: Path) -> int:
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
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
