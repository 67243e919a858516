"""GET /events/{event_id} and /events/{event_id}/raw."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.search import use_cases
from tests.functional.application import Application
from tests.functional.events import Json, as_json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Wire, fails_with, throttled

NOBODY = "0" * 64


def assert_problem(response: HTTPResponse, status: int, title: str) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.json_body["status"], response.json_body["title"]) == (status, title)


def test_an_event_is_told_with_its_metadata_and_place(application: Application, storage: Storage) -> None:
    result = application.accept(paid())

    response = application.get(f"/events/{result['event_id']}")

    [content] = storage.objects().values()
    assert response.status_code == 200
    assert response.json_body == {
        **{name: paid()[name] for name in ("source", "event_type", "entity_id", "event_time")},
        **{name: value for name, value in result.items() if name != "status"},
        "request_id": json.loads(content)["request_id"],
        "sent_by": "local",
        "s3_offset": 0,
        "s3_length": len(content) - 1,
        "arrivals": [],
        "more_arrivals": False,
        "aggregates": [],
        "more_aggregates": False,
    }


@pytest.mark.parametrize(
    ("signer", "headers", "sent_by"),
    [
        ("arn:aws:iam::123456789012:user/till", {}, "arn:aws:iam::123456789012:user/till"),
        ("a" * 3_000, {}, "a" * 2_048),
        (None, {"webhook-signature": "v1,"}, "webhook"),
        (None, {}, "local"),
    ],
)
def test_an_event_is_told_with_its_request_and_sender_and_keeps_them_when_it_is_sent_again(
    application: Application, signer: str | None, headers: dict[str, str], sent_by: str
) -> None:
    answers = [
        application.ingest_as(signer, paid(), "request-1", headers),
        application.ingest_as("arn:aws:iam::123456789012:user/other", paid(), "request-2"),
    ]
    event_id = json.loads(answers[0]["body"])["event_id"]

    shown = application.get(f"/events/{event_id}").json_body
    [listed] = application.get("/events", entity_id=paid()["entity_id"]).json_body["items"]

    assert (shown["request_id"], shown["sent_by"]) == ("request-1", sent_by)
    assert (listed["request_id"], listed["sent_by"]) == ("request-1", sent_by)
    assert [arrival["request_id"] for arrival in shown["arrivals"]] == ["request-2"]


def test_the_place_of_an_event_is_its_line_in_the_raw_object(application: Application, storage: Storage) -> None:
    results = application.accept_all(paid_several(3, payload="é"))

    for number, result in enumerate(results, start=1):
        place = application.get(f"/events/{result['event_id']}").json_body
        content = storage.object(place["s3_key"])
        line = json.loads(content[place["s3_offset"] : place["s3_offset"] + place["s3_length"]])
        assert line["event"] == paid(number, payload="é")


def test_later_arrivals_are_told_oldest_first(application: Application) -> None:
    first = application.accept(paid(1, idempotency_key="payment-1"))
    application.ingest([paid(2), paid(1, idempotency_key="payment-1")])
    problem = application.ingest(paid(3, idempotency_key="payment-1")).json_body
    application.ingest(paid(1, idempotency_key="payment-1"))

    arrivals: list[Json] = application.get(f"/events/{first['event_id']}").json_body["arrivals"]

    assert [arrival["status"] for arrival in arrivals] == ["DUPLICATE", "CONFLICT", "DUPLICATE"]
    assert [arrival.get("rejected_id") for arrival in arrivals] == [None, problem["rejected_id"], None]
    assert [arrival["content_sha256"] == first["content_sha256"] for arrival in arrivals] == [True, False, True]
    times = [arrival["ingest_time"] for arrival in arrivals]
    assert times == sorted(times)
    assert len({arrival["request_id"] for arrival in arrivals}) == 3


@pytest.mark.parametrize("path", [f"/events/{NOBODY}", f"/events/{NOBODY}/raw", "/events/no-id", "/events/no-id/raw"])
def test_an_unknown_event_is_answered_404(application: Application, path: str) -> None:
    application.accept(paid())

    assert_problem(application.get(path), 404, "Not Found")


def test_raw_is_the_events_own_bytes_with_their_hash(application: Application) -> None:
    text = as_json(paid()).replace(b'"payload": ', b'"payload":   ')
    result = application.ingest(text).json_body

    response = application.get(f"/events/{result['event_id']}/raw")

    assert response.status_code == 200
    assert response.body == text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Sha256"] == result["content_sha256"]


TAMPERED: dict[str, tuple[bytes, bytes]] = {
    "the payload": (b'"number": 1}', b'"number": 2}'),
    "a digit's writing": (b'"number": 1}', b'"number":1.}'),
    "the event's entity": (b'"entity_id": "order-1"', b'"entity_id": "order-2"'),
    "the line's entity": (b'"entity_id":"order-1"', b'"entity_id":"order-2"'),
    "the line's hash": (b'"content_sha256":"', b'"content_sha257":"'),
    "the event's type of value": (b'"source": "shop/checkout"', b'"source": ["op/checkout"]'),
    "the line's end": (b"}}\n", b"} \n"),
    "the encoding": (b"order-1", b"order-\xff"),
}


@pytest.mark.parametrize(("before", "after"), TAMPERED.values(), ids=TAMPERED)
def test_raw_text_that_was_changed_is_not_given_out(
    application: Application, storage: Storage, before: bytes, after: bytes
) -> None:
    result = application.accept(paid())
    storage.overwrite(result["s3_key"], before, after)

    response = application.get(f"/events/{result['event_id']}/raw")

    assert_problem(response, 500, "Internal Server Error")
    assert b"number" not in response.body


def test_a_row_that_points_at_another_event_is_noticed(application: Application, storage: Storage) -> None:
    one, other = application.accept_all(paid_several(2))
    [row] = [row for row in storage.identities() if row["event_id"] == one["event_id"]]
    place = application.get(f"/events/{other['event_id']}").json_body
    storage.put("DEDUPE_TABLE", {**row, "s3_offset": place["s3_offset"], "s3_length": place["s3_length"]})

    assert_problem(application.get(f"/events/{one['event_id']}/raw"), 500, "Internal Server Error")


def test_an_event_whose_raw_object_is_gone_is_known_and_said_to_be_missing(
    application: Application, storage: Storage
) -> None:
    result = application.accept(paid())
    storage.lose(result["s3_key"])

    response = application.get(f"/events/{result['event_id']}/raw")

    assert_problem(response, 500, "Internal Server Error")
    assert response.json_body["detail"] == f"The raw object {result['s3_key']} is missing."
    assert application.get(f"/events/{result['event_id']}").status_code == 200


def test_an_event_whose_raw_object_s3_does_not_show_is_said_to_be_missing_or_hidden(
    application: Application, wire: Wire
) -> None:
    result = application.accept(paid())
    # As AWS answers of an object that is not there to who may not list the bucket; the emulators answer 404.
    wire.disturb(fails_with(403, "AccessDenied"), "GetObject", times=ALWAYS)

    response = application.get(f"/events/{result['event_id']}/raw")

    assert_problem(response, 500, "Internal Server Error")
    assert "is missing, or the function may not read it" in response.json_body["detail"]


@pytest.mark.parametrize("path", ["", "/raw"])
def test_a_question_that_aws_does_not_take_is_answered_503(application: Application, wire: Wire, path: str) -> None:
    event_id: Any = application.accept(paid())["event_id"]
    wire.disturb(throttled, times=ALWAYS)

    response = application.get(f"/events/{event_id}{path}")

    assert_problem(response, 503, "Service Unavailable")
    assert response.headers["Retry-After"] == "2"


def test_a_retry_storm_is_told_as_far_as_an_answer_holds_it(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "ARRIVALS_SHOWN", 3)
    event_id = application.accept(paid())["event_id"]

    application.ingest([paid()] * 3)
    told = application.get(f"/events/{event_id}").json_body
    assert (len(told["arrivals"]), told["more_arrivals"]) == (3, False)

    application.ingest(paid())
    told = application.get(f"/events/{event_id}").json_body
    assert (len(told["arrivals"]), told["more_arrivals"]) == (3, True)
