"""POST /ingest: what is the most that may be sent, and one more."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from chalice.local import LambdaContext

from tests.functional.application import NDJSON, Application
from tests.functional.events import as_json, as_ndjson, paid, paid_several
from tests.functional.storage import Storage, assert_holds

MANY = 1_000
MAX_BYTES = 10_000_000
LAMBDA_BYTES = 6 * 1024 * 1024
API_MS = 29_000


@pytest.fixture(autouse=True)
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine may need longer for the largest requests than a function has. Here only sizes count."""
    monkeypatch.setattr(LambdaContext, "get_remaining_time_in_millis", lambda _: API_MS)


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


def test_events_are_as_many_as_fit(application: Application) -> None:
    response = application.ingest(paid_several(3 * MANY), query="?dry_run=true&results=none")

    assert response.status_code == 200
    assert response.json_body["counts"]["accepted"] == 3 * MANY


def test_a_thousand_sends_of_one_event_are_one_accepted_and_the_rest_recorded(
    application: Application, storage: Storage
) -> None:
    response = application.ingest([paid()] * MANY)

    assert response.status_code == 200
    assert response.json_body["counts"] == {"accepted": 1, "duplicate": 999, "conflict": 0, "rejected": 0}
    assert sorted(row["position"] for row in storage.arrivals()) == list(range(1, MANY))
    assert_holds(storage, paid())


def test_all_results_are_listed_of_at_most_a_thousand_events(application: Application, storage: Storage) -> None:
    response = application.ingest(paid_several(MANY + 1), query="?results=all")

    assert_too_large(response, storage)
    assert "?results=all" in response.json_body["detail"]


@pytest.mark.parametrize("letter", ['"', "\U0001f600", "\x01"])
@pytest.mark.parametrize("depth", [1, 200])
def test_all_results_fit_an_answer_of_lambda_whatever_names_are_at_fault(
    application: Application, letter: str, depth: int
) -> None:
    name = json.dumps(letter * 95, ensure_ascii=False)[:-1]
    twice = ",".join(f'{name}{number}":1' for number in [*range(20)] * 2)
    event = (f'{{{name}":' * depth + f"{{{twice}}}" + "}" * depth).encode()
    many = min(MANY, MAX_BYTES // (len(event) + 1))

    response = application.ingest(b"[" + b",".join([event] * many) + b"]", query="?results=all")

    assert response.json_body["counts"]["rejected"] == many
    assert len(response.json_body["results"][0]["errors"]) > 20
    assert len(json.dumps({"statusCode": 200, "body": response.body.decode()})) < LAMBDA_BYTES


def test_more_events_than_a_resend_can_look_up_are_too_large_and_nothing_is_kept(
    application: Application, storage: Storage
) -> None:
    assert_too_large(application.ingest(as_ndjson([1] * 100_001), NDJSON), storage)


def test_blank_lines_are_not_counted_as_events(application: Application) -> None:
    body = as_ndjson([paid()]).replace(b"\n", b"\n\r\n") * MANY

    response = application.ingest(body, NDJSON, query="?dry_run=true&results=all")

    assert len(response.json_body["results"]) == MANY


def test_ten_million_bytes_are_taken(application: Application, storage: Storage) -> None:
    application.accept(event_of(MAX_BYTES))

    assert_holds(storage, paid(payload="x" * (MAX_BYTES - len(as_json(paid(payload=""))))))


def test_one_byte_more_is_too_large(application: Application, storage: Storage) -> None:
    assert_too_large(application.ingest(event_of(MAX_BYTES + 1)), storage)


def test_a_gzip_body_may_unpack_to_ten_million_bytes(application: Application) -> None:
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
