"""Events and contributions as Parquet: typed columns, JSON as text, in bounded row groups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Self

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


CONTRIBUTIONS = pa.schema(
    [
        pa.field("metric", pa.string(), nullable=False),
        pa.field("definition_sha256", pa.string(), nullable=False),
        pa.field("day", pa.string(), nullable=False),
        pa.field("calendar", pa.string(), nullable=False),
        pa.field("replay_id", pa.string(), nullable=False),
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", _TIME),
        pa.field("event_time_text", pa.string()),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("skipped", pa.string()),
    ]
)


class ParquetWriter:
    """Writes rows in groups; what is not yet a group is in memory."""

    def __init__(self, file: BinaryIO, schema: pa.Schema = SCHEMA) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    @classmethod
    def of_contributions(cls, file: BinaryIO) -> Self:
        """Writes contributions to values of a metric."""
        return cls(file, CONTRIBUTIONS)

    def write(self, event: Fetched) -> None:
        """Add an event."""
        self._add(row_of(event), 2 * event.size)

    def write_row(self, row: Mapping[str, Any]) -> None:
        """Add a contribution, its group as JSON."""
        group = json.dumps(row["group"], ensure_ascii=False, separators=(",", ":"))
        self._add({**row, **_times(row["event_time"]), "group": group}, len(group))

    def _add(self, row: dict[str, Any], size: int) -> None:
        """Add a row, and write a group once there are enough."""
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= ROWS_A_GROUP or self._bytes >= BYTES_A_GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the last group and the footer."""
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


def row_of(event: Fetched) -> dict[str, Any]:
    """The row of an event."""
    metadata, text = event.metadata, None if event.text is None else event.text.decode(errors="replace")
    return {
        **{name: metadata.get(name) for name in SCHEMA.names},
        **_times(metadata["event_time"]),
        "ingest_time": _fitting(metadata["ingest_time"]),
        "payload": payload_of(text) if text is not None and event.fault is None else None,
        "event": text,
        "fault": event.fault,
    }


def _times(instant: str) -> dict[str, object]:
    """A time of an event. One beyond what 64 bits of nanoseconds have (1677 to 2262) is text alone."""
    fitting = _fitting(instant)
    return {"event_time": fitting, "event_time_text": instant if fitting is None else None}


def _fitting(instant: str) -> int | None:
    since_epoch = nanoseconds(Instant(instant))
    return since_epoch if -_MOST_NS <= since_epoch < _MOST_NS else None


def payload_of(text: str) -> str | None:
    """The JSON text of an event's payload, or of a CloudEvent's data, token for token; None if it has none."""
    members = member_texts(text)
    return members.get("data") if "specversion" in members else members.get("payload")
