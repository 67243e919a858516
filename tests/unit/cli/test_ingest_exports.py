"""`retrace ingest` of what `retrace export` wrote: the event alone, as it was sent."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # likewise
import pytest

from chalicelib.core.errors import Fault
from retrace.exporting.events import Fetched
from retrace.exporting.files import line_of
from retrace.exporting.parquet import ParquetWriter
from retrace.ingesting.files import Format, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.ingesting.records import Record
from retrace.problem import Problem
from tests.e2e.samples import ROOT

NATIVE = (
    '{"source":"s","event_type":"t","entity_id":"e","event_time":"1066-10-14T09:00:00Z","payload":{"n":1.10,"event":1}}'
)
CLOUD = '{ "id":"1","specversion":"1.0","source":"s","type":"t" , "data":[1.10, {"time":null}]}'
RECEIVED = "2025-11-28T10:00:00.123456789Z"
METADATA: dict[str, Any] = {
    "event_id": 64 * "a",
    "source": 's,"event":"',
    "event_type": "t",
    "entity_id": "e",
    "event_time": RECEIVED,
    "ingest_time": RECEIVED,
    "ingest_lag_ms": 0,
    "content_sha256": 64 * "b",
    "request_id": "request",
    "sent_by": "local",
    "s3_bucket": "b",
    "s3_key": "k",
    "s3_offset": 0,
    "s3_length": 1,
}


def fetched(text: str, **changes: str) -> Fetched:
    return Fetched(METADATA | changes, text.encode())


def as_ndjson(*events: Fetched) -> bytes:
    return b"".join(line_of(event) + b"\n" for event in events)


def as_parquet(*events: Fetched) -> bytes:
    file = io.BytesIO()
    writer = ParquetWriter(file)
    for event in events:
        writer.write(event)
    writer.close()
    return file.getvalue()


def read(content: bytes, wanted: Format | None = None) -> list[Record]:
    return list(records("x", io.BufferedReader(io.BytesIO(content)), wanted, Mapped()))


WRITTEN = pytest.mark.parametrize("written", [as_ndjson, as_parquet])


@WRITTEN
def test_the_text_of_an_event_is_taken_token_for_token(written: Any) -> None:
    timed = CLOUD.replace("{ ", '{ "time":"2025-11-28T10:00:00+01:00",')

    assert [record.text.decode() for record in read(written(fetched(NATIVE), fetched(timed)))] == [NATIVE, timed]


@WRITTEN
@pytest.mark.parametrize("event_time", [RECEIVED, "0001-01-01T00:00:00.000000000Z", "9999-12-31T23:59:59.999999999Z"])
@pytest.mark.parametrize("text", [CLOUD, CLOUD.replace("{ ", '{ "time": null, ')])
def test_a_cloudevent_without_time_gets_the_time_that_its_receipt_gave_it(
    written: Any, text: str, event_time: str
) -> None:
    (record,) = read(written(fetched(text, event_time=event_time)))

    assert json.loads(record.text) == json.loads(text) | {"time": event_time}
    assert b'[1.10, {"time":null}]' in record.text
    assert record.cloudevent


@WRITTEN
def test_an_event_that_failed_its_check_is_not_sent(written: Any) -> None:
    bad = Fetched(METADATA, NATIVE.encode(), "It hashes to something else.")

    (record,) = read(written(bad))

    assert record.fault == Fault("event", "failed its check when it was exported: It hashes to something else.")


def test_a_line_that_was_changed_is_sent_to_be_refused() -> None:
    whole = as_ndjson(fetched(CLOUD))
    changed = [whole.replace(b"}]}}", b"]}}"), b'{"event_id":"x"}\n', b'{"event_id":"x"} {}\n']

    assert [read(text, Format.NDJSON)[0].fault for text in changed] == [None, None, None]


def test_parquet_of_others_is_refused_with_a_remedy() -> None:
    foreign = io.BytesIO()
    pq.write_table(pa.table({"event": [NATIVE]}), foreign)

    for content in (b"PAR1 and nothing else", foreign.getvalue()):
        with pytest.raises(Problem, match="cannot be read as an export"):
            read(content)


def test_parquet_from_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(Problem, match="cannot be read from a pipe"):
        list(records("-", io.BufferedReader(Pipe(as_parquet(fetched(NATIVE)))), None, Mapped()))


def test_an_export_of_release_0_1_is_read() -> None:
    folder = ROOT / "tests/e2e/release_0_1"
    lines, rows = (
        [read(file.read_bytes()) for file in sorted(folder.glob(f"*.{kind}"))] for kind in ("ndjson", "parquet")
    )

    assert [[record.text for record in file] for file in lines] == [[record.text for record in file] for file in rows]
    assert sum(map(len, lines)) == 71
