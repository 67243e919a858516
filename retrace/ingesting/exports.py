"""Reads exports of Retrace back: each event as it was sent, without the metadata of a deployment."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, BinaryIO

from chalicelib.core.errors import Fault
from chalicelib.core.lossless_json import member_texts
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.records import Record, Records, too_large, unreadable
from retrace.problem import extra

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
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # only Parquet should wait for it
        from pyarrow import parquet  # noqa: PLC0415  # likewise
    try:
        table = parquet.ParquetFile(file)
        table.schema_arrow.empty_table().select(_COLUMNS)  # raises, which the batches do not
        batches = table.iter_batches(_ROWS_AT_A_TIME, columns=_COLUMNS)
        rows = (row for batch in batches for row in _with_numbers(batch, pa.int64()).to_pylist())
        for number, row in enumerate(rows, 1):
            yield _of_row(number, row)
    except (pa.ArrowException, OSError, KeyError) as error:
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
