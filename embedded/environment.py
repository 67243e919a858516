"""Make a virtual environment from pinned requirements. Runs before anything is installed: standard library only.

python3.11 -m embedded.environment .venv requirements-dev.txt
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

PYTHON = (3, 11)
"""The version that the functions run on; the packages in the bundle are built for it."""

STAMP = "installed"
"""The file that says an environment is complete; its age against the pins says whether it is up to date."""


def main(directory: Path, requirements: Path) -> int:
    """Make the environment afresh and return the exit status."""
    if sys.version_info[:2] != PYTHON:
        return _fail(f"{sys.executable} is not Python 3.11.", "Name one: make PYTHON=/path/to/python3.11")
    print(f"Making {directory} from {requirements} …", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    try:
        venv.create(directory, with_pip=True)
    except (subprocess.CalledProcessError, OSError, ValueError):
        return _fail(
            f"Python's venv module cannot make {directory}.",
            "On Debian and Ubuntu it needs a package of its own: apt install python3.11-venv",
        )
    if not _installed(directory, requirements):
        return _fail("pip could not install what is pinned.", "It says why above. Put that right and run make again.")
    (directory / STAMP).touch()
    return 0


def _installed(directory: Path, requirements: Path) -> bool:
    """Run pip; say how far it is, and what it said only if it fails."""
    total = sum("==" in line for line in requirements.read_text().splitlines())
    python = str(directory / "bin" / "python")
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)]
    said: list[str] = []
    found = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            said.append(line)
            if line.startswith("Collecting "):
                found += 1
                _show(f"  {found} of {total} packages found")
            elif line.startswith("Installing collected packages"):
                _show(f"  installing {total} packages    \n")
    if pip.returncode != 0:
        sys.stderr.write("\n" + "".join(said[-15:]))
    return pip.returncode == 0


def _show(progress: str) -> None:
    """Overwrite the line on a terminal; in a log, print only lines that end."""
    if sys.stdout.isatty() or progress.endswith("\n"):
        print(f"\r{progress}", end="", flush=True)


def _fail(what: str, remedy: str) -> int:
    print(f"\n{what}\n→ {remedy}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
