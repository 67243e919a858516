"""Where an export goes: standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

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
    if path.is_dir():
        raise Problem(f"{out} is a directory.", "Name a file in it.", Exit.USAGE)
    try:
        with _partial(path) as (file, name):
            yield file
            file.close()
            name.replace(path)
    except OSError as error:
        remedy = "Make room, or name a file that can be written."
        raise Problem(f"{out} cannot be written: {error}", remedy, Exit.USAGE) from error


@contextmanager
def _partial(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file of its own beside a path, deleted unless it was renamed. Its rights are those of any new file."""
    name = path.with_name(f".{path.name}.{uuid4()}")
    try:
        with name.open("xb") as file:
            yield file, name
    finally:
        name.unlink(missing_ok=True)
