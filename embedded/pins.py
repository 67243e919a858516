"""Pin what the .in files ask for, with hashes, in lock files that hold for every Python and system: `make pins`.

The index, its certificate and credentials are those of pip, which uv does not ask.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

from embedded.environment import OLDEST
from embedded.layout import ROOT

LOCKS = {
    "requirements-tools.txt": ("requirements-run.in", "requirements-console.in", "requirements-dev.in"),
    "requirements.txt": ("--constraints", "requirements-tools.txt", "requirements.in"),
    "requirements-emulator.txt": ("requirements-embedded.in", "requirements-faults.in"),
    "requirements-checkov.txt": ("requirements-checkov.in",),
}
"""Each lock file, in the order they are made in, with the lists that it has the packages of."""

SETTINGS = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
"""What uv calls settings of pip."""

OPTIONS = (
    *("--quiet", "--universal", "--generate-hashes", "--no-header", "--annotation-style=line"),
    *("--python-version", ".".join(map(str, OLDEST))),
    *("--no-emit-package", "pip"),  # Chalice asks for it, and every environment has the one that Python brings
    *("--index-strategy", "unsafe-best-match", "--system-certs"),  # as pip does
)


def main(*options: str) -> int:
    """Make all lock files and return the exit status; options are uv's, such as --upgrade."""
    listed = subprocess.run(  # our own interpreter
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    environment = as_of_pip(listed.stdout) | os.environ
    for lock, lists in LOCKS.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *options, "--output-file", lock, *lists]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def as_of_pip(listed: str) -> dict[str, str]:
    """Translate what `pip config list` prints: of a setting that is there twice the last one holds, as with pip."""
    return dict(_translated(listed))


def _translated(listed: str) -> Iterator[tuple[str, str]]:
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in {"global", "install", ":env:"} and setting in SETTINGS:
            yield SETTINGS[setting], str(ast.literal_eval(value))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
