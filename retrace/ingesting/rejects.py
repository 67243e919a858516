"""Writes refused events to a file, as they were sent, and their reasons to another beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrace.ingesting.sending import Refused
from retrace.problem import Exit, Problem


def reasons_file(path: Path) -> Path:
    """Where the reasons are, for a file of rejects."""
    return path.with_name(f"{path.name}.reasons")


class Rejects:
    """Two files, written as events are refused, whole events and lines at a time."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self._events = path
        self._reasons = reasons_file(path)
        for file in (self._events, self._reasons):
            _opened(file, resumed=resumed)
        self._lines = path.read_bytes().count(b"\n") if resumed else 0

    def write(self, file: str, refused: tuple[Refused, ...]) -> None:
        """Add what was refused of a file."""
        texts, reasons = [], []
        for one in refused:
            reasons.append(_reason(self._lines + 1 if one.record.text else None, file, one))
            if one.record.text:
                texts.append(one.record.text + b"\n")
                self._lines += texts[-1].count(b"\n")
        with _whole(self._events), _whole(self._reasons):
            _append(self._events, b"".join(texts))
            _append(self._reasons, b"".join(reasons))


def _opened(path: Path, *, resumed: bool) -> None:
    try:
        path.open("ab" if resumed else "wb").close()
    except OSError as error:
        remedy = "Give --rejects a file that can be written."
        raise Problem(f"{path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Cut a file back to its former size if writing fails, so that no partial event stays in it."""
    before = path.stat().st_size
    try:
        yield
    except Problem:
        if path.is_file():
            os.truncate(path, before)
        raise


def _append(path: Path, lines: bytes) -> None:
    try:
        with path.open("ab") as written:
            written.write(lines)
    except OSError as error:
        remedy = "Make room, then run the same command again, with --resume if all FILES are files."
        raise Problem(f"{path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error


def _reason(line: int | None, file: str, refused: Refused) -> bytes:
    told = {"rejects_line": line, "file": file, "line": refused.record.line, **refused.result}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
