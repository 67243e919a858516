"""`retrace export`: what is written is what was sent, and what does not hash as recorded is told of."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from threading import Barrier, Lock
from threading import Event as Signal
from typing import Any, cast

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import pytest
from botocore.exceptions import ClientError

from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant, lag_ms
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import Receipt, event_time_of, line_of
from retrace.concurrency import ahead, in_order
from retrace.exporting import parquet
from retrace.exporting.events import Fetched, from_s3
from retrace.exporting.files import NdjsonWriter, Writer, opened
from retrace.problem import Problem
from tests.unit.cli.scripted_api import Asked, Script, exit_code, said, serving

Json = dict[str, Any]

INGESTED = Instant("2025-11-29T07:00:00.123456789Z")
PAYLOAD = '{"n":12345678901234567890,"x":1.7E9,"é":"\\u20ac, \\"}"}'
PAID = '"source":"shop","event_type":"paid"'
NATIVE = [
    f'{{{PAID},"entity_id":"o-1","event_time":"2025-11-28T09:00:00.5+01:00","payload":1.10}}',
    f'{{ "payload" : {PAYLOAD} ,{PAID},"entity_id":"o-1","event_time":"1066-10-14T09:00:00Z","idempotency_key":"k"}}',
    f'{{{PAID},"entity_id":"o-2","event_time":"2025-11-28T23:59:59.123456789Z","payload":null}}',
]
CLOUD = '{"specversion":"1.0","id":"1","source":"shop","type":"paid","subject":"o-3","data":[1, 2.0]}'


def read(text: str) -> Event:
    return parse_structured(parse(text)) if "specversion" in text else parse_native(parse(text))


def metadata(text: str) -> Json:
    event = read(text)
    event_time = event_time_of(event, INGESTED)
    return {
        "event_id": event.event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "event_time": event_time,
        "ingest_time": INGESTED,
        "ingest_lag_ms": lag_ms(event_time, INGESTED),
        "s3_bucket": "raw",
        "s3_key": "events/x.ndjson",
        "s3_offset": 0,
        "s3_length": len(text),
        "content_sha256": event.content_sha256,
        "request_id": "request",
        "sent_by": "local",
    }


TEXTS = [*NATIVE, CLOUD]


def holds(texts: list[str], **instead: bytes) -> Script:
    """An API that has events, two a page; by the first digits of its id an event may end otherwise."""
    items = [metadata(text) for text in texts]

    def listed(item: Json, text: str, *, included: bool) -> bytes:
        known = json.dumps(item, ensure_ascii=False).encode()
        end = instead.get(f"of_{item['event_id'][:8]}", b'"event":' + text.encode())
        return known[:-1] + b", " + end + b"}" if included else known

    def answered(asked: Asked) -> tuple[int, Any]:
        start = int(asked.query.get("cursor", "0"))
        page = list(zip(items, texts, strict=True))[start : start + 2]
        included = asked.query.get("include") == "event"
        cursor = f'"{start + 2}"' if start + 2 < len(items) else "null"
        body = b", ".join(listed(item, text, included=included) for item, text in page)
        return 200, b'{"items": [' + body + b'], "cursor": ' + cursor.encode() + b"}"

    return answered


def of(text: str) -> str:
    return f"of_{read(text).event_id[:8]}"


def test_ndjson_is_metadata_and_the_event_verbatim_in_the_order_of_the_query() -> None:
    with serving(holds(TEXTS)) as api:
        result = api.run("export", "o-1")

    lines = result.stdout_bytes.splitlines()
    assert exit_code(result) == 0
    assert [line.partition(b',"event":')[2][:-1].decode() for line in lines] == TEXTS
    assert [{**json.loads(line), "event": None} for line in lines] == [{**metadata(t), "event": None} for t in TEXTS]
    assert "4 events" in result.stderr


def test_parquet_is_typed_and_the_event_and_its_payload_are_verbatim(tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    with serving(holds(TEXTS)) as api:
        result = api.run("export", "o-1", "--out", str(out))

    table = pq.read_table(out)
    assert exit_code(result) == 0
    assert table.column("event").to_pylist() == TEXTS
    assert table.column("payload").to_pylist() == ["1.10", PAYLOAD, "null", "[1, 2.0]"]
    assert str(table.schema.field("event_time").type) == "timestamp[ns, tz=UTC]"
    nanoseconds = [value.value for value in table.column("event_time")]
    assert nanoseconds[0] == 1_764_316_800_500_000_000
    assert nanoseconds[1] is None
    assert nanoseconds[2] % 1_000_000_000 == 123_456_789
    assert table.column("event_time_text").to_pylist() == [None, "1066-10-14T09:00:00.000000000Z", None, None]
    for name in ("event_id", "source", "event_type", "entity_id", "ingest_lag_ms", "content_sha256", "s3_offset"):
        assert table.column(name).to_pylist() == [metadata(text)[name] for text in TEXTS]


TAMPERED = NATIVE[0].replace("1.10", "1.1")
LOST = json.dumps({"event": None, "fault": "The raw object events/x.ndjson is missing."})[1:-1].encode()
BAD = [
    (b'"event":' + TAMPERED.encode(), "hashes to"),
    (b'"event":' + NATIVE[2].encode(), "hashes to"),
    (b'"event":17', "can no longer be read"),
    (LOST, "The raw object events/x.ndjson is missing."),
]


@pytest.mark.parametrize(("answer", "told"), BAD)
def test_an_event_that_fails_its_check_is_told_of_and_left_out(answer: bytes, told: str) -> None:
    with serving(holds(TEXTS, **{of(NATIVE[0]): answer})) as api:
        result = api.run("export", "o-1")

    assert exit_code(result) == 1
    assert metadata(NATIVE[0])["event_id"] in result.stderr
    assert told in result.stderr
    assert "1 failed" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_a_source_that_the_index_has_otherwise_is_told_of() -> None:
    with serving(holds(NATIVE[:1], **{of(NATIVE[0]): b'"source":"x","event":' + NATIVE[0].encode()})) as api:
        result = api.run("export", "o-1")

    assert exit_code(result) == 1
    assert "Its source is shop, not x." in result.stderr


def test_bad_events_can_be_kept_with_their_fault(tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    with serving(holds(TEXTS, **{of(NATIVE[0]): b'"event":' + TAMPERED.encode(), of(CLOUD): LOST})) as api:
        result = api.run("export", "o-1", "--keep-bad")
        assert exit_code(api.run("export", "o-1", "--keep-bad", "--out", str(out))) == 1

    first, *_, last = map(json.loads, result.stdout.splitlines())
    assert exit_code(result) == 1
    assert (first["event_text"], "event" in first) == (TAMPERED, False)
    assert "hashes to" in first["fault"]
    assert last["event_text"] is None
    table = pq.read_table(out)
    assert table.column("event").to_pylist() == [TAMPERED, *NATIVE[1:], None]
    assert [fault is None for fault in table.column("fault").to_pylist()] == [False, True, True, False]


def test_a_refusal_of_all_events_stops_the_export_and_leaves_no_file(tmp_path: Path) -> None:
    first = holds(TEXTS)

    def refused(asked: Asked) -> tuple[int, Any]:
        return (403, {"message": "not authorized"}) if "cursor" in asked.query else first(asked)

    with serving(refused) as api:
        result = api.run("export", "o-1", "--out", str(tmp_path / "events.ndjson"))

    assert exit_code(result) == 4
    assert "not authorized" in said(result)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_replaced_only_on_demand(tmp_path: Path) -> None:
    out = tmp_path / "events.ndjson"
    out.write_text("mine")
    with serving(holds(TEXTS)) as api:
        refused = api.run("export", "o-1", "--out", str(out))
        kept = out.read_text()
        replaced = api.run("export", "o-1", "--out", str(out), "--force")

    assert (exit_code(refused), kept, exit_code(replaced)) == (2, "mine", 0)
    assert len(out.read_text().splitlines()) == 4


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised, opened(str(tmp_path / "no/such/file"), replace=False):
        raise AssertionError

    assert raised.value.what == f"{tmp_path}/no/such/file cannot be written: No such file or directory."
    assert raised.value.remedy == f"Make its directory first: mkdir -p {tmp_path}/no/such"


def test_the_selection_and_the_limit_are_those_of_events() -> None:
    with serving(holds(TEXTS)) as api:
        options = ("--source", "shop", "--type", "paid", "--day", "2025-11-28", "--status", "conflict", "--newest")
        result = api.run("export", *options, "--min-lag-ms", "5", "--limit", "3")

    assert api.calls("GET /events")[0].query == {
        "source": "shop",
        "event_type": "paid",
        "day": "2025-11-28",
        "status": "CONFLICT",
        "order": "newest",
        "min_lag_ms": "5",
        "limit": "3",
        "include": "event",
    }
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
def test_no_events_make_an_empty_file_and_explain_themselves(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"events.{suffix}"
    quiet = [{"entity_id": "o-1"}]
    with serving(lambda asked: (200, {"items": [] if "order" in asked.query else quiet, "cursor": None})) as api:
        result = api.run("export", "o-1", "--out", str(out))

    assert exit_code(result) == 0
    assert "retrace gaps" in result.stderr
    assert out.read_bytes() == b"" if suffix == "ndjson" else pq.read_table(out).num_rows == 0


@pytest.mark.parametrize(
    ("bound", "value"), [("ROWS_A_GROUP", 2), ("BYTES_A_GROUP", 2 * sum(map(len, map(str.encode, TEXTS[:2]))))]
)
def test_row_groups_are_written_as_they_fill(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(parquet, bound, value)
    file = BytesIO()
    writer = parquet.ParquetWriter(file)
    for text in TEXTS:
        writer.write(Fetched(metadata(text), text.encode()))
    written = len(file.getvalue())
    writer.close()

    assert written > 4
    assert pq.ParquetFile(file).num_row_groups == 2


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"payload":{"a":[1,{"b":"}"}]}}', '{"a":[1,{"b":"}"}]}'),
        ('{ "source" : "\\"payload\\":1" , "payload" : -0.0 }', "-0.0"),
        ('{"payl\\u006fad": "x"}', '"x"'),
        ('{"specversion":"1.0","data":{"payload":1},"data_base64":"eA=="}', '{"payload":1}'),
        ('{"specversion":"1.0","data_base64":"eA=="}', None),
        (f'{{"payload":{"9" * 5_000}}}', "9" * 5_000),
    ],
)
def test_the_payload_is_cut_out_token_for_token(text: str, payload: str | None) -> None:
    assert parquet.payload_of(text) == payload


def test_a_page_of_events_costs_one_request_and_no_page_is_asked_for_beyond_the_limit() -> None:
    with serving(holds(TEXTS)) as api:
        api.run("export", "o-1")
        assert [asked.call for asked in api.asked] == ["GET /events"] * 2
        api.asked.clear()
        api.run("export", "o-1", "--limit", "2")
        assert [asked.call for asked in api.asked] == ["GET /events"]


def test_what_is_no_page_of_events_is_told_as_foreign() -> None:
    with serving(lambda _: (200, b'{"items": [{"event_id" 1}]}')) as api:
        result = api.run("export", "o-1")

    assert exit_code(result) == 3
    assert "is not Retrace's" in said(result)


class RawObjects:
    """S3 with one raw object, which knows no other call than reading a range of it."""

    def __init__(self, content: bytes, refusal: str | None = None) -> None:
        self.content = content
        self.refusal = refusal
        self.read: list[str] = []

    def get_object(self, **request: str) -> Json:
        self.read.append(request["Range"])
        if self.refusal is not None:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "not allowed"}}, "GetObject")
        first, last = map(int, request["Range"].removeprefix("bytes=").split("-"))
        return {"Body": BytesIO(self.content[first : last + 1])}


def stored(texts: list[str]) -> tuple[list[Json], bytes]:
    """Events as the API lists them, and the raw object that has their lines."""
    items, content = [], b""
    for text in texts:
        line = line_of(read(text), Receipt(INGESTED, "request", "local"))
        items.append({**metadata(text), "s3_offset": len(content), "s3_length": len(line)})
        content += line + b"\n"
    return items, content


def exported(items: list[Json], s3: RawObjects) -> list[Fetched]:
    with serving(lambda _: (200, {"items": items, "cursor": None})) as api:
        events = list(from_s3(api.client(), cast("Any", s3), {"entity_id": "o-1"}, None))
        assert [asked.query.get("include") for asked in api.asked] == [None]
    return events


def test_a_direct_export_reads_the_lines_of_a_page_from_s3_at_once() -> None:
    items, content = stored(TEXTS)
    s3 = RawObjects(content)

    events = exported(items, s3)

    assert [(event.metadata, event.text, event.fault) for event in events] == [
        (item, text.encode(), None) for item, text in zip(items, TEXTS, strict=True)
    ]
    assert s3.read == [f"bytes=0-{len(content) - 2}"]


@pytest.mark.parametrize("member", ["source", "entity_id", "event_type", "content_sha256", "ingest_time", "sent_by"])
def test_a_direct_export_tells_of_a_line_that_is_not_what_the_index_says(member: str) -> None:
    items, content = stored(TEXTS)
    items[1][member] = items[1][member][:-1] + "0"

    faults = [event.fault for event in exported(items, RawObjects(content))]

    assert [fault is None for fault in faults] == [True, False, True, True]
    assert f"different {member}" in str(faults[1])


def test_a_direct_export_tells_of_a_line_that_was_changed() -> None:
    items, content = stored(TEXTS)

    first, *_ = exported(items, RawObjects(content.replace(b":1.10}", b":1.11}")))

    assert (first.text, "hashes to" in str(first.fault)) == (None, True)


def test_a_direct_export_tells_of_a_lost_object() -> None:
    items, content = stored(TEXTS)

    events = exported(items, RawObjects(content, "NoSuchKey"))

    assert all("is missing" in str(event.fault) for event in events)


def test_a_direct_export_without_rights_stops_and_says_which_policy_it_needs() -> None:
    items, content = stored(TEXTS)

    with pytest.raises(Problem) as refused:
        exported(items, RawObjects(content, "AccessDenied"))

    assert "docs/cli.md" in refused.value.remedy


def test_the_next_item_is_made_while_the_last_one_is_used() -> None:
    made: list[int] = []
    third = Signal()

    def numbers() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    results = ahead(numbers())
    assert [next(results), next(results)] == [0, 1]
    assert third.wait(timeout=30)
    assert 3 not in made
    assert list(results) == [2, 3, 4]


def test_work_is_begun_only_so_far_ahead_and_its_results_keep_their_order() -> None:
    begun, lock, together = 0, Lock(), Barrier(2)

    def numbers() -> Any:
        nonlocal begun
        for number in range(100):
            with lock:
                begun += 1
            yield number

    def work(number: int) -> int:
        together.wait(timeout=30)  # two work at once, or this breaks
        return number

    results = in_order(work, numbers(), at_once=2)

    assert next(results) == 0
    assert begun == 4
    assert list(results) == list(range(1, 100))


class Pages:
    """A client whose list of events has this many pages, all of the same events."""

    def __init__(self, items: list[Json], pages: int) -> None:
        self.items = items
        self.pages = pages

    def each_page(self, _path: str, _query: Json, _at_most: int | None = None) -> Iterator[list[Json]]:
        return (json.loads(json.dumps(self.items)) for _ in range(self.pages))


def peak(pages: int, items: list[Json], content: bytes, writer: Callable[[Any], Writer]) -> int:
    """The most memory of a direct export of this many pages, without what it writes."""
    tracemalloc.start()
    try:
        with TemporaryFile() as file:
            written = writer(file)
            for event in from_s3(cast("Any", Pages(items, pages)), cast("Any", RawObjects(content)), {}, None):
                assert event.fault is None
                written.write(event)
            written.close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("writer", [NdjsonWriter, parquet.ParquetWriter])
def test_memory_stays_flat_however_many_events_are_exported(
    monkeypatch: pytest.MonkeyPatch, writer: Callable[[Any], Writer]
) -> None:
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 100)
    payload = json.dumps({"text": "x" * 4_000})
    texts = [
        f'{{{PAID},"entity_id":"o-{number}","event_time":"2025-11-28T09:00:00Z","payload":{payload}}}'
        for number in range(100)
    ]
    items, content = stored(texts)
    peak(1, items, content, writer)  # what is imported on the way

    few, many = peak(4, items, content, writer), peak(40, items, content, writer)

    assert many < few + 2 * len(content)
