"""`retrace export`: what is written is what was sent, and what does not hash as recorded is told of."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import pytest

from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant, lag_ms
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import event_time_of
from retrace.concurrency import in_order
from retrace.exporting import parquet
from retrace.exporting.events import Fetched, opened
from retrace.problem import Problem
from tests.unit.cli.scripted_api import Asked, Script, exit_code, problem, said, serving

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


def holds(texts: list[str], **instead: tuple[int, Any]) -> Script:
    """An API that holds events, two a page; by the last digits of its id an event may be answered otherwise."""
    items = [metadata(text) for text in texts]
    raw = {item["event_id"]: text.encode() for item, text in zip(items, texts, strict=True)}

    def answered(asked: Asked) -> tuple[int, Any]:
        if asked.call == "GET /events":
            start = int(asked.query.get("cursor", "0"))
            more = str(start + 2) if start + 2 < len(items) else None
            return 200, {"items": items[start : start + 2], "cursor": more}
        event_id = asked.call.split("/")[2]
        return instead.get(f"of_{event_id[:8]}", (200, raw[event_id]))

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
BAD = [
    ((200, TAMPERED.encode()), "hashes to"),
    ((200, NATIVE[2].encode()), "hashes to"),
    ((200, b"no JSON"), "can no longer be read"),
    ((500, problem("The stored event hashes to another.")), "The stored event hashes to another."),
    ((404, problem("There is no event.")), "events/x.ndjson"),
    ((410, problem("It was erased.")), "It was erased."),
    ((413, problem("Too large.")), "events/x.ndjson"),
]


@pytest.mark.parametrize(("answer", "told"), BAD)
def test_an_event_that_fails_its_check_is_told_of_and_left_out(answer: tuple[int, Any], told: str) -> None:
    with serving(holds(TEXTS, **{of(NATIVE[0]): answer})) as api:
        result = api.run("export", "o-1")

    assert exit_code(result) == 1
    assert metadata(NATIVE[0])["event_id"] in result.stderr
    assert told in result.stderr
    assert "1 failed" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_a_source_that_the_index_has_otherwise_is_told_of() -> None:
    inner = holds(NATIVE[:1])

    def answered(asked: Asked) -> tuple[int, Any]:
        status, body = inner(asked)
        return (
            (status, body)
            if isinstance(body, bytes)
            else (status, {**body, "items": [{**body["items"][0], "source": "x"}]})
        )

    with serving(answered) as api:
        result = api.run("export", "o-1")

    assert exit_code(result) == 1
    assert "Its source is shop, not x." in result.stderr


def test_bad_events_can_be_kept_with_their_fault(tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    with serving(holds(TEXTS, **{of(NATIVE[0]): (200, TAMPERED.encode()), of(CLOUD): (500, problem("No."))})) as api:
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
    with serving(holds(TEXTS, **{of(NATIVE[2]): (403, {"message": "not authorized"})})) as api:
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
    with pytest.raises(Problem, match="cannot be written"), opened(str(tmp_path / "no/such/file"), replace=False):
        raise AssertionError


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
    }
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
def test_no_events_make_an_empty_file_and_explain_themselves(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"events.{suffix}"
    with serving(lambda _: (200, {"items": [], "cursor": None})) as api:
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
