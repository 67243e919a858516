"""Rows written from raw lines: what is missing and nothing else, and of several lines of one identity the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_rows import index_row
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from retrace.checking.deployment import RowSettings
from retrace.checking.restoring import Restore, Restored
from retrace.checking.stores import Tables
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.storage import Storage
from tests.unit.examples import an_event, stored

_DAY_S = 86_400


@pytest.fixture
def tables(storage: Storage) -> Tables:
    return Tables(clients.dynamodb(), SETTINGS["EVENTS_TABLE"], SETTINGS["DEDUPE_TABLE"], SETTINGS["AGGREGATES_TABLE"])


@pytest.fixture
def restore(tables: Tables) -> Restore:
    return Restore(tables, RowSettings(shards=4, late_after_s=3_600, identity_ttl_days=0))


def line(number: int, **other: Any) -> StoredEvent:
    """One of as many events as are wanted, or another line of it."""
    own: dict[str, Any] = {"event_id": f"{number:064x}", "location": RawLocation("raw", f"raw/{number}", 0, 9)}
    return replace(stored(an_event()), **own | other)


def test_missing_rows_are_those_that_ingest_writes_and_are_written_once(storage: Storage, restore: Restore) -> None:
    events = [line(number) for number in range(40)]

    assert restore.write(events) == Restored(written=40)
    assert restore.write(events) == Restored(present=40)
    expected = [from_item(index_row(event, 4, 3_600_000)) for event in events]
    assert sorted(storage.index(), key=str) == sorted(expected, key=str)
    assert {row["event_id"] for row in storage.identities()} == {event.event_id for event in events}


def test_an_index_row_alone_and_an_identity_alone_are_completed(storage: Storage, restore: Restore) -> None:
    events = [line(number) for number in range(3)]
    restore.write(events)
    before = storage.index()
    lost = before[0]
    clients.dynamodb().delete_item(
        TableName=SETTINGS["EVENTS_TABLE"], Key={name: {"S": lost[name]} for name in ("PK", "SK")}
    )
    storage.forget(before[1]["event_id"])

    again = restore.write(events)

    assert (again.written, again.present) == (1, 2)
    assert storage.index() == before
    assert len(storage.identities()) == 3


def test_of_several_lines_of_an_identity_the_first_that_is_given_gets_the_rows(
    storage: Storage, restore: Restore
) -> None:
    first = line(1)
    repeat = line(1, location=RawLocation("raw", "raw/repeat", 0, 9))
    conflict = line(1, location=RawLocation("raw", "raw/conflict", 0, 9), content_sha256="other")

    assert restore.write([first, repeat, conflict]) == Restored(written=1, repeated=2, conflicts=((first, conflict),))
    again = restore.write([conflict, repeat])
    assert again.counts() == {"written": 0, "present": 0, "repeated": 2, "conflicting": 1}
    assert [row["s3_key"] for row in storage.index()] == ["raw/1"]
    assert [row["s3_key"] for row in storage.identities()] == ["raw/1"]


def test_an_event_whose_key_had_expired_is_in_the_index_again(storage: Storage, tables: Tables) -> None:
    first = line(1, ingest_time=Instant("2026-11-01T00:00:00.000000000Z"))
    other: dict[str, Any] = {"location": RawLocation("raw", "raw/again", 0, 9), "content_sha256": "other"}
    other["event_time"] = Instant("2026-11-20T00:00:00.000000000Z")
    soon = line(1, **other, ingest_time=Instant("2026-11-01T23:00:00.000000000Z"))
    later = line(1, **other, ingest_time=Instant("2026-11-20T00:00:00.000000000Z"))
    restore = Restore(tables, RowSettings(4, 3_600, identity_ttl_days=1))

    assert restore.write([first, soon]) == Restored(written=1, repeated=1, conflicts=((first, soon),))
    assert restore.write([later]) == Restored(written=1)
    assert sorted(row["s3_key"] for row in storage.index()) == ["raw/1", "raw/again"]
    assert [row["expires_at"] for row in storage.identities()] == [1_793_491_200 + _DAY_S]
