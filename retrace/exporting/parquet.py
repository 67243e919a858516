"""Events as Parquet: typed columns of metadata, the event and its payload as JSON text, in bounded row groups."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # likewise

from chalicelib.core.lossless_json import member_texts
from chalicelib.core.timestamps import Instant, nanoseconds
from retrace.exporting.events import Fetched

ROWS_A_GROUP = 10_000
BYTES_A_GROUP = 32_000_000
"""A row group is kept in memory until it is written; both bounds hold."""

_MOST_NS = 2**63
_TIME = pa.timestamp("ns", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("event_time", _TIME),
        pa.field("event_time_text", pa.string()),
        pa.field("ingest_time", _TIME),
        pa.field("ingest_lag_ms", pa.int64(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("sent_by", pa.string(), nullable=False),
        pa.field("s3_bucket", pa.string(), nullable=False),
        pa.field("s3_key", pa.string(), nullable=False),
        pa.field("s3_offset", pa.int64(), nullable=False),
        pa.field("s3_length", pa.int64(), nullable=False),
        pa.field("payload", pa.string()),
        pa.field("event", pa.string()),
        pa.field("fault", pa.string()),
    ]
)


class ParquetWriter:
    """Writes events in row groups; what is not yet a group is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def write(self, event: Fetched) -> None:
        """Add a row, and write a group once there are enough."""
        self._rows.append(row_of(event))
        self._bytes += 2 * event.size
        if len(self._rows) >= ROWS_A_GROUP or self._bytes >= BYTES_A_GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the last group and the footer."""
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows, self._bytes = [], 0


def row_of(event: Fetched) -> dict[str, Any]:
    """The row of an event. A time beyond what 64 bits of nanoseconds hold (1677 to 2262) is text alone."""
    metadata, text = event.metadata, None if event.text is None else event.text.decode(errors="replace")
    event_ns = _fitting(metadata["event_time"])
    return {
        **{name: metadata.get(name) for name in SCHEMA.names},
        "event_time": event_ns,
        "event_time_text": metadata["event_time"] if event_ns is None else None,
        "ingest_time": _fitting(metadata["ingest_time"]),
        "payload": payload_of(text) if text is not None and event.fault is None else None,
        "event": text,
        "fault": event.fault,
    }


def _fitting(instant: str) -> int | None:
    since_epoch = nanoseconds(Instant(instant))
    return since_epoch if -_MOST_NS <= since_epoch < _MOST_NS else None


def payload_of(text: str) -> str | None:
    """The JSON text of an event's payload, or of a CloudEvent's data, token for token; None if it has none."""
    members = member_texts(text)
    return members.get("data") if "specversion" in members else members.get("payload")
