"""Make an empty virtual environment with pip. Runs before anything is installed: standard library only.

python3 -m embedded.environment .venv
"""

import subprocess
import sys
import venv
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
"""Lambda has a runtime for each of them; the packages in the bundle are built for the one that packages."""


def main(directory: Path) -> int:
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


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
