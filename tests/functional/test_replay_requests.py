"""POST /replay and GET /replay/{id}: what may be asked for, and how a job is told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.functional.application import JSON, Application
from tests.functional.events import DAY, Json, as_json, paid, without
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Wire, answer_lost, throttled

BY_ENTITY = {"entity_id": "order-1", "start_time": "2023-06-30T00:00:00Z", "end_time": "2023-07-01T00:00:00Z"}
BY_DAY = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
BY_DAYS = {"source": "shop/checkout", "event_type": "order.paid", "start_day": DAY, "end_day": "2023-07-02"}
BY_WINDOW = {
    "source": "shop/checkout",
    "event_type": "order.paid",
    "start_time": f"{DAY}T10:00:00Z",
    "end_time": "2023-07-01T12:00:00Z",
}

NAME_ONE = (
    "name what to replay by entity_id, start_time and end_time, or by source, event_type (or event_types)"
    " and day (or start_day and end_day, or start_time and end_time), or by events_file"
)


@pytest.mark.parametrize("request_", [BY_ENTITY, BY_DAY, BY_DAYS, BY_WINDOW], ids=["entity", "day", "days", "window"])
def test_a_replay_is_answered_202_at_once_whatever_it_will_find(
    application: Application, storage: Storage, request_: Json
) -> None:
    application.accept(paid())

    response = application.request_replay(request_)

    job = response.json_body
    [row] = [row for row in storage.rows("REPLAYS_TABLE") if row["SK"] == "REQUEST"]
    assert response.status_code == 202
    assert job.pop("created_at") == row["created_at"] == job.pop("updated_at")
    assert uuid.UUID(job["replay_id"]).version == 7
    request = job.pop("request")
    assert {name: request[name][:10] for name in request} == {name: request_[name][:10] for name in request_}
    assert job == {
        "replay_id": row["replay_id"],
        "state": "PLANNING",
        "requested_by": "local",
        "destination": "aggregates",
        "destination_arn": "arn:aws:sqs:eu-west-1:123456789012:retrace-test-replay",
        "reports": True,
        "scanned": 0,
        "matched": 0,
        "sent": 0,
        "processed": 0,
        "failed": 0,
        "dropped": 0,
        "cancelled_by": None,
        "failure": None,
        "index_read_to": None,
        "may_change_until": None,
        "dead_letters_until": None,
        "estimated_cost_usd": 0,
        "advice": None,
    }
    assert application.messages.received() == []


def test_a_job_can_be_asked_for_before_and_after_it_ran(application: Application) -> None:
    application.accept(paid())
    asked = application.request_replay(BY_ENTITY).json_body
    assert application.get(f"/replay/{asked['replay_id']}").json_body == asked

    application.plan()

    sent = application.get(f"/replay/{asked['replay_id']}")
    assert sent.status_code == 200
    moved_on = {"state": "SENT", "scanned": 1, "matched": 1, "sent": 1, "updated_at": sent.json_body["updated_at"]}
    assert asked["estimated_cost_usd"] == 0 < sent.json_body["estimated_cost_usd"]
    assert sent.json_body == {**asked, **moved_on, "estimated_cost_usd": sent.json_body["estimated_cost_usd"]}
    assert sent.json_body["updated_at"] > asked["updated_at"]


def test_ids_of_later_replays_are_greater(application: Application) -> None:
    ids = [application.requested(**BY_ENTITY) for _ in range(5)]

    assert ids == sorted(ids)


def test_a_job_records_who_asked_for_it(application: Application) -> None:
    arn = "arn:aws:iam::123456789012:user/investigator"
    event = {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/replay", "identity": {"userArn": arn}},
        "headers": {"content-type": "application/json"},
        "pathParameters": {},
        "stageVariables": {},
        "multiValueQueryStringParameters": None,
        "body": as_json(BY_ENTITY).decode(),
        "isBase64Encoded": False,
    }

    answer = application.handed_over(event)

    assert answer["statusCode"] == 202
    assert f'"requested_by":"{arn}"' in answer["body"]


def test_an_unknown_replay_is_answered_404(application: Application) -> None:
    response = application.get(f"/replay/{uuid.uuid4()}")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json_body["title"] == "Not Found"


REFUSED: dict[str, tuple[Any, dict[str, str]]] = {
    "nothing": ({}, {"": NAME_ONE}),
    "only an entity": ({"entity_id": "order-1"}, {"": NAME_ONE}),
    "no end": (without(BY_ENTITY, "end_time"), {"": NAME_ONE}),
    "no day": (without(BY_DAY, "day"), {"": NAME_ONE}),
    "no last day": (without(BY_DAYS, "end_day"), {"": NAME_ONE}),
    "an entity and a day": ({**BY_ENTITY, "day": DAY}, {"": NAME_ONE}),
    "a day and days": ({**BY_DAYS, "day": DAY}, {"": NAME_ONE}),
    "null for an entity": ({**BY_ENTITY, "entity_id": None}, {"": NAME_ONE}),
    "a window that ends as it starts": (
        {**BY_ENTITY, "end_time": BY_ENTITY["start_time"]},
        {"start_time": "must lie before end_time, which is excluded"},
    ),
    "a window that ends before it starts": (
        {**BY_ENTITY, "end_time": "2023-06-30T01:00:00+02:00"},
        {"start_time": "must lie before end_time, which is excluded"},
    ),
    "days in the wrong order": ({**BY_DAYS, "end_day": "2023-06-29"}, {"start_day": "must not lie after end_day"}),
    "a window of a type that ends as it starts": (
        {**BY_WINDOW, "end_time": "2023-06-30T12:00:00+02:00"},
        {"start_time": "must lie before end_time, which is excluded"},
    ),
    "a window of a type of more than ten years": (
        {**BY_WINDOW, "end_time": "2033-07-07T00:00:00.000000001Z"},
        {"end_time": "is 3661 days on: at most 3660 can be replayed at once"},
    ),
    "more than ten years": (
        {**BY_DAYS, "end_day": "2043-06-30"},
        {"end_day": "is 7306 days on: at most 3660 can be replayed at once"},
    ),
    "wrong values": (
        {"entity_id": "", "start_time": "2023-06-30T00:00:00", "end_time": 7, "colour": "red"},
        {
            "entity_id": "must not be empty",
            "start_time": "has no offset: end it with Z or an offset such as +01:00",
            "end_time": "must be a string",
            "colour": "is not a known field",
        },
    ),
    "wrong days": (
        {"source": "", "event_type": 1.5, "start_day": "2023-02-30", "end_day": "tomorrow"},
        {
            "source": "must not be empty",
            "event_type": "must be a string",
            "start_day": "is not a real day",
            "end_day": "is not a day such as 2026-11-21",
        },
    ),
    "numbers beyond every replay": (
        {**BY_DAY, "max_messages": 10**17, "confirm": 10**17, "rate": 10**17, "include": {"min_lag_ms": 10**17}},
        {
            "max_messages": "input should be less than or equal to 10000000",
            "confirm": "input should be less than or equal to 1000000000000",
            "rate": "input should be less than or equal to 10000",
            "include.min_lag_ms": "input should be less than or equal to 999999999999999",
        },
    ),
    "no object": ([BY_ENTITY], {"body": "must be a JSON object"}),
    "no JSON": (b"entity_id=order-1", {"body": "is not JSON: expecting value at character 0"}),
    "nothing at all": (b"", {"body": "is not JSON: expecting value at character 0"}),
    "no UTF-8": (b'{"entity_id": "\xff"}', {"body": "is not UTF-8 at byte 15"}),
    "nesting beyond any parser": (b"[" * 100_000, {"body": "is not JSON: nested deeper than 256 levels"}),
}


@pytest.mark.parametrize(("body", "faults"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_is_not_valid_is_answered_400_with_every_fault(
    application: Application, storage: Storage, body: Any, faults: dict[str, str]
) -> None:
    response = application.request_replay(body)

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {fault["field"]: fault["message"] for fault in response.json_body["errors"]} == faults
    assert storage.rows("REPLAYS_TABLE") == []
    assert application.jobs.received() == []


@pytest.mark.parametrize(
    "request_",
    [
        {**BY_ENTITY, "entity_id": "e" * 1_025},
        {**BY_DAY, "source": "/" * 129},
        {**BY_DAY, "event_type": "#" * 129},
    ],
    ids=["entity_id", "source", "event_type"],
)
def test_names_that_no_event_can_have_are_refused_before_a_planner_meets_them(
    application: Application, request_: Json
) -> None:
    response = application.request_replay(request_)

    assert response.status_code == 400
    assert len(response.json_body["errors"]) == 1


def test_a_request_with_a_lone_surrogate_is_refused(application: Application) -> None:
    response = application.request_replay(rb'{"entity_id": "\ud800", "\udc00": 1}')

    assert response.status_code == 400
    assert response.json_body["errors"] != []


def test_a_replay_that_aws_does_not_take_is_answered_503(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, times=ALWAYS)

    response = application.request_replay(BY_ENTITY)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("query", "member", "field"),
    [
        ("?dryrun=true", {}, "dryrun"),
        ("?dry_run=yes", {}, "dry_run"),
        ("?dry_run=", {}, "dry_run"),
        ("?dry_run=true&dry_run=false", {}, "dry_run"),
        ("", {"dry_run": True}, "dry_run"),
        ("", {"limit": 5}, "limit"),
    ],
)
def test_a_misspelt_or_misplaced_dry_run_is_refused_and_nothing_replayed(
    application: Application, storage: Storage, query: str, member: dict[str, object], field: str
) -> None:
    response = application.call("POST", f"/replay{query}", {"content-type": JSON}, as_json(BY_ENTITY | member))

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == [field]
    assert storage.rows("REPLAYS_TABLE") == []


def test_a_member_that_stands_twice_is_refused(application: Application, storage: Storage) -> None:
    response = application.request_replay(as_json(BY_ENTITY)[:-1] + b',"entity_id":"other"}')

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == ["entity_id"]
    assert storage.rows("REPLAYS_TABLE") == []


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems", "SendMessage"])
def test_a_lost_answer_while_a_replay_is_asked_for_makes_no_second_one(
    application: Application, storage: Storage, wire: Wire, operation: str
) -> None:
    application.accept(paid())
    wire.disturb(answer_lost, operation)

    replay_id = application.replayed(**BY_ENTITY)

    assert application.job(replay_id)["state"] == "COMPLETE"
    assert application.job(replay_id)["sent"] == 1
    assert len([row for row in storage.rows("REPLAYS_TABLE") if row["SK"] == "JOB"]) == 1


@pytest.mark.parametrize("end", ["9999-12-31T24:00:00Z", "9999-12-31T24:00:00.000000000Z"])
def test_the_last_day_of_the_calendar_is_replayed_to_its_end(application: Application, end: str) -> None:
    application.accept(paid(event_time="9999-12-31T23:59:59.999999999Z"))
    window = {"entity_id": "order-1", "start_time": "9999-12-31T00:00:00Z", "end_time": end}

    counted = application.preview(window).json_body
    listed = application.get("/events", **window).json_body["items"]

    assert (counted["messages"], len(listed)) == (1, 1)
    assert len(application.planned(**window)[1]) == 1
