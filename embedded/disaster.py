"""Causes disasters: damages stored data as an emulator's root, and compares the API's answers before and after.

An administrator restores what was lost. Both times it asks the API for events, rejections and aggregates.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from embedded.admin import Admin
from embedded.client import Api
from embedded.connection import Stack
from infra.command import Problem

Row = dict[str, Any]
Question = tuple[str, str, tuple[tuple[str, str], ...]]
"""What is asked for, in words for the reader; path and query."""

_CLIENTS = 4
_MOST_EVENTS = 500
"""How many events are asked for one by one; lists name all of them."""
_MOST_DAYS = 500
_COMPUTED = ("event_count", "metrics", "inputs_hash", "sample_event_ids", "counts_by_type", "other_types_count")
# No raw line contains these: arrivals, and replays, whose ids the versions of aggregates have.
_APART: Final = frozenset({"arrivals", "more_arrivals", "aggregates", "more_aggregates"})

EVENTS: Final = "events, by id"
RAW: Final = "events, as they were sent"
LISTS: Final = "entries of lists"
NUMBERS: Final = "numbers"
METRICS: Final = "definitions of metrics"
REFUSED: Final = "refused events"
KINDS: Final = (EVENTS, RAW, LISTS, NUMBERS, METRICS, REFUSED)


class Disaster:
    """Tables and raw objects of one stack, lost and brought back."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._admin = Admin.of(stack)

    def rows(self, table: str) -> list[Row]:
        """Return every row of a table."""
        pages = self._admin.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]

    def tables(self) -> tuple[str, str, str]:
        """Return the tables that can be made again: index, identities and aggregates."""
        return self._stack.events_table, self._stack.dedupe_table, self._stack.aggregates_table

    def lose_tables(self) -> None:
        """Delete those tables with all that is in them, and create them empty, as CloudFormation would."""
        for table in self.tables():
            self._recreate(table)

    def lose_metrics(self) -> None:
        """Delete every row of metrics: names, their changes, and definitions."""
        for row in self.rows(self._stack.replays_table):
            if row["PK"]["S"].startswith("METRIC#"):
                key = {name: row[name] for name in ("PK", "SK")}
                self._admin.dynamodb.delete_item(TableName=self._stack.replays_table, Key=key)

    def _recreate(self, table: str) -> None:
        dynamodb = self._admin.dynamodb
        described: Any = dynamodb.describe_table(TableName=table)["Table"]
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
        indexes = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in described.get("GlobalSecondaryIndexes", [])
        ]
        shape = {name: described[name] for name in ("AttributeDefinitions", "KeySchema")}
        more: Any = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **shape, **more)

    def delete(self, key: str) -> None:
        """Put a delete marker over a raw object."""
        self._admin.s3.delete_object(Bucket=self._stack.raw_bucket, Key=key)

    def change(self, row: Row) -> None:
        """Put another version over a raw object, with one bit changed in the event of an index row."""
        place = {"Bucket": self._stack.raw_bucket, "Key": row["s3_key"]["S"]}
        content = self._admin.s3.get_object(**place)["Body"].read()
        at = content.index(b'"event":', int(row["s3_offset"]["N"])) + 30
        self._admin.s3.put_object(**place, Body=content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])

    def restore(self, key: str) -> str:
        """Copy the first version of an object over whatever lies above it; return that version's id."""
        bucket, s3 = self._stack.raw_bucket, self._admin.s3
        *_, oldest = self._versions(key)  # S3 lists the newest first
        first: str = oldest["VersionId"]
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key, "VersionId": first})
        return first

    def _versions(self, key: str) -> Iterator[Any]:
        pages = self._admin.s3.get_paginator("list_object_versions").paginate(Bucket=self._stack.raw_bucket, Prefix=key)
        return (version for page in pages for version in page.get("Versions", []) if version["Key"] == key)


@dataclass(frozen=True, slots=True)
class ApiSnapshot:
    """The answer to each question."""

    answers: Mapping[Question, object]

    def count(self, kind: str) -> int:
        """Return how many things the answers of a kind told: entries of lists, else answers that were none of 404."""
        told = [answer for question, answer in self.answers.items() if question[0] == kind and answer is not None]
        return sum(len(answer) if isinstance(answer, tuple) else 1 for answer in told)

    def unknown(self, kind: str) -> list[Question]:
        """Return the questions of a kind that nothing was told to."""
        return [question for question, answer in self.of(kind).answers.items() if answer is None]

    def of(self, kind: str) -> "ApiSnapshot":
        """Return the questions of one kind."""
        return ApiSnapshot({question: answer for question, answer in self.answers.items() if question[0] == kind})

    def lost_in(self, later: "ApiSnapshot") -> list[Question]:
        """Return the questions that are answered otherwise later."""
        return [question for question, answer in self.answers.items() if later.answers.get(question) != answer]


def questions_about(index: Sequence[Row], metrics: Iterable[str]) -> list[Question]:
    """Return what can be asked about the events of index rows and metrics: some events by id, all in lists and numbers.

    The answer about a metric has all of its definitions.
    """
    ids = [row["event_id"]["S"] for row in sorted(index, key=lambda row: str(row["event_id"]["S"]))]
    some = ids[:: len(ids) // _MOST_EVENTS + 1]
    days = sorted({(row["entity_id"]["S"], _day(row)) for row in index})[:_MOST_DAYS]
    types = sorted({(row["source"]["S"], row["event_type"]["S"], _day(row)) for row in index})[:_MOST_DAYS]
    arrived = sorted({row["ingest_time"]["S"][:10] for row in index})
    return [
        *((EVENTS, f"/events/{event_id}", ()) for event_id in some),
        *((RAW, f"/events/{event_id}/raw", ()) for event_id in some),
        *((LISTS, "/events", (("entity_id", entity), *_whole(day))) for entity, day in days),
        *((LISTS, "/gaps", (("entity_id", entity), *_whole(day))) for entity, day in days[:20]),
        *(
            (LISTS, path, (("source", source), ("event_type", event_type), ("day", day)))
            for source, event_type, event_day in types
            for path, day in (("/events", event_day), *(("/late", of_arrival) for of_arrival in arrived))
        ),
        *((NUMBERS, "/aggregates", (("entity_id", entity), ("day", day))) for entity, day in days),
        *((METRICS, f"/metrics/{name}", ()) for name in metrics),
        *((REFUSED, "/rejected", (("day", day),)) for day in arrived),
    ]


def asked(stack: Stack, questions: Iterable[Question]) -> ApiSnapshot:
    """Ask the API; an answer that is 404, or says nothing, is None. Raises Problem for any other that is no success."""
    api, wanted = Api(stack), list(questions)
    with ThreadPoolExecutor(_CLIENTS) as clients:
        return ApiSnapshot(dict(zip(wanted, clients.map(lambda question: _answer(api, question), wanted), strict=True)))


def _answer(api: Api, question: Question) -> object:
    kind, path, query = question
    if kind in (EVENTS, RAW, NUMBERS, METRICS):
        answer = _answered(api, path, dict(query))
        if answer is None:
            return None
        if kind == RAW:
            return answer
        said: dict[str, Any] = json.loads(answer)
        return _numbers(said) if kind == NUMBERS else {name: said[name] for name in said.keys() - _APART}
    return tuple(_items(api, path, dict(query)))


def _answered(api: Api, path: str, query: dict[str, str]) -> bytes | None:
    answer = api.call("GET", path, query=query)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise Problem(f"GET {path} was answered {answer.status}: {answer.data[:300]!r}", "The stack's log says more.")
    return answer.data


def _numbers(said: Mapping[str, Any]) -> object:
    """Return what the newest version was computed to be, and how much came after it."""
    newest = next(iter(said["versions"]), None)
    return None if newest is None else [*(newest[name] for name in _COMPUTED), said["late_arrivals"]]


def _items(api: Api, path: str, query: dict[str, str]) -> Iterator[object]:
    while True:
        answer = _answered(api, path, query)
        if answer is None:
            return
        said = json.loads(answer)
        yield from said.get("items", said.get("gaps", [said]))
        if not said.get("cursor"):
            return
        query = query | {"cursor": said["cursor"]}


def _day(row: Row) -> str:
    day: str = row["event_time"]["S"][:10]
    return day


def _whole(day: str) -> tuple[tuple[str, str], ...]:
    return (("start_time", f"{day}T00:00:00Z"), ("end_time", f"{day}T23:59:59.999999999Z"))
