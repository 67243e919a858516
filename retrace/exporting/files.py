"""Where an export goes: standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from retrace.problem import Exit, Problem

STANDARD_OUTPUT = "-"


@contextmanager
def opened(out: str, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to; it gets its name when all is written, so that half an export is not taken for one."""
    if out == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not replace:
        raise Problem(f"{out} is there already.", "Name another file, or add --force to replace it.", Exit.USAGE)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise Problem(f"{out} cannot be written: {error}", "Name a file that can be.", Exit.USAGE) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
