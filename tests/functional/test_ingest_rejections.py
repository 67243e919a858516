"""POST /ingest of what is not valid: every fault at once, the field named, nothing dropped, and nothing echoed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.functional.application import NDJSON, Application
from tests.functional.events import Json, as_json, as_ndjson, paid, without
from tests.functional.storage import Storage, assert_holds

SECRET = "4111-1111-1111-1111"

NO_OFFSET = "has no offset: end it with Z or an offset such as +01:00"
NO_TIMESTAMP = "is not an RFC 3339 timestamp such as 2026-11-21T23:59:59.123Z"
TOO_FINE = "is finer than nanoseconds: beyond nine fractional digits only zeros are accepted"
LEAP_SECOND = (
    "is a leap second, which Retrace does not accept because it cannot order it: send the second before it (:59) or"
    " the one after it (:00 of the next minute)"
)
NOT_REAL = "is not a real instant"

ONE_FAULT: dict[str, tuple[Json, str, str]] = {
    "no source": (without(paid(), "source"), "source", "is missing"),
    "no event_type": (without(paid(), "event_type"), "event_type", "is missing"),
    "no entity_id": (without(paid(), "entity_id"), "entity_id", "is missing"),
    "no event_time": (without(paid(), "event_time"), "event_time", "is missing"),
    "no payload": (without(paid(), "payload"), "payload", "is missing"),
    "empty source": (paid(source=""), "source", "must not be empty"),
    "empty event_type": (paid(event_type=""), "event_type", "must not be empty"),
    "empty entity_id": (paid(entity_id=""), "entity_id", "must not be empty"),
    "empty idempotency_key": (paid(idempotency_key=""), "idempotency_key", "must not be empty"),
    "source of another type": (paid(source=1.5), "source", "must be a string"),
    "source null": (paid(source=None), "source", "must be a string"),
    "event_time a number": (paid(event_time=1688560107857), "event_time", "must be a string"),
    "idempotency_key a list": (paid(idempotency_key=["k"]), "idempotency_key", "must be a string"),
    "unknown field": (paid(entity="order-1"), "entity", "is not a known field"),
    "event_time without offset": (paid(event_time="2023-06-30T10:00:00"), "event_time", NO_OFFSET),
    "event_time without offset, blank": (paid(event_time="2023-06-30 10:00:00.5"), "event_time", NO_OFFSET),
    "event_time finer than nanoseconds": (paid(event_time="2023-06-30T10:00:00.1234567891Z"), "event_time", TOO_FINE),
    "event_time only a day": (paid(event_time="2023-06-30"), "event_time", NO_TIMESTAMP),
    "event_time empty": (paid(event_time=""), "event_time", NO_TIMESTAMP),
    "event_time in other digits": (paid(event_time="२०२३-06-30T10:00:00Z"), "event_time", NO_TIMESTAMP),
    "30 February": (paid(event_time="2023-02-30T10:00:00Z"), "event_time", NOT_REAL),
    "hour 24": (paid(event_time="2023-06-30T24:00:00Z"), "event_time", NOT_REAL),
    "a leap second": (paid(event_time="2016-12-31T23:59:60Z"), "event_time", LEAP_SECOND),
    "offset of a day": (paid(event_time="2023-06-30T10:00:00+24:00"), "event_time", NOT_REAL),
    "before the calendar": (paid(event_time="0001-01-01T00:00:00+01:00"), "event_time", NOT_REAL),
}


@pytest.mark.parametrize(("event", "field", "message"), ONE_FAULT.values(), ids=ONE_FAULT)
def test_a_fault_is_told_with_its_field(application: Application, event: Json, field: str, message: str) -> None:
    response = application.ingest(event)

    assert response.status_code == 400
    assert response.json_body["errors"] == [{"field": field, "message": message}]


def test_a_thousand_broken_lines_are_kept_in_twenty_objects_and_none_is_lost(
    application: Application, storage: Storage
) -> None:
    lines = [b"%d}" % number for number in range(1_000)]
    answers = [application.ingest(b"\n".join(lines), NDJSON).json_body["results"] for _ in range(2)]
    ids = [result["rejected_id"] for result in answers[0]]

    kept = [storage.quarantined(rejected_id)["body"].encode() for rejected_id in dict.fromkeys(ids)]
    assert len(list(storage.objects("rejected/"))) == len(kept) == 20
    assert b"\n".join(kept).split(b"\n") == lines
    assert [result["rejected_id"] for result in answers[1]] == ids
    assert all(result["errors"] for result in answers[0])


def test_refused_lines_that_are_kept_together_are_retried_together(application: Application, storage: Storage) -> None:
    broken = [without(paid(number), "event_time") for number in range(40)]
    results = application.ingest(as_ndjson(broken), NDJSON).json_body["results"]

    corrected = as_ndjson([paid(0), paid(1)])
    path = f"/rejected/{results[0]['rejected_id']}/retry"
    as_it_was = application.call("POST", path).json_body
    mended = application.call("POST", path, {"content-type": NDJSON}, corrected).json_body

    assert [result["errors"] for result in as_it_was["results"]] == [result["errors"] for result in results[:2]]
    assert mended["counts"]["accepted"] == 2
    [errors] = {str(storage.quarantined(result["rejected_id"])["errors"]) for result in results}
    assert "is missing (2 of 2 events)" in errors
    assert len(storage.index()) == 2


IN_THE_TEXT = {
    "NaN": (b'{"n": NaN}', "payload.n", "NaN is not a JSON number"),
    "an infinity": (b'{"n": [1, -Infinity]}', "payload.n[1]", "-Infinity is not a JSON number"),
    "a repeated key": (b'{"a": {"b": 1, "b": 1}}', "payload.a.b", "is a duplicate key"),
    "a lone surrogate": (rb'["\ud83d"]', "payload[0]", "contains a lone surrogate, which is not a Unicode character"),
    "a lone surrogate in a key": (
        rb'{"\udc00": 1}',
        "payload",
        "has a key that contains a lone surrogate, which is not a Unicode character",
    ),
    "nesting": (b"[" * 300 + b"]" * 300, "payload", "is nested deeper than 256 levels"),
}


@pytest.mark.parametrize(("payload", "field", "message"), IN_THE_TEXT.values(), ids=IN_THE_TEXT)
def test_what_json_leaves_open_or_forbids_is_refused_where_it_stands(
    application: Application, storage: Storage, payload: bytes, field: str, message: str
) -> None:
    text = as_json(paid(payload="PAYLOAD")).replace(b'"PAYLOAD"', payload)

    response = application.ingest(text)

    assert response.status_code == 400
    assert response.json_body["errors"] == [{"field": field, "message": message}]
    assert storage.quarantined(response.json_body["rejected_id"])["body"] == text.decode()


def test_every_fault_is_listed_at_once(application: Application) -> None:
    text = (
        b'{"source": 7, "source": 7, "event_type": "", "event_time": "yesterday", "idempotency_key": null,'
        b' "payload": {"a": NaN, "b": "\\ud800"}, "colour": "red"}'
    )

    response = application.ingest(text)

    faults = {fault["field"]: fault["message"] for fault in response.json_body["errors"]}
    assert response.status_code == 400
    assert faults == {
        "source": "is a duplicate key",
        "event_type": "must not be empty",
        "entity_id": "is missing",
        "event_time": NO_TIMESTAMP,
        "payload.a": "NaN is not a JSON number",
        "payload.b": "contains a lone surrogate, which is not a Unicode character",
        "colour": "is not a known field",
    }


def test_a_lone_surrogate_in_the_name_of_a_field_hides_no_other_fault(application: Application) -> None:
    response = application.ingest(rb'{"\ud800": 1, "source": "", "payload": 1}')

    fields = [fault["field"] for fault in response.json_body["errors"]]
    assert response.status_code == 400
    assert {"source", "event_type", "entity_id", "event_time"} <= set(fields)


NOT_JSON = {
    "nothing": b"",
    "blanks": b" \r\n ",
    "text": b"order paid",
    "an object cut off": as_json(paid())[:-1],
    "an object and more": as_json(paid()) + b"{}",
    "two objects on two lines": as_json(paid(1)) + b"\n" + as_json(paid(2)),
    "single quotes": b"{'source': 'shop'}",
    "a trailing comma": as_json(paid())[:-1] + b",}",
    "broken behind a byte order mark": b"\xef\xbb\xbf" + as_json(paid())[:-1],
    "a line break in a string": b'{"source": "shop\n"}',
    "a string cut off": b'{"source": "shop',
    "nesting beyond any parser": b'{"payload":' * 100_000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_no_json_is_answered_400_and_kept(
    application: Application, storage: Storage, body: bytes
) -> None:
    response = application.ingest(body)

    [fault] = response.json_body["errors"]
    assert response.status_code == 400
    assert fault["field"] == "body"
    assert fault["message"].startswith("is not JSON: ")
    assert "at at" not in fault["message"]
    assert storage.quarantined(response.json_body["rejected_id"])["body"] == body.decode()
    assert_holds(storage)


def test_bytes_that_are_not_utf8_are_kept_as_base64(application: Application, storage: Storage) -> None:
    body = as_json(paid(payload="caf")).replace(b"caf", b"caf\xe9")

    response = application.ingest(body)

    kept = storage.quarantined(response.json_body["rejected_id"])
    at = body.index(b"\xe9")
    assert response.status_code == 400
    assert response.json_body["errors"] == [{"field": "body", "message": f"is not UTF-8 at byte {at}"}]
    assert base64.b64decode(kept["body_base64"]) == body
    assert "body" not in kept


def test_one_line_that_is_not_utf8_is_refused_alone(application: Application, storage: Storage) -> None:
    response = application.ingest(b'{"caf\xe9": 1}\n' + as_json(paid()), NDJSON)

    refused, accepted = response.json_body["results"]
    assert (refused["status"], accepted["status"]) == ("REJECTED", "ACCEPTED")
    assert base64.b64decode(storage.quarantined(refused["rejected_id"])["body_base64"]) == b'{"caf\xe9": 1}'


def test_quarantine_keeps_the_bytes_the_reasons_and_when_and_in_which_request_they_came(
    application: Application, storage: Storage
) -> None:
    text = '{"source": "shop",  "n": 1.10}'

    problem = application.ingest(text.encode()).json_body

    kept = storage.quarantined(problem["rejected_id"])
    assert kept.pop("ingest_time").startswith(problem["rejected_id"][:10])
    assert kept.pop("request_id")
    assert kept == {
        "rejected_id": problem["rejected_id"],
        "status": "REJECTED",
        "errors": problem["errors"],
        "content_type": "application/json",
        "conflicts": [],
        "headers": {},
        "body": text,
    }


def test_conflicting_events_are_kept_in_quarantine_too(application: Application, storage: Storage) -> None:
    application.accept(paid(1, idempotency_key="payment-1"))
    other = as_json(paid(2, idempotency_key="payment-1"))

    problem = application.ingest(other).json_body

    kept = storage.quarantined(problem["rejected_id"])
    assert kept["status"] == "CONFLICT"
    assert kept["body"] == other.decode()
    assert kept["errors"] == problem["errors"]


def test_the_same_refused_bytes_are_kept_once_a_day(application: Application, storage: Storage) -> None:
    first = application.ingest(b"{}").json_body["rejected_id"]
    before = storage.everything()

    again = application.ingest([{}]).json_body["results"][0]["rejected_id"]

    assert again == first
    assert storage.everything() == before


def test_refused_events_leave_nothing_but_quarantine(application: Application, storage: Storage) -> None:
    application.ingest([{}, 1, paid(source="")])

    assert storage.index() == storage.identities() == storage.arrivals() == []
    assert storage.objects("raw/") == {}
    assert len(storage.objects("rejected/")) == 3


REVEALING: dict[str, Any] = {
    "a fault in the payload": as_json(paid(payload={"card": SECRET, "n": "NAN"})).replace(b'"NAN"', b"NaN"),
    "a value of another type": paid(event_type={"card": SECRET}),
    "an unknown field": paid(card=SECRET),
    "a value that is no time": paid(event_time=SECRET),
    "a value that is too long": paid(source=SECRET * 30),
    "no JSON": b'{"payload": "' + SECRET.encode(),
    "no JSON in an array": b'[{"payload": ' + SECRET.encode() + b"}]",
    "an element that is no event": [SECRET],
    "a lone surrogate": b'{"payload": "' + SECRET.encode() + b'\\ud800"}',
}


@pytest.mark.parametrize("body", REVEALING.values(), ids=REVEALING)
def test_nothing_of_what_was_sent_is_echoed(application: Application, body: Any) -> None:
    response = application.ingest(body, query="?strict=true")

    assert response.status_code == 400
    assert "4111" not in response.body.decode()


def test_a_conflict_echoes_neither_event(application: Application) -> None:
    application.accept(paid(payload=f"{SECRET}-first", idempotency_key="k"))

    response = application.ingest(paid(payload=f"{SECRET}-second", idempotency_key="k"))

    assert response.status_code == 409
    assert SECRET not in response.body.decode()


def test_problems_are_documents_of_rfc_9457(application: Application) -> None:
    problem = json.loads(application.ingest(b"{}", "text/plain").body)

    assert problem == {
        "type": "urn:retrace:problem:unsupported-media-type",
        "title": "Unsupported Media Type",
        "status": 415,
        "detail": problem["detail"],
        "errors": [],
    }
