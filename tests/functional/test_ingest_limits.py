"""POST /ingest: what is the most that may be sent, and one more."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.functional.application import NDJSON, Application
from tests.functional.events import as_json, as_ndjson, paid, paid_several
from tests.functional.storage import Storage, assert_holds

MAX_EVENTS = 1_000
MAX_BYTES = 5_000_000


def event_of(size: int) -> bytes:
    """An event that is exactly so many bytes long."""
    empty = as_json(paid(payload=""))
    return as_json(paid(payload="x" * (size - len(empty))))


def assert_too_large(response: Any, storage: Storage) -> None:
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json_body["status"] == 413
    assert response.json_body["title"] == "Content Too Large"
    assert storage.objects() == {}


def test_a_thousand_events_are_taken(application: Application) -> None:
    response = application.ingest(paid_several(MAX_EVENTS), query="?dry_run=true&results=none")

    assert response.status_code == 200
    assert response.json_body["counts"]["accepted"] == MAX_EVENTS


def test_a_thousand_sends_of_one_event_are_one_accepted_and_the_rest_recorded(
    application: Application, storage: Storage
) -> None:
    response = application.ingest([paid()] * MAX_EVENTS)

    assert response.status_code == 200
    assert response.json_body["counts"] == {"accepted": 1, "duplicate": 999, "conflict": 0, "rejected": 0}
    assert sorted(row["position"] for row in storage.arrivals()) == list(range(1, MAX_EVENTS))
    assert_holds(storage, paid())


def test_a_thousand_and_one_events_in_an_array_are_too_many(application: Application, storage: Storage) -> None:
    assert_too_large(application.ingest([1] * (MAX_EVENTS + 1)), storage)


def test_a_thousand_and_one_lines_are_too_many(application: Application, storage: Storage) -> None:
    assert_too_large(application.ingest(as_ndjson([1] * (MAX_EVENTS + 1)), NDJSON), storage)


def test_blank_lines_are_not_counted_as_events(application: Application) -> None:
    body = as_ndjson([paid()]).replace(b"\n", b"\n\r\n") * MAX_EVENTS

    response = application.ingest(body, NDJSON, query="?dry_run=true&results=all")

    assert len(response.json_body["results"]) == MAX_EVENTS


def test_five_million_bytes_are_taken(application: Application, storage: Storage) -> None:
    application.accept(event_of(MAX_BYTES))

    assert_holds(storage, paid(payload="x" * (MAX_BYTES - len(as_json(paid(payload=""))))))


def test_one_byte_more_is_too_large(application: Application, storage: Storage) -> None:
    assert_too_large(application.ingest(event_of(MAX_BYTES + 1)), storage)


def test_a_gzip_body_may_unpack_to_five_million_bytes(application: Application) -> None:
    packed = gzip.compress(event_of(MAX_BYTES))

    response = application.ingest(packed, encoding="gzip", query="?dry_run=true")

    assert response.status_code == 200


def test_a_gzip_body_that_unpacks_to_one_byte_more_is_too_large(application: Application, storage: Storage) -> None:
    packed = gzip.compress(event_of(MAX_BYTES + 1))

    assert_too_large(application.ingest(packed, encoding="gzip"), storage)


def test_the_members_of_a_gzip_body_count_together(application: Application, storage: Storage) -> None:
    packed = gzip.compress(event_of(MAX_BYTES)) + gzip.compress(b" ")

    assert_too_large(application.ingest(packed, encoding="gzip"), storage)


def test_a_gzip_bomb_is_too_large(application: Application, storage: Storage) -> None:
    bomb = gzip.compress(bytes(100_000_000), compresslevel=1)

    assert_too_large(application.ingest(bomb, encoding="gzip"), storage)


def test_many_empty_gzip_members_are_unpacked_like_few(application: Application, storage: Storage) -> None:
    packed = gzip.compress(b"") * 2_000 + gzip.compress(as_json(paid()))

    response = application.ingest(packed, encoding="gzip")

    assert response.status_code == 201
    assert_holds(storage, paid())


AT_THE_LIMIT = {
    "source in ASCII": ("source", "s" * 384),
    "source that percent-encoding triples": ("source", "/" * 128),
    "source beyond ASCII": ("source", "é" * 64),
    "event_type": ("event_type", "t" * 384),
    "event_type with separators": ("event_type", "#" * 128),
    "entity_id": ("entity_id", "e" * 1_024),
    "entity_id beyond ASCII": ("entity_id", "é" * 512),
    "entity_id with per cent": ("entity_id", "%" * 341 + "e"),
    "idempotency_key": ("idempotency_key", "k" * 512),
    "idempotency_key beyond ASCII": ("idempotency_key", "é" * 256),
}


@pytest.mark.parametrize(("field", "value"), AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_a_name_at_its_limit_is_taken(application: Application, storage: Storage, field: str, value: str) -> None:
    application.accept({**paid(), field: value})

    assert_holds(storage, {**paid(), field: value})


@pytest.mark.parametrize(("field", "value"), AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_a_name_one_byte_beyond_its_limit_is_refused_and_named(
    application: Application, storage: Storage, field: str, value: str
) -> None:
    response = application.ingest({**paid(), field: value + "x"})

    limit = {"entity_id": 1_024, "idempotency_key": 512}.get(field, 384)
    [fault] = response.json_body["errors"]
    assert response.status_code == 400
    assert fault["field"] == field
    message = fault["message"].replace(",", "")
    assert f"is {limit + 1} bytes" in message
    assert f"at most {limit} are allowed" in message
    assert_holds(storage)
