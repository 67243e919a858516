"""What lies in S3 and DynamoDB, read past the application."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tests.conftest import SETTINGS
from tests.functional import clients

Row = dict[str, Any]
T = TypeVar("T")

_RECEIPT = ("ingest_time", "request_id", "sent_by")
_AGREED = ("event_id", "source", "event_type", "entity_id", "event_time", "content_sha256", *_RECEIPT)
_LOCATION = ("s3_bucket", "s3_key", "s3_offset", "s3_length")
_IN_LINE = ("event_id", "entity_id", "event_type", "event_time", "content_sha256", *_RECEIPT)


@dataclass(frozen=True)
class Storage:
    """The raw bucket and the tables."""

    def everything(self) -> dict[str, Any]:
        """Every row of every table and every version of every object: equal only if nothing at all was written."""
        versions = self.versions()
        tables = ("EVENTS_TABLE", "DEDUPE_TABLE", "REPLAYS_TABLE", "AGGREGATES_TABLE")
        return {
            **{table: self.rows(table) for table in tables},
            "objects": [(version["Key"], version["VersionId"]) for version in versions.get("Versions", [])],
            "deleted": versions.get("DeleteMarkers", []),
        }

    def versions(self) -> Any:
        """Every version of every object, and what was deleted."""
        return clients.s3().list_object_versions(Bucket=SETTINGS["RAW_BUCKET"])

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """The objects whose keys begin so."""
        listed = clients.s3().list_objects_v2(Bucket=SETTINGS["RAW_BUCKET"], Prefix=prefix).get("Contents", [])
        return {found["Key"]: self.object(found["Key"]) for found in listed}

    def object(self, key: str) -> bytes:
        """The bytes of one object."""
        return clients.s3().get_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key)["Body"].read()

    def quarantined(self, rejected_id: str) -> Any:
        """What quarantine holds under an id."""
        day, _, digest = rejected_id.partition(".")
        [kept] = self.objects(f"rejected/ingest_date={day}/{digest}.").values()
        return json.loads(kept)

    def rows(self, table: str) -> list[Row]:
        """Every row of a table, named by its setting, in a fixed order."""
        pages = clients.dynamodb().get_paginator("scan").paginate(TableName=SETTINGS[table])
        read = TypeDeserializer().deserialize
        rows = [{name: read(value) for name, value in item.items()} for page in pages for item in page["Items"]]
        return sorted(rows, key=lambda row: str(sorted(row.items())))

    def overwrite(self, key: str, before: bytes, after: bytes) -> None:
        """Change part of an object as nobody may."""
        content = self.object(key)
        assert before in content
        clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key, Body=content.replace(before, after))

    def lose(self, key: str) -> None:
        """Delete an object as nobody may."""
        clients.s3().delete_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key)

    def put(self, table: str, row: Row) -> None:
        """Put a row as some other writer might."""
        write = TypeSerializer().serialize
        clients.dynamodb().put_item(TableName=SETTINGS[table], Item={name: write(value) for name, value in row.items()})

    def index(self) -> list[Row]:
        """The rows of events, without those of later arrivals."""
        return [row for row in self.rows("EVENTS_TABLE") if row["PK"].startswith("ENTITY#")]

    def arrivals(self) -> list[Row]:
        """The rows of later arrivals."""
        return [row for row in self.rows("EVENTS_TABLE") if row["PK"].startswith("EVENT#")]

    def identities(self) -> list[Row]:
        """The rows by which events are told apart."""
        return self.rows("DEDUPE_TABLE")

    def forget(self, event_id: str) -> None:
        """Let an identity expire."""
        clients.dynamodb().delete_item(TableName=SETTINGS["DEDUPE_TABLE"], Key={"event_id": {"S": event_id}})

    def line(self, row: Row) -> bytes:
        """The raw line that a row points at, which must be a whole one."""
        content = self.object(row["s3_key"])
        start, length = int(row["s3_offset"]), int(row["s3_length"])
        assert start == 0 or content[start - 1 : start] == b"\n"
        assert content[start + length : start + length + 1] == b"\n"
        return content[start : start + length]


@dataclass(frozen=True)
class Moment(Storage):
    """What is stored while nothing is written: each table and each object is read once."""

    read: dict[tuple[str, str], Any] = field(default_factory=dict)

    def object(self, key: str) -> bytes:
        """The bytes of one object."""
        return self._once("object", key, super().object)

    def rows(self, table: str) -> list[Row]:
        """Every row of a table."""
        return self._once("table", table, super().rows)

    def _once(self, kind: str, name: str, read: Callable[[str], T]) -> T:
        if (kind, name) not in self.read:
            self.read[kind, name] = read(name)
        found: T = self.read[kind, name]
        return found


def assert_sound(storage: Storage) -> None:
    """Every event has one index row, one identity row and a raw line, and the three say the same of it."""
    storage = storage if isinstance(storage, Moment) else Moment()
    index = {row["event_id"]: row for row in storage.index()}
    identities = {row["event_id"]: row for row in storage.identities()}
    assert len(index) == len(storage.index()), "an event has two index rows"
    assert index.keys() == identities.keys()
    for event_id, row in index.items():
        assert _some(row, *_AGREED, *_LOCATION) == _some(identities[event_id], *_AGREED, *_LOCATION)
        assert _some(row, *_IN_LINE) == _some(json.loads(storage.line(row)), *_IN_LINE)
        assert row["s3_bucket"] == SETTINGS["RAW_BUCKET"]


def assert_holds(storage: Storage, *events: Any) -> None:
    """Storage is sound and holds exactly these events."""
    storage = Moment()
    assert_sound(storage)
    held = [json.loads(storage.line(row))["event"] for row in storage.index()]
    assert sorted(map(str, held)) == sorted(map(str, events))


def _some(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names}
