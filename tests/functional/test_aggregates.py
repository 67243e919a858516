"""GET /aggregates: every version, accounted for by its inputs."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import Application, batched, message
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.recomputed import aggregate, inputs_of, said
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Killed, Wire, killed_after, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}


def asked(application: Application, entity_id: str = "order-1", day: str = DAY) -> Json:
    response = application.get("/aggregates", entity_id=entity_id, day=day)
    assert response.status_code == 200
    answer: Json = response.json_body
    return answer


def test_a_version_lists_a_hundred_types_and_counts_the_events_of_all_others_together(
    application: Application, storage: Storage
) -> None:
    events = [paid(number, event_type=f"{number:03d}{'t' * 381}") for number in range(103)]
    application.accept_all(events)
    replay_id, messages = application.planned(**WHOLE_DAY)
    for some in batched(messages[::-1], 40):
        application.process(some)

    [version] = asked(application)["versions"]

    assert said(version) == aggregate(inputs_of(storage.rows("AGGREGATES_TABLE"), "order-1", DAY, replay_id))
    assert (version["event_count"], len(version["counts_by_type"]), version["other_types_count"]) == (103, 100, 3)
    assert list(version["counts_by_type"]) == [event["event_type"] for event in events[:100]]


def test_a_version_says_what_was_computed_from_what(application: Application, storage: Storage) -> None:
    application.accept_all([*paid_several(11), paid(12, event_type="order.refunded")])
    replay_id = application.replayed(**WHOLE_DAY)

    answer = asked(application)

    inputs = inputs_of(storage.rows("AGGREGATES_TABLE"), "order-1", DAY, replay_id)
    [version] = answer.pop("versions")
    assert answer == {"entity_id": "order-1", "day": DAY, "late_arrivals": 0, "exact": True, "cursor": None}
    assert said(version) == aggregate(inputs)
    assert version["event_count"] == 12
    assert version["replay_id"] == replay_id
    assert version["window_start"] == f"{DAY}T00:00:00.000000000Z"
    assert version["window_end"] == f"{NEXT_DAY}T00:00:00.000000000Z"
    assert version["computed_at"] >= application.job(replay_id)["created_at"]


def test_the_inputs_of_a_version_are_the_events_of_the_index(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.replayed(**WHOLE_DAY)

    inputs = inputs_of(storage.rows("AGGREGATES_TABLE"), "order-1", DAY, replay_id)

    names = ("event_id", "event_time", "event_type", "content_sha256")
    assert [{name: row[name] for name in names} for row in sorted(inputs, key=lambda row: str(row["event_time"]))] == [
        {name: row[name] for name in names} for row in sorted(storage.index(), key=lambda row: str(row["event_time"]))
    ]


def test_the_same_inputs_give_the_same_hash_in_every_version(application: Application) -> None:
    application.accept_all(paid_several(12))
    for size in (10, 1, 7):
        _, messages = application.planned(**WHOLE_DAY)
        for batch in batched(messages, size):
            application.process(batch)

    versions = asked(application)["versions"]

    assert len(versions) == 3
    assert len({version["inputs_hash"] for version in versions}) == 1


def test_other_inputs_give_another_hash(application: Application) -> None:
    application.accept(paid(1))
    application.replayed(**WHOLE_DAY)
    application.accept(paid(2))
    application.replayed(**WHOLE_DAY)

    newer, older = asked(application)["versions"]

    assert (newer["event_count"], older["event_count"]) == (2, 1)
    assert newer["inputs_hash"] != older["inputs_hash"]


def test_versions_are_told_newest_first(application: Application) -> None:
    application.accept(paid())
    replays = [application.replayed(**WHOLE_DAY) for _ in range(3)]

    versions = asked(application)["versions"]

    assert [version["replay_id"] for version in versions] == replays[::-1]


def test_a_version_of_part_of_a_day_holds_only_that_part(application: Application) -> None:
    application.accept_all([paid(event_time=f"{DAY}T{hour:02}:00:00Z") for hour in range(24)])

    application.replayed(entity_id="order-1", start_time=f"{DAY}T06:00:00Z", end_time=f"{DAY}T12:00:00Z")

    assert [version["event_count"] for version in asked(application)["versions"]] == [6]


def test_days_and_entities_are_told_apart(application: Application) -> None:
    for event in (paid(1), paid(2, entity_id="order-1#"), paid(3, event_time=f"{NEXT_DAY}T00:00:00Z")):
        application.accept(event)
    for entity_id in ("order-1", "order-1#"):
        application.replayed(**{**WHOLE_DAY, "entity_id": entity_id, "end_time": "2023-07-02T00:00:00Z"})

    assert [version["event_count"] for version in asked(application)["versions"]] == [1]
    assert [version["event_count"] for version in asked(application, "order-1#")["versions"]] == [1]
    assert [version["event_count"] for version in asked(application, day=NEXT_DAY)["versions"]] == [1]
    assert asked(application, "order")["versions"] == []


def test_where_nothing_was_computed_there_are_no_versions(application: Application) -> None:
    application.accept(paid())

    none = {"entity_id": "order-1", "day": DAY, "versions": [], "late_arrivals": 0, "exact": True, "cursor": None}
    assert asked(application) == none


# Events that came after


def test_events_of_the_day_that_came_after_the_newest_version_are_counted_as_late(application: Application) -> None:
    application.accept_all(paid_several(2))
    application.replayed(**WHOLE_DAY)
    application.accept_all(
        [paid(3), paid(4), paid(5, event_time=f"{NEXT_DAY}T00:00:00Z"), paid(6, entity_id="order-2")]
    )
    application.ingest([paid(1), paid(2)])

    before = asked(application)["late_arrivals"]
    application.replayed(**WHOLE_DAY)

    assert before == 2
    assert asked(application)["late_arrivals"] == 0


def test_events_that_came_between_the_request_and_its_planning_are_not_late(application: Application) -> None:
    application.accept(paid(1))
    replay_id = application.requested(**WHOLE_DAY)
    application.accept(paid(2))
    application.plan()
    application.process(application.messages.taken())

    assert application.job(replay_id)["processed"] == 2
    assert asked(application)["late_arrivals"] == 0


def test_events_that_came_while_a_replay_ran_and_were_missed_are_late(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept(paid(1))
    _, messages = application.planned(**WHOLE_DAY)
    application.accept(paid(2))
    application.process(messages)

    assert asked(application)["late_arrivals"] == 1


def test_an_event_that_a_resend_completed_after_a_replay_is_late(application: Application, wire: Wire) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest(paid(1))
    application.accept(paid(2))
    application.replayed(**WHOLE_DAY)

    application.accept(paid(1))

    assert asked(application)["late_arrivals"] == 1


def test_a_version_of_an_object_counts_what_came_after_it_was_computed(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = application.accept(paid(1))
    reference = {"s3_bucket": result["s3_bucket"], "s3_key": result["s3_key"]}
    application.process([message(reference)])
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.000000000Z"))

    application.accept(paid(2))

    assert asked(application)["late_arrivals"] == 1


@pytest.mark.parametrize("ahead", ["2043-01-01T00:05:00.000000000Z", "9999-12-31T23:59:59.999999999Z"])
def test_the_newest_version_is_that_of_the_replay_that_was_requested_last_although_a_clock_was_ahead(
    application: Application, monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    application.accept_all(paid_several(2))
    monkeypatch.setattr(system, "now", lambda: Instant(ahead))
    first = application.replayed(**WHOLE_DAY)
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.000000000Z"))
    application.accept(paid(3))

    second = application.replayed(**WHOLE_DAY)

    answer = asked(application)
    assert [version["replay_id"] for version in answer["versions"]] == [second, first]
    assert [version["arrived_since"] for version in answer["versions"]] == [0, 1]
    assert answer["late_arrivals"] == 0


# Faults of the question


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ({}, {"entity_id": "is missing", "day": "is missing"}),
        ({"entity_id": ""}, {"entity_id": "must not be empty", "day": "is missing"}),
        ({"entity_id": "order-1"}, {"day": "is missing"}),
        ({"day": "2023-02-30"}, {"entity_id": "is missing", "day": "is not a real day"}),
        ({"entity_id": "order-1", "day": "yesterday"}, {"day": "is not a day such as 2026-11-21"}),
        ({"entity_id": "order-1", "day": "2023-06-30T00:00:00Z"}, {"day": "is not a day such as 2026-11-21"}),
    ],
)
def test_a_question_that_is_not_valid_is_answered_400_with_every_fault(
    application: Application, query: dict[str, str], faults: dict[str, str]
) -> None:
    response = application.client.http.get(f"/aggregates?{urlencode(query)}")

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {fault["field"]: fault["message"] for fault in response.json_body["errors"]} == faults


def test_a_question_that_aws_does_not_take_is_answered_503(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, times=ALWAYS)

    response = application.get("/aggregates", entity_id="order-1", day=DAY)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
