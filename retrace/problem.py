"""The error that stops a command: what is wrong, the remedy, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    DONE = 0
    DIFFERENT = 1
    """The command worked, and what it looked for is not as it should be: differences found, events refused."""
    USAGE = 2
    """The command was called in a way that makes no sense, or with files that cannot be read or written."""
    UNREACHABLE = 3
    """No target, no credentials, or no answer."""
    REFUSED = 4
    """The API, or AWS, refused."""
    NOT_FOUND = 5
    """The API has nothing under this id or key."""
    BROKEN = 70
    """A fault of the command itself."""
    INTERRUPTED = 130
    """Ctrl-C."""
    CUT_OFF = 141
    """The reader of the output is gone, as with `| head`."""


class Problem(Exception):
    """Something that the user can put right: what is wrong, the remedy, and how the command exits."""

    def __init__(self, what: str, remedy: str, exit_code: Exit = Exit.REFUSED) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.exit_code = exit_code


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a failed import below into the command that installs the package. On PyPI, `retrace` is another project."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        remedy = f"Run: {sys.executable} -m pip install {package}"
        raise Problem(f"The package {package} of the extra {name} is not installed.", remedy, Exit.USAGE) from error
