"""A terminal to run commands in: what people see, where a pipe would show something else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

COLUMNS = 200
_DRAWING = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|2K|[0-9]*A)")
"""What rich draws with: colours, and lines of progress that replace each other. Anything else stays to be seen."""


def on_a_terminal(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str], columns: int = COLUMNS
) -> tuple[int, str]:
    """Run a command on a terminal of its own; answers its exit code and what it showed, each state of a bar a line."""
    its_own = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    try:
        with subprocess.Popen(  # noqa: S603  # the tests' own commands
            list(command),
            cwd=directory,
            env=its_own | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as running:
            os.close(theirs)
            shown = _all_of(ours)
        return running.returncode, _DRAWING.sub("", shown.decode().replace("\r\n", "\n").replace("\r", "\n"))
    finally:
        os.close(ours)


def _all_of(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            some = os.read(terminal, 65_536)
        except OSError:  # EIO: nobody has it open any more
            return shown
        if not some:
            return shown
        shown += some
