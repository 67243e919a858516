"""Records: the events of a file, each with its line and its faults. Reads NDJSON and exports of Retrace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault
from chalicelib.core.lossless_json import member_texts
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.ingest.request import MAX_BYTES
from retrace.problem import Exit, Problem, extra


@dataclass(frozen=True, slots=True)
class Record:
    """An event on one line, token for token as the file has it.

    `line` is the line that it begins on; in a JSON array or a CloudTrail log, the how-manieth element it is. A record
    with a fault is not sent.
    """

    line: int
    text: bytes
    fault: Fault | None = None
    cloudevent: bool = False


class Stream(Protocol):
    """Bytes of a file, unpacked."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...

    def readline(self, size: int, /) -> bytes:
        """The next line, or the first `size` bytes of it."""
        ...


Records = Iterator[Record]


def too_large(line: int) -> Record:
    """An event that no request can hold; its text is not kept, however long it is."""
    return Record(line, b"", Fault("", f"has more than {MAX_BYTES:,} bytes, the most for a request"))


def whole_line(stream: Stream, size: int) -> bytes:
    """The next line, or the first bytes of it; raises if the file breaks off inside of it."""
    line = stream.readline(size)
    if line and len(line) < size and not line.endswith(b"\n"):
        stream.read(1)  # raises; half a line may look like a whole one
    return line


def unreadable(path: str, what: str, remedy: str) -> Problem:
    """A file that cannot be read, or not to its end."""
    return Problem(f"{path} {what}", remedy, Exit.USAGE)


_BLANK = b" \t\r\n"


def line_records(stream: Stream) -> Records:
    """Every line that is not blank."""
    number = 0
    while line := whole_line(stream, MAX_BYTES + 2):
        number += 1
        if len(line) > MAX_BYTES and not line.endswith(b"\n"):
            _skip_line(stream)
            yield too_large(number)
        elif line.strip(_BLANK):
            yield Record(number, line.rstrip(b"\r\n"))


def _skip_line(stream: Stream) -> None:
    while (more := stream.readline(MAX_BYTES)) and not more.endswith(b"\n"):
        pass


_TELLS = "specversion"
"""Every CloudEvent has this attribute, and no native event may have a member of this name."""


def with_form(record: Record) -> Record:
    """A record that knows whether it is a CloudEvent."""
    if record.fault is not None or _TELLS.encode() not in record.text or not _is_cloudevent(record.text):
        return record
    return replace(record, cloudevent=True)


def _is_cloudevent(text: bytes) -> bool:
    try:
        found = lossless_json.parse(text.decode())
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError):
        return False
    # An array of CloudEvents has to be JSON as a whole; alone, what is nested too deep is refused alone.
    too_deep = any("nested" in fault.message for fault in found.faults)
    return isinstance(found.value, dict) and _TELLS in found.value and not too_deep


PARQUET = b"PAR1"
"""What a Parquet file begins with."""

_LINE = b'{"event_id":"'
"""What a line of an export begins with. No event has a member of this name."""
_EVENT = b',"event":'
_EPOCH = Instant("1970-01-01T00:00:00.000000000Z")
_COLUMNS = ["event", "event_time", "event_time_text", "fault"]
_ROWS_AT_A_TIME = 1_000


def without_metadata(record: Record) -> Record:
    """The event of a line that `retrace export` wrote; any other record as it is.

    In the metadata every quote of a value is escaped, so the first unescaped `"event":` begins the event.
    """
    if record.fault is not None or not record.text.startswith(_LINE):
        return record
    metadata, member, event = record.text.partition(_EVENT)
    try:
        known = json.loads(metadata + b"}" if member else metadata)
    except ValueError:
        return record
    return _event_of(replace(record, text=event[:-1] if member else record.text), known)


def parquet_records(path: str, file: BinaryIO) -> Records:
    """The rows of a Parquet file that `retrace export` wrote."""
    with extra("parquet"):
        from pyarrow import ArrowException, int64, parquet  # type: ignore[import-untyped]  # noqa: PLC0415  # only Parquet should wait for it
    try:
        table = parquet.ParquetFile(file)
        table.schema_arrow.empty_table().select(_COLUMNS)  # raises, which the batches do not
        batches = table.iter_batches(_ROWS_AT_A_TIME, columns=_COLUMNS)
        rows = (row for batch in batches for row in _with_numbers(batch, int64()).to_pylist())
        for number, row in enumerate(rows, 1):
            yield _of_row(number, row)
    except (ArrowException, OSError, KeyError) as error:
        remedy = "Only Parquet that `retrace export` wrote can be read. Send others as CSV or NDJSON."
        raise unreadable(path, f"cannot be read as an export: {error}.", remedy) from error


def _with_numbers(batch: Any, number: Any) -> Any:
    """A batch whose times are nanoseconds: Python's own times have microseconds."""
    at = batch.schema.get_field_index("event_time")
    return batch.set_column(at, "event_time", batch.column(at).cast(number))


def _of_row(number: int, row: dict[str, Any]) -> Record:
    since_epoch = row["event_time"]
    known = row | {"event_time": row["event_time_text"] if since_epoch is None else shifted(_EPOCH, since_epoch)}
    text = (row["event"] or "").encode()
    return _event_of(Record(number, text), known) if len(text) <= MAX_BYTES else too_large(number)


def _event_of(record: Record, known: dict[str, Any]) -> Record:
    """An event as it was sent. Where only its receipt gave it a time, that time is written into it."""
    if known.get("fault") is not None:
        return replace(record, fault=Fault("event", f"failed its check when it was exported: {known['fault']}"))
    if b'"specversion"' not in record.text or known.get("event_time") is None:
        return record
    try:
        members = member_texts(record.text.decode())
    except ValueError:  # it was changed since, and is refused as any other text that is not JSON
        return record
    if "specversion" not in members or members.get("time", "null") != "null":
        return record
    members["time"] = json.dumps(known["event_time"])
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items())
    return replace(record, text=f"{{{text}}}".encode())
