"""POST /ingest of one event: its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.conftest import SETTINGS
from tests.functional.application import JSON, Application
from tests.functional.events import DAY, as_json, paid
from tests.functional.storage import Storage, assert_holds


def test_a_new_event_is_answered_201_with_its_identity_and_place(application: Application, storage: Storage) -> None:
    response = application.ingest(paid())

    [row] = storage.index()
    result = response.json_body
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert result.pop("ingest_lag_ms") > 0
    assert result == {
        "status": "ACCEPTED",
        "event_id": row["event_id"],
        "ingest_time": row["ingest_time"],
        "s3_bucket": SETTINGS["RAW_BUCKET"],
        "s3_key": row["s3_key"],
        "content_sha256": row["content_sha256"],
    }


def test_a_new_event_has_a_raw_line_and_both_rows_once_it_is_answered(
    application: Application, storage: Storage
) -> None:
    application.accept(paid())

    assert_holds(storage, paid())


def test_raw_objects_lie_under_their_source_and_the_days_of_event_and_arrival(
    application: Application, storage: Storage
) -> None:
    result = application.accept(paid(source="shop/checkout #1 (é=1)"))

    source, event_date, ingest_date, name = result["s3_key"].removeprefix("raw/").split("/")
    assert source == "source=shop%2Fcheckout%20%231%20%28%C3%A9%3D1%29"
    assert event_date == f"event_date={DAY}"
    assert ingest_date == f"ingest_date={result['ingest_time'][:10]}"
    assert name.endswith(".ndjson")
    assert list(storage.objects()) == [result["s3_key"]]


@pytest.mark.parametrize(
    ("event_time", "lag_ms"),
    [
        ("2023-06-30T12:00:00+02:00", 86_400_000),
        ("2023-07-01T09:59:59.999Z", 1),
        ("2023-07-01T09:59:59.999000001Z", 0),
        ("2023-07-01T10:00:01Z", -1_000),
    ],
)
def test_the_lag_is_the_time_from_event_to_arrival_in_whole_milliseconds(
    application: Application, monkeypatch: pytest.MonkeyPatch, event_time: str, lag_ms: int
) -> None:
    monkeypatch.setattr(system, "now", lambda: Instant("2023-07-01T10:00:00.000000000Z"))

    result = application.accept(paid(event_time=event_time))

    assert result["ingest_time"] == "2023-07-01T10:00:00.000000000Z"
    assert result["ingest_lag_ms"] == lag_ms


def test_an_event_that_is_known_is_answered_200_with_what_its_first_send_was_answered(application: Application) -> None:
    first = application.accept(paid())

    again = application.ingest(paid())

    assert again.status_code == 200
    assert again.json_body == {**first, "status": "DUPLICATE"}


def test_other_content_under_a_known_key_is_answered_409_pointing_at_the_first(application: Application) -> None:
    first = application.accept(paid(1, idempotency_key="payment-1"))

    response = application.ingest(paid(2, idempotency_key="payment-1"))

    problem = response.json_body
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == "CONFLICT"
    assert problem["title"] == "Conflict"
    assert problem["type"] == "urn:retrace:problem:conflict"
    assert problem["event_id"] == first["event_id"]
    [fault] = problem["errors"]
    assert fault["field"] == "idempotency_key"
    assert first["content_sha256"] in fault["message"]
    assert first["ingest_time"] in fault["message"]


def test_an_event_that_is_not_valid_is_answered_400_with_its_place_in_quarantine(
    application: Application, storage: Storage
) -> None:
    response = application.ingest(paid(entity_id=""))

    problem = response.json_body
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == "REJECTED"
    assert problem["type"] == "urn:retrace:problem:bad-request"
    assert problem["errors"] == [{"field": "entity_id", "message": "must not be empty"}]
    assert storage.quarantined(problem["rejected_id"])["errors"] == problem["errors"]


@pytest.mark.parametrize("source", ["shop/checkout", "shop/returns"])
def test_the_same_key_of_another_source_is_another_event(application: Application, source: str) -> None:
    application.accept(paid(1, idempotency_key="payment-1", source="shop/other"))

    response = application.ingest(paid(1, idempotency_key="payment-1", source=source))

    assert response.status_code == 201


def test_a_key_that_is_null_is_no_key(application: Application) -> None:
    first = application.accept(paid())

    again = application.ingest(paid(idempotency_key=None))

    assert (again.status_code, again.json_body["event_id"]) == (200, first["event_id"])


def test_the_order_and_spelling_of_an_event_do_not_make_it_another(application: Application) -> None:
    first = application.accept(paid(event_time="2023-06-30T12:00:00.5+02:00", payload={"a": "é", "b": 1}))

    spelt_otherwise = dict(reversed(paid(event_time="2023-06-30T10:00:00.500Z", payload={"b": 1, "a": "é"}).items()))
    again = application.ingest(json.dumps(spelt_otherwise, ensure_ascii=False, indent=2).encode())

    assert (again.status_code, again.json_body["event_id"]) == (200, first["event_id"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.10", "1.1"), ("1", "1.0"), ("1e2", "100"), ("12345678901234567890", "12345678901234567891"), ("0", "-0")],
)
def test_numbers_that_are_written_differently_make_different_events(
    application: Application, one: str, other: str
) -> None:
    written = as_json(paid(payload="NUMBER")).replace(b'"NUMBER"', b"%s")
    first = application.accept(written % one.encode())

    second = application.accept(written % other.encode())

    assert first["event_id"] != second["event_id"]


def with_key(application: Application, body: Any, key: str = "click-1", content_type: str = JSON) -> HTTPResponse:
    """POST /ingest with an Idempotency-Key."""
    headers = {"content-type": content_type, "Idempotency-Key": key}
    return application.call("POST", "/ingest", headers, as_json(body))


def test_a_key_in_a_header_is_refused_with_the_place_to_put_it(application: Application) -> None:
    refused = with_key(application, paid())

    [error] = refused.json_body["errors"]
    assert (refused.status_code, refused.json_body["status"]) == (400, "REJECTED")
    assert (error["field"], "as idempotency_key" in error["message"]) == ("Idempotency-Key", True)
    retried = application.call("POST", f"/rejected/{refused.json_body['rejected_id']}/retry")
    assert retried.json_body["status"] == "ACCEPTED"


def test_a_key_in_a_header_tells_no_two_events_apart_that_have_their_own(application: Application) -> None:
    first, again = (with_key(application, paid(idempotency_key="mine"), key) for key in "ab")
    cloudevent = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    by_id = with_key(application, cloudevent, content_type="application/cloudevents+json")

    assert [one.json_body["status"] for one in (first, again, by_id)] == ["ACCEPTED", "DUPLICATE", "ACCEPTED"]


def test_of_many_events_under_one_key_those_without_their_own_are_refused(application: Application) -> None:
    answer = with_key(application, [paid(1), paid(2, idempotency_key="mine"), {}])

    assert answer.json_body["counts"]["accepted"] == 1
    without_key, invalid = answer.json_body["results"]
    assert [(one["position"], one["status"]) for one in (without_key, invalid)] == [(0, "REJECTED"), (2, "REJECTED")]
    assert without_key["errors"] != invalid["errors"]
