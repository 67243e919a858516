"""Opens the files to send, and detects their formats from names and first bytes."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import BinaryIO

from retrace.ingesting.elements import BrokenArray, array_records, is_one_object
from retrace.ingesting.foreign_formats import BEGINS, BrokenTable, Mapped, cloudtrail_records, table_records
from retrace.ingesting.records import (
    PARQUET,
    Records,
    Stream,
    line_records,
    parquet_records,
    unreadable,
    with_form,
    without_metadata,
)
from retrace.ingesting.texts import text_records
from retrace.ingesting.unpacking import Broken, as_utf8, read_ahead, rejoined, unpacked

STDIN = "-"
_LOOKED_AT = 65_536


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was when the command began."""

    name: str
    size: int
    identity: str
    is_stream: bool = False
    """Whether it is standard input or a pipe: of no size, and gone once it is read."""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Its bytes, as they lie there."""
        if self.name == STDIN:
            yield sys.stdin.buffer
            return
        with Path(self.name).open("rb") as content:
            yield content


def look_at(name: str) -> File:
    """A file by its name; raises Problem if it cannot be read."""
    if name == STDIN:
        return File(name, 0, STDIN, is_stream=True)
    path = Path(name)
    try:
        if path.is_dir():
            raise unreadable(name, "is a directory.", f"Name its files: {name.rstrip('/')}/*")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return File(name, 0, name, is_stream=True)
        with path.open("rb") as content:
            head = content.read(_LOOKED_AT)
    except OSError as error:
        raise unreadable(name, f"cannot be read: {error.strerror}.", "Check the path.") from error
    facts = os.fsencode(f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n")
    return File(name, status.st_size, hashlib.sha256(facts + head).hexdigest())


def read_so_far(file: File, content: BinaryIO) -> int:
    """How many bytes of a file, packed if it is packed, have been read."""
    return 0 if file.is_stream else min(content.tell(), file.size)


_HEAD = 65_536
_LINE_IS_ARRAY = re.compile(rb"\[.*\]\s*?\n\s*\{")
"""No array has a closing bracket right before an element, so this one is the whole line."""


class Format(StrEnum):
    """What a file may be."""

    JSON = "json"
    NDJSON = "ndjson"
    ARRAY = "array"
    CSV = "csv"
    CLOUDTRAIL = "cloudtrail"
    PARQUET = "parquet"


def records(path: str, packed: BinaryIO, wanted: Format | None, mapped: Mapped) -> Records:
    """The events of a file; raises Problem where it cannot be read on."""
    try:
        stream = as_utf8(unpacked(packed))
        head = read_ahead(stream, _tells)
        by_mapping = Format.CSV if mapped.given else None
        found = wanted or by_mapping or _format(path, head)
        read = _reader(path, found, mapped, packed)(rejoined(head, stream))
        yield from map(with_form, map(without_metadata, read))
    except Broken as error:
        remedy = "The events before that were sent. Download or compress it again and send it: no event counts twice."
        if "memory" in str(error):
            remedy = f"Its window is larger than 128 MB: zstd -dc --long=31 {path} | retrace ingest -"
        raise unreadable(path, f"is not whole: it {error}.", remedy) from error
    except OSError as error:
        raise unreadable(
            path,
            f"cannot be read: {error.strerror or error}.",
            "Check that the file is complete. Send it again: no event counts twice.",
        ) from error
    except BrokenArray as error:
        raise unreadable(
            path, f"is not a complete JSON array: it {error}.", "Correct it and send it again: no event counts twice."
        ) from error
    except BrokenTable as error:
        raise unreadable(path, f"{error}.", "Correct it and send it again: no event counts twice.") from error


def _reader(path: str, found: Format, mapped: Mapped, packed: BinaryIO) -> Callable[[Stream], Records]:
    match found:
        case Format.JSON:
            return text_records
        case Format.NDJSON:
            return line_records
        case Format.ARRAY:
            return array_records
        case Format.CLOUDTRAIL:
            return cloudtrail_records
        case Format.CSV:
            return lambda stream: table_records(stream, mapped, "\t" if ".tsv" in _suffixes(path) else ",")
        case Format.PARQUET:
            return lambda _: parquet_records(path, _rewound(path, packed))


def _rewound(path: str, content: BinaryIO) -> BinaryIO:
    """A file at its beginning, as Parquet is read from its end."""
    if not content.seekable():
        raise unreadable(path, "is Parquet, which cannot be read from a pipe.", "Name the file.")
    content.seek(0)
    return content


def _suffixes(path: str) -> frozenset[str]:
    """How a name ends, with what it is packed with."""
    return frozenset(suffix.lower() for suffix in PurePath(path).suffixes[-2:])


def _tells(head: bytes) -> bool:
    """Whether this much of a file tells its format: a line, or if that is but a brace or no JSON, a little more."""
    text = head.lstrip()
    first, newline, more = text.partition(b"\n")
    if text[:1] not in (b"{", b"["):
        return len(head) >= _HEAD or b"\n" in more
    return len(head) >= _HEAD or (bool(newline) and (first.strip() != b"{" or len(text.split(None, 4)) > 4))


def _format(path: str, head: bytes) -> Format:
    if _suffixes(path) & {".csv", ".tsv"}:
        return Format.CSV
    text = head.lstrip()
    if text.startswith(b"[") and not _LINE_IS_ARRAY.match(text):
        return Format.ARRAY
    if BEGINS.match(text):
        return Format.CLOUDTRAIL
    if text.startswith((b"{", b"[")) or not text:
        return Format.JSON
    if head.startswith(PARQUET):
        return Format.PARQUET
    if any(map(is_one_object, text.splitlines(keepends=True)[1:])):
        return Format.NDJSON  # its first line is broken, and rejected alone
    remedy = "Give --format json, ndjson, array, csv or cloudtrail."
    raise unreadable(path, "begins neither with a brace nor with a bracket, and is not named .csv or .tsv.", remedy)
