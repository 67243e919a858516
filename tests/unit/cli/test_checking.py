"""Any single corruption of a consistent store is found, and nothing else is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.dynamodb_rows import identity_row, index_row
from chalicelib.events.event import Event
from chalicelib.events.raw_objects import (
    INGEST_TIME_RANGE,
    RawLocation,
    Receipt,
    StoredEvent,
    event_time_of,
    name_of,
    object_of,
    stored_events,
)
from retrace.checking.differences import Difference
from retrace.checking.judging import Group, Judge, Rules
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import Damages, read_object
from retrace.checking.records import Records
from tests.unit.examples import event_in, native

Row = dict[str, Any]

_BUCKET = "raw"
_TIMES = [Instant(f"2026-11-22T08:30:0{number}.000000000Z") for number in range(3)]
_RULES = Rules(
    shards=4,
    late_after_ms=3_600_000,
    expired_before=None,
    in_flight_from=Instant("2026-12-01T00:00:00.000000000Z"),
)


@dataclass
class Store:
    """A bucket and its two tables, in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)
    index: list[Row] = field(default_factory=list)
    identities: list[Row] = field(default_factory=list)

    def put(self, events: Sequence[Event], ingest_time: Instant, *, indexed: bool = True) -> None:
        """Store events as ingest does, an object for each source and day."""
        receipt = Receipt(ingest_time, f"request at {ingest_time}", "arn:aws:iam::123456789012:user/shop")
        groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in events:
            groups[event.source, day_of(event_time_of(event, ingest_time))].append(event)
        for (source, day), together in groups.items():
            key = keys.raw_object(source, day, day_of(ingest_time), name_of(together))  # type: ignore[arg-type]  # a day
            if key in self.objects:
                continue  # a retry, which finds its own object
            self.objects[key] = object_of(together, receipt)
            for stored in stored_events(together, receipt, _BUCKET, key) if indexed else ():
                self.index.append(from_item(index_row(stored, _RULES.shards, _RULES.late_after_ms)))
                self.identities.append(from_item(identity_row(stored, "a request", None)))

    def differences(self, rules: Rules = _RULES) -> list[Difference]:
        """What an audit of it finds."""
        damages, records = Damages(), Records()
        records.add_index(self.index)
        records.add_identities(self.identities)
        found: list[Difference] = []
        for key, content in self.objects.items():
            read = read_object(_BUCKET, key, content)
            records.add_lines(read.lines)
            damages.add(read)
            found += read.differences()
        judge = Judge(rules, damages)
        found += [difference for group in records.groups() for difference in judge.differences(group)]
        records.close()
        return found

    def kinds(self) -> list[Kind]:
        return [difference.kind for difference in self.differences()]


def an_event(number: int, **members: Any) -> Event:
    """One of as many events as are wanted: of few sources, entities, types and days."""
    chosen = {
        "source": f"shop/{number % 2}",
        "event_type": "überweisung" if number % 3 else "order.paid",
        "entity_id": f"order\n#{number % 4}",
        "event_time": f"2026-11-2{number % 3}T09:00:00.{number:03d}Z",
        "payload": {"total": 1.10, "note": "a b", "number": number},
    }
    if number % 5 == 0:
        chosen["idempotency_key"] = f"key {number}"
    return event_in(json.dumps(native(**chosen | members), ensure_ascii=number % 2 == 0))


@st.composite
def stores(draw: st.DrawFn) -> Store:
    """Consistent stores, in which some events were sent again by requests that came too late or died."""
    store = Store()
    events = [an_event(number) for number in range(draw(st.integers(2, 9)))]
    cut = draw(st.integers(1, len(events)))
    store.put(events[:cut], _TIMES[0])
    store.put(events[cut:], _TIMES[1])
    again = draw(st.lists(st.sampled_from(events), unique=True, max_size=3))
    store.put([*again, *([events[0]] if not again else [])][:3], _TIMES[2], indexed=False)
    return store


@given(stores())
def test_a_consistent_store_has_no_differences(store: Store) -> None:
    assert store.differences() == []


@given(stores(), st.data())
def test_any_changed_byte_is_found_where_it_is_and_nothing_else(store: Store, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(store.objects)))
    content = bytearray(store.objects[key])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    of_no_row = key not in {row["s3_key"] for row in store.index}
    untold = of_no_row and _in_receipt(store.objects[key], at)
    store.objects[key] = bytes(content)

    found = store.differences()

    assert found or untold
    assert {difference.s3_key for difference in found} <= {key}
    assert len(found) <= (2 if content[at] == ord("\n") else 1), "a line that was cut in two is two"
    assert {difference.kind for difference in found} <= {Kind.LINE_CHANGED, Kind.OBJECT_CHANGED, Kind.LINE_DISAGREES}


@given(stores(), st.data())
def test_what_moved_with_an_inserted_byte_is_not_reported_beside_it(store: Store, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted({row["s3_key"] for row in store.index})))
    content = store.objects[key]
    at = data.draw(st.integers(0, len(content)))
    store.objects[key] = content[:at] + bytes([data.draw(st.integers(0, 255))]) + content[at:]

    found = store.differences()

    assert {difference.s3_key for difference in found} == {key}
    assert len(found) <= 2, "a line that was cut in two is two"
    assert {difference.kind for difference in found} <= {Kind.LINE_CHANGED, Kind.OBJECT_CHANGED, Kind.LINE_DISAGREES}


def _in_receipt(content: bytes, at: int) -> bool:
    """Whether a byte is of the receipt of a line, which no hash covers, so that only rows tell what it was."""
    begin = content.rfind(b"\n", 0, at) + 1
    start, end = INGEST_TIME_RANGE
    return start <= at - begin < end or content.index(b',"request_id":', begin) < at < content.index(
        b',"event":', begin
    )


@given(stores(), st.data())
def test_any_lost_index_row_is_found_and_can_be_written_again(store: Store, data: st.DataObject) -> None:
    lost = store.index.pop(data.draw(st.integers(0, len(store.index) - 1)))

    [found] = store.differences()

    assert (found.kind, found.event_id) == (Kind.INDEX_MISSING, lost["event_id"])
    assert found.repair is not None
    assert from_item(index_row(found.repair, _RULES.shards, _RULES.late_after_ms)) == lost


@given(stores(), st.data())
def test_any_lost_identity_is_found_and_can_be_written_again(store: Store, data: st.DataObject) -> None:
    lost = store.identities.pop(data.draw(st.integers(0, len(store.identities) - 1)))

    [found] = store.differences()

    assert (found.kind, found.event_id) == (Kind.IDENTITY_MISSING, lost["event_id"])
    assert found.repair is not None
    assert from_item(identity_row(found.repair, "a request", None)) == lost


@given(stores(), st.data())
def test_an_event_that_lost_both_rows_is_indexed_from_its_earliest_line(store: Store, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(store.index) - 1))
    lost = store.index.pop(number)
    store.identities.pop(number)

    [found] = store.differences()

    assert (found.kind, found.event_id) == (Kind.RAW_NOT_INDEXED, lost["event_id"])
    assert found.repair is not None
    assert found.repair.ingest_time == lost["ingest_time"]


@given(stores(), st.data())
def test_any_edited_field_of_a_row_is_found_and_named(store: Store, data: st.DataObject) -> None:
    table, kind = data.draw(
        st.sampled_from([(store.index, Kind.INDEX_DIFFERS), (store.identities, Kind.IDENTITY_DIFFERS)])
    )
    row = data.draw(st.sampled_from(table))
    name = data.draw(st.sampled_from(sorted(row.keys() - {"PK", "SK", "written_by"} - _KEYS_OF[kind])))
    row[name] = data.draw(_edited(row[name]))

    [found] = store.differences()

    assert (found.kind, found.fields, found.event_id) == (kind, (name,), found.event_id)
    assert found.repair is None


_KEYS_OF = {Kind.INDEX_DIFFERS: set[str](), Kind.IDENTITY_DIFFERS: {"event_id"}}


def _edited(value: Any) -> st.SearchStrategy[Any]:
    """Other values than one."""
    others = st.integers(0, 10**6) if isinstance(value, int) else st.text(max_size=9)
    return (others | st.none()).filter(lambda other: other != value)


@given(stores(), st.data())
def test_a_lost_object_is_found_as_index_rows_without_raw(store: Store, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted({row["s3_key"] for row in store.index})))
    del store.objects[key]

    found = store.differences()

    lost = {row["event_id"] for row in store.index if row["s3_key"] == key}
    assert sorted((each.kind, str(each.event_id)) for each in found) == sorted(
        (Kind.INDEX_WITHOUT_RAW, event_id) for event_id in lost
    )
    assert all(each.repair is None for each in found)


@given(stores())
def test_an_identity_of_nothing_is_found(store: Store) -> None:
    other = Store()
    other.put([an_event(700)], _TIMES[0])
    store.identities += other.identities

    assert [(each.kind, each.event_id) for each in store.differences()] == [
        (Kind.IDENTITY_ALONE, other.identities[0]["event_id"])
    ]


def test_an_identity_that_is_of_another_line_than_the_index_row_is_found() -> None:
    store = Store()
    store.put([an_event(1)], _TIMES[0])
    store.put([an_event(1), an_event(7)], _TIMES[1])
    first, second = store.index[:2]
    store.index = [second, store.index[2]]
    store.identities = [store.identities[0], store.identities[2]]

    assert first["s3_key"] != second["s3_key"]
    assert store.kinds() == [Kind.ROWS_DISAGREE]


def test_a_second_index_row_of_an_identity_is_found_unless_identities_expire() -> None:
    store = Store()
    store.put([an_event(5)], _TIMES[0])
    store.put([an_event(5, event_time="2026-11-21T10:00:00Z")], _TIMES[1])
    del store.identities[1]

    assert store.kinds() == [Kind.INDEX_TWICE]
    assert store.differences(_expiring(_TIMES[0])) == []


def test_an_identity_that_may_have_expired_is_not_missed() -> None:
    store = Store()
    store.put([an_event(1)], _TIMES[0])
    store.put([an_event(2)], _TIMES[2])
    store.identities.clear()

    found = store.differences(_expiring(_TIMES[1]))

    assert [(each.kind, each.event_id) for each in found] == [(Kind.IDENTITY_MISSING, an_event(2).event_id)]


def _expiring(before: Instant) -> Rules:
    return Rules(_RULES.shards, _RULES.late_after_ms, before, _RULES.in_flight_from)


def test_an_added_sound_object_is_found_as_no_row_points_at_it() -> None:
    """S3 tells of it as of any other, so a digest lists it."""
    store = Store()
    store.put([an_event(1)], _TIMES[0])
    store.put([an_event(2)], _TIMES[1], indexed=False)

    assert [(each.kind, each.event_id) for each in store.differences()] == [
        (Kind.RAW_NOT_INDEXED, an_event(2).event_id)
    ]


def test_a_line_of_a_request_that_may_be_under_way_is_not_judged() -> None:
    store = Store()
    store.put([an_event(1)], _TIMES[1], indexed=False)

    assert store.kinds() == [Kind.RAW_NOT_INDEXED]
    assert store.differences(Rules(4, 3_600_000, None, in_flight_from=_TIMES[1])) == []


def test_rows_of_a_time_of_fewer_shards_are_as_they_should_be_and_those_of_more_are_not() -> None:
    store = Store()
    store.put([an_event(number) for number in range(8)], _TIMES[0])
    fewer = Rules(7, _RULES.late_after_ms, None, _RULES.in_flight_from)

    assert store.differences(fewer) == []
    more = store.differences(Rules(1, _RULES.late_after_ms, None, _RULES.in_flight_from))
    assert {each.fields for each in more} == {("type_day",), ("type_day", "late_day")}


@pytest.mark.parametrize("key", ["raw/notes.txt", "raw/source=a/event_date=2026-11-21/ingest_date=2026-11-22/x.ndjson"])
def test_what_is_none_of_retraces_objects_is_named(key: str) -> None:
    assert [each.kind for each in read_object(_BUCKET, key, b"{}\n").differences()] == [Kind.FOREIGN_OBJECT]


def test_an_object_that_was_copied_under_another_day_is_found() -> None:
    store = Store()
    store.put([an_event(1)], _TIMES[0])
    [(key, content)] = store.objects.items()
    store.objects[key.replace("ingest_date=2026-11-22", "ingest_date=2026-11-23")] = content

    assert store.kinds() == [Kind.LINE_CHANGED]


def test_every_kind_is_told_with_what_to_do() -> None:
    assert all(kind.sentence.endswith(".") and kind.remedy.endswith((".", "?")) for kind in Kind)


def test_a_difference_says_where_it_is() -> None:
    line = StoredEvent("e", "s", "t", "order", _TIMES[0], _TIMES[0], "c", "request", "local", _location())
    judged = Judge(_RULES, Damages()).differences(Group("e", lines=(line,)))

    assert [each.where for each in judged] == ["event e of order\nraw/key at byte 7"]
    assert judged[0].as_json()["repairable"] is True


def _location() -> Any:
    return RawLocation(_BUCKET, "raw/key", 7, 9)
