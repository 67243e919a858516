"""`retrace sql`: raw objects as the table `events`, one row an event as the index has it, and the prompt."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from chalicelib.aws import keys
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Day, Instant, Window, day_of, window_of
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import Receipt, event_time_of, line_of, name_of, object_of
from retrace.client import Client
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.querying import loading
from retrace.querying.loading import EventsTable
from retrace.querying.prompt import completer, statements
from retrace.querying.results import Results, Shape
from retrace.target import Target
from tests.unit.cli.scripted_api import Answer, ScriptedApi, exit_code, problem, routes, said, serving

Json = dict[str, Any]

DAY = Day("2025-11-28")
FIRST = Receipt(Instant("2025-11-28T10:00:00.000000000Z"), "request-1", "local")
SECOND = Receipt(Instant("2025-11-28T10:00:01.000000000Z"), "request-2", "local")
CLOUD = '{"specversion":"1.0","id":"c-1","source":"shop","type":"paid","subject":"o-3","data":{"total":2.50}}'


def event(number: int, *, source: str = "shop", at: str = f"{DAY}T09:00:00Z", payload: str = '{"n":1.10}') -> Event:
    text = (
        f'{{ "source":{json.dumps(source)}, "event_type":"paid", "entity_id":"o-{number}", "event_time":"{at}",'
        f' "payload":{payload}, "idempotency_key":"k-{number}" }}'
    )
    return parse_native(parse(text))


@dataclass
class Bucket:
    """S3 with raw objects, which knows listings and reading."""

    objects: dict[str, bytes] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def put(self, receipt: Receipt, *events: Event) -> str:
        """Store the events of a request, of one source and day; answers the key."""
        day = day_of(event_time_of(events[0], receipt.ingest_time))
        key = keys.raw_object(events[0].source, day, day_of(receipt.ingest_time), name_of(events))
        self.objects[key] = object_of(events, receipt)
        return key

    def get_paginator(self, _name: str) -> Bucket:
        return self

    def paginate(self, **asked: str) -> Iterator[Json]:
        found = [key for key in sorted(self.objects) if key.startswith(asked["Prefix"])]
        if "Delimiter" in asked:
            depth = asked["Prefix"].count("/") + 1
            prefixes = dict.fromkeys("/".join(key.split("/")[:depth]) + "/" for key in found)
            yield {"CommonPrefixes": [{"Prefix": prefix} for prefix in prefixes]}
        for key in found:
            if key > asked.get("StartAfter", ""):
                yield {"Contents": [{"Key": key, "Size": len(self.objects[key])}]}

    def get_object(self, **asked: str) -> Json:
        self.read.append(asked["Key"])
        return {"Body": io.BytesIO(self.objects[asked["Key"]])}


@dataclass(frozen=True)
class WithBucket(Target):
    """A deployment whose S3 is a bucket of the test."""

    bucket: Bucket = field(default_factory=Bucket)

    def client(self, service: str, config: object = None) -> Any:
        assert service == "s3"
        return self.bucket


@contextmanager
def table(
    bucket: Bucket,
    directory: Path,
    *sources: str,
    api: ScriptedApi | None = None,
    window: Window | None = None,
    agreed: Callable[[str], bool] = lambda _: False,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """The database, and what was said meanwhile."""
    target = WithBucket(
        api.url if api else "http://127.0.0.1:1",
        "test",
        "eu-west-1",
        access_key=("k", "s"),
        bucket=bucket,
        storage={"raw_bucket": "raw"},
    )
    told = io.StringIO()
    events = EventsTable(Client(target), Output(as_json=True, err=told), directory, agreed)
    with events.of(sources, window or window_of(DAY)) as database:
        yield database, told.getvalue()


def rows(database: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return database.execute(query).fetchall()


def test_a_row_has_what_the_line_says_and_the_event_verbatim(tmp_path: Path) -> None:
    bucket = Bucket()
    native, cloud = event(1, source="shop/é %"), parse_structured(parse(CLOUD))
    key = bucket.put(FIRST, native)
    bucket.put(FIRST, cloud)

    with table(bucket, tmp_path) as (database, told):
        found = database.execute("SELECT * FROM events ORDER BY source DESC").fetchall()
        names = [column[0] for column in database.description or []]

    first = dict(zip(names, found[0], strict=True))
    assert (first["event_id"], first["source"], first["entity_id"]) == (native.event_id, "shop/é %", "o-1")
    assert (first["event"], first["payload"]) == (native.text, '{"n":1.1}')
    assert (str(first["event_time"]), str(first["ingest_time"])) == (f"{DAY} 09:00:00", f"{DAY} 10:00:00")
    assert (first["ingest_lag_ms"], first["idempotency_key"]) == (3_600_000, "k-1")
    assert (first["content_sha256"], first["request_id"], first["sent_by"]) == (
        native.content_sha256,
        "request-1",
        "local",
    )
    assert (first["s3_key"], first["s3_offset"]) == (key, 0)
    second = dict(zip(names, found[1], strict=True))
    assert (second["idempotency_key"], second["payload"], second["event"]) == ("c-1", '{"total":2.5}', CLOUD)
    assert "2 events in the table" in told


def test_only_objects_of_the_days_and_sources_are_read_and_only_events_of_the_window_are_rows(tmp_path: Path) -> None:
    bucket = Bucket()
    inside = bucket.put(FIRST, event(1, at=f"{DAY}T09:00:00Z"), event(2, at=f"{DAY}T09:30:00.000000001Z"))
    bucket.put(FIRST, event(3, at="2025-11-27T23:59:59Z"))
    bucket.put(FIRST, event(4, at="2025-11-29T00:00:00Z"))
    bucket.put(FIRST, event(5, source="other"))
    window = Window(Instant(f"{DAY}T09:00:00.000000000Z"), Instant(f"{DAY}T09:30:00.000000001Z"))

    with table(bucket, tmp_path, "shop", window=window) as (database, _):
        assert rows(database, "SELECT entity_id FROM events") == [("o-1",)]

    assert bucket.read == [inside]


def test_a_marked_line_is_no_row(tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.put(FIRST, event(1), event(2))
    loser = bucket.put(SECOND, event(3), event(2))
    offset = len(line_of(event(3), SECOND)) + 1
    bucket.objects[keys.superseded(loser, offset)] = b"{}"

    with table(bucket, tmp_path) as (database, _):
        found = rows(database, "SELECT entity_id, request_id FROM events ORDER BY ALL")

    assert found == [("o-1", "request-1"), ("o-2", "request-1"), ("o-3", "request-2")]


@pytest.mark.parametrize("right", [0, 1])
def test_of_two_lines_of_an_event_the_one_that_the_index_has_is_the_row(tmp_path: Path, right: int) -> None:
    bucket = Bucket()
    places = [bucket.put(FIRST, event(1)), bucket.put(SECOND, event(1), event(2))]
    index: Answer = (200, {"s3_key": places[right], "s3_offset": 0})

    with serving(routes({f"GET /events/{event(1).event_id}": index})) as api, table(bucket, tmp_path, api=api) as made:
        database, told = made
        found = rows(database, "SELECT entity_id, s3_key FROM events ORDER BY ALL")

    assert found == [("o-1", places[right]), ("o-2", places[1])]
    assert "1 second lines are left out" in told
    assert len(api.asked) == 1


def test_two_lines_of_an_event_that_was_never_acknowledged_are_no_row(tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.put(FIRST, event(1))
    bucket.put(SECOND, event(1), event(2))

    unknown = routes({f"GET /events/{event(1).event_id}": (404, problem("Unknown."))})
    with serving(unknown) as api, table(bucket, tmp_path, api=api) as (database, _):
        assert rows(database, "SELECT entity_id FROM events") == [("o-2",)]


def test_too_many_events_with_several_lines_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST_ASKED", 1)
    bucket = Bucket()
    bucket.put(FIRST, event(1), event(2))
    bucket.put(SECOND, event(2), event(1))

    with pytest.raises(Problem, match="several raw lines") as stopped, table(bucket, tmp_path):
        raise AssertionError

    assert "check audit --repair" in stopped.value.remedy


def test_how_much_is_read_is_said_and_much_is_not_read_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MUCH", 100)
    bucket = Bucket()
    bucket.put(FIRST, event(1))
    bucket.put(FIRST, event(2, source="other"))
    asked: list[str] = []

    def noted(much: str) -> bool:
        asked.append(much)
        return True

    with pytest.raises(Problem, match="2 raw objects of 2 sources") as stopped, table(bucket, tmp_path):
        raise AssertionError
    assert (stopped.value.exit_code, bucket.read) == (Exit.USAGE, [])
    assert "--yes" in stopped.value.remedy

    with table(bucket, tmp_path, agreed=noted) as (_, told):
        assert "Reading 2 raw objects of 2 sources" in told
    assert len(asked) == 1


def test_a_disk_without_room_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ROOM", 10**18)
    bucket = Bucket()
    bucket.put(FIRST, event(1))

    with pytest.raises(Problem, match="no room") as stopped, table(bucket, tmp_path):
        raise AssertionError

    assert ("TMPDIR" in stopped.value.remedy, bucket.read) == (True, [])


def test_damaged_lines_are_told_and_left_out(tmp_path: Path) -> None:
    bucket = Bucket()
    key = bucket.put(FIRST, event(1), event(2))
    bucket.objects[key] += b'not a line\n{"v":1,"event":{"a":"\xff"}}\n\x01,"event":{}}\n' + b'{"v":,"event":{}}\n'

    with table(bucket, tmp_path) as (database, told):
        assert rows(database, "SELECT count(*) FROM events") == [(2,)]

    assert "4 lines are damaged" in told


def test_an_empty_window_explains_itself_and_an_unknown_source_is_told(tmp_path: Path) -> None:
    known = {"GET /sources": (200, {"items": [{"source": "shop", "event_type": "paid"}], "cursor": None})}
    with serving(routes(known)) as api:
        with table(Bucket(), tmp_path, "shop", api=api) as (database, told):
            assert rows(database, "SELECT count(*) FROM events") == [(0,)]
        assert "`retrace sources`" in told
        for asked in (["shpo"], ["shop", "shpo"]):
            with pytest.raises(Problem, match="Unknown source") as stopped, table(Bucket(), tmp_path, *asked, api=api):
                raise AssertionError
            assert "shop" in stopped.value.remedy


def test_the_table_cannot_be_changed(tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.put(FIRST, event(1))

    with table(bucket, tmp_path) as (database, _):
        for statement in ("DELETE FROM stored.line", "DROP VIEW events", "CREATE TABLE mine AS FROM events"):
            with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                database.execute(statement)
        database.execute("CREATE TEMP TABLE mine AS FROM events")
        assert rows(database, "SELECT count(*) FROM mine") == [(1,)]


def shown(shape: Shape, query: str) -> str:
    out = io.StringIO()
    with duckdb.connect() as database:
        for statement in duckdb.extract_statements(query):
            Results(Output(as_json=False, out=out), shape).show(database, statement)
    return out.getvalue()


VALUES = """SELECT 12345678901234567890.10::DECIMAL(38,2) AS d, '{"a":1.10}'::JSON AS j,
 TIMESTAMP '2025-11-28 09:00:00.5' AS t,
 NULL AS n, [1, 2] AS l, 'a,"b' AS s, 'NaN'::DOUBLE AS f, chr(27) AS e"""


def test_json_has_numbers_digit_for_digit_and_json_as_it_is() -> None:
    assert shown(Shape.JSON, VALUES) == (
        '{"d":12345678901234567890.10,"j":{"a":1.10},"t":"2025-11-28T09:00:00.500000","n":null,"l":[1,2],"s":"a,\\"b",'
        '"f":null,"e":"\\u001b"}\n'
    )


@pytest.mark.parametrize("shape", [Shape.JSON, Shape.CSV])
def test_a_time_with_a_zone_is_written_in_utc_in_the_order_and_by_the_names_of_the_query(shape: Shape) -> None:
    query = """SELECT moment AS t, 2 AS t, NULL::TIMESTAMPTZ AS "é;"
      FROM (VALUES (TIMESTAMPTZ '2025-11-28 09:00:00.5+02'), (TIMESTAMPTZ '2025-11-28 08:00:00+02')) AS many(moment)
      ORDER BY moment; -- a remark"""

    assert (
        shown(shape, query).splitlines()
        == {
            Shape.JSON: [
                '{"t":"2025-11-28T06:00:00.000000Z","t":2,"é;":null}',
                '{"t":"2025-11-28T07:00:00.500000Z","t":2,"é;":null}',
            ],
            Shape.CSV: ["t,t,é;", "2025-11-28T06:00:00.000000Z,2,", "2025-11-28T07:00:00.500000Z,2,"],
        }[shape]
    )


def test_csv_is_quoted_and_has_a_heading() -> None:
    [heading, row] = csv.reader(io.StringIO(shown(Shape.CSV, VALUES)))

    assert heading == list("djtnlsfe")
    assert row == [
        "12345678901234567890.10",
        '{"a":1.10}',
        "2025-11-28T09:00:00.500000",
        "",
        "[1, 2]",
        'a,"b',
        "nan",
        "\x1b",
    ]


def test_a_table_shows_control_characters_escaped_and_settings_show_nothing() -> None:
    table_of = shown(Shape.TABLE, "SET threads = 1; SELECT chr(27) || '[31m' AS x")

    assert "\x1b" not in table_of
    assert "[31m" in table_of
    assert "Success" not in table_of


def typed(*lines: str) -> tuple[list[str], str, Results]:
    """The statements that lines at the prompt make, and what was said."""
    told = io.StringIO()
    output = Output(as_json=False, out=io.StringIO(), err=told)
    results = Results(output, Shape.TABLE)
    left = iter(lines)

    def read(_prompt: str) -> str:
        line = next(left, None)
        if line is None:
            raise EOFError
        if line == "^C":
            raise KeyboardInterrupt
        return line

    return list(statements(output, results, read)), told.getvalue(), results


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["SELECT 1;"], ["SELECT 1;"]),
        (["SELECT", "  1 ", ";", "SELECT 2;"], ["SELECT\n  1\n;", "SELECT 2;"]),
        (
            ["", ".tables", ".schema", "SELECT 1;", ".quit", "SELECT 2;"],
            ["SHOW TABLES;", "DESCRIBE events;", "SELECT 1;"],
        ),
        (["SELECT wrong", "^C", "SELECT 1;", ".exit"], ["SELECT 1;"]),
    ],
)
def test_what_is_typed_becomes_statements(lines: Sequence[str], expected: list[str]) -> None:
    assert typed(*lines)[0] == expected


def test_commands_with_a_dot_are_told_and_carried_out() -> None:
    _, told, results = typed(".help", ".mode json", ".mode odd", ".nothing")

    assert ".tables" in told
    assert (".mode odd is not a command" in told, ".nothing is not a command" in told) == (True, True)
    assert results.shape is Shape.JSON


def test_words_are_completed() -> None:
    complete = completer(["events", "event_time", "SELECT"])

    assert [complete("ev", number) for number in range(3)] == ["events", "event_time", None]
    assert complete("sel", 0) == "SELECT"


def test_csv_and_json_exclude_each_other_and_an_empty_window_is_refused() -> None:
    with serving(routes({})) as api:
        both = api.run("sql", "SELECT 1", "--csv", "--json")
        reversed_window = api.run("sql", "SELECT 1", "--since", "2025-11-29", "--until", "2025-11-28")

    assert (exit_code(both), "--csv" in said(both)) == (Exit.USAGE, True)
    assert (exit_code(reversed_window), "--since" in said(reversed_window)) == (Exit.USAGE, True)
    assert cast("list[Any]", api.asked) == []
