"""Counting a replay before it runs: POST /replay?dry_run=true, and the confirmation that a large one needs."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.replays import origins, preview
from tests.functional.application import Application, SetSetting
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Wire, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "start_day": DAY, "end_day": NEXT_DAY}
SEVERAL = [
    paid(1),
    paid(2, event_type="order.refunded"),
    paid(3, source="shop/returns"),
    paid(4, event_time=f"{NEXT_DAY}T00:00:00Z"),
    paid(5, entity_id="order-2"),
]


def previewed(application: Application, request: Json, **options: Any) -> Json:
    """What a dry run answers."""
    response = application.preview({**request, **options})
    assert response.status_code == 200, response.body
    found: Json = response.json_body
    return found


def everything(application: Application, storage: Storage) -> dict[str, Any]:
    """All rows, all objects, and how many messages every queue holds."""
    queues = ("jobs", "messages", "billing", "ordered", "failures", "dead")
    return storage.everything() | {name: getattr(application, name).counted() for name in queues}


def spent_after_one_read_of_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "REQUEST_US", 1)
    monkeypatch.setattr(origins, "ROWS_A_READ", 2)
    monkeypatch.setattr(origins, "FEWEST_ROWS_A_READ", 2)


@pytest.fixture
def confirmed_above_two(set_setting: SetSetting) -> None:
    """A replay of more than two messages must be confirmed."""
    set_setting("CONFIRM_ABOVE", "2")


# Dry runs


def test_a_dry_run_counts_by_day_source_and_type(application: Application) -> None:
    application.accept_all(SEVERAL)
    request = {**WHOLE_DAY, "end_time": f"{NEXT_DAY}T12:00:00Z"}

    told = previewed(application, request)

    assert told.pop("estimated_cost_usd") > 0
    assert told.pop("estimated_reports_usd") == 0
    assert told == {
        "request": {
            "entity_id": "order-1",
            "start_time": f"{DAY}T00:00:00.000000000Z",
            "end_time": f"{NEXT_DAY}T12:00:00.000000000Z",
        },
        "destination": "aggregates",
        "messages": 4,
        "exact": True,
        "index_read_to": told["index_read_to"],
        "scanned": 4,
        "by_day": {DAY: 3, NEXT_DAY: 1},
        "by_source": {"shop/checkout": 3, "shop/returns": 1},
        "by_type": {"order.paid": 3, "order.refunded": 1},
        "estimated_seconds": 1,
        "advice": None,
    }


OPTIONS: dict[str, Json] = {
    "nothing": {},
    "a filter": {"include": {"event_types": ["order.paid"]}},
    "a limit": {"max_messages": 2},
    "later arrivals": {"include_duplicates": True},
    "whole days": {"whole_days": True},
    "whole days of what a filter leaves": {"whole_days": True, "exclude": {"sources": ["shop/checkout"]}},
    "whole days with later arrivals, cut": {"whole_days": True, "include_duplicates": True, "max_messages": 4},
    "an ordered destination": {"destination": "ordered"},
}


@pytest.mark.parametrize("request_", [WHOLE_DAY, BY_TYPE], ids=["entity", "type"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_dry_run_counts_what_the_replay_then_sends(application: Application, request_: Json, options: Json) -> None:
    application.accept_all(SEVERAL)
    application.ingest([SEVERAL[0], SEVERAL[0], SEVERAL[2]])

    told = previewed(application, request_, **options)
    replay_id, messages = application.planned(**request_, **options)

    messages += application.ordered.taken()
    assert told["messages"] == len(messages) == application.job(replay_id)["sent"]
    assert sum(told["by_day"].values()) == sum(told["by_source"].values()) == sum(told["by_type"].values())
    assert told["messages"] == sum(told["by_day"].values())


@pytest.mark.parametrize("request_", [WHOLE_DAY, BY_TYPE], ids=["entity", "type"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_dry_run_writes_nothing_anywhere(
    application: Application, storage: Storage, wire: Wire, request_: Json, options: Json
) -> None:
    application.accept_all(SEVERAL)
    application.ingest([SEVERAL[0]])
    before = everything(application, storage)
    wire.mend()

    previewed(application, request_, **options)

    assert everything(application, storage) == before
    assert set(wire.calls) == {"Query"}


def test_a_dry_run_keeps_no_idempotency_key(application: Application) -> None:
    application.accept(paid())
    dry = application.preview(WHOLE_DAY, **{"idempotency-key": "k"})

    response = application.request_replay(WHOLE_DAY, **{"idempotency-key": "k"})

    assert (dry.status_code, response.status_code) == (200, 202)


def test_an_estimate_goes_by_the_rate(application: Application) -> None:
    application.accept_all(paid_several(5))

    assert previewed(application, WHOLE_DAY, rate=0.5)["estimated_seconds"] == 10


def test_counting_stops_at_a_bound_and_says_so(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    spent_after_one_read_of_two_rows(monkeypatch)
    application.accept_all(paid_several(5))

    told = previewed(application, WHOLE_DAY, include={"event_types": ["order.paid"]})

    assert (told["messages"], told["exact"], told["scanned"]) == (2, False, 2)


def test_a_dry_run_that_aws_does_not_take_is_answered_503(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, "Query", times=ALWAYS)

    assert application.preview(WHOLE_DAY).status_code == 503


# Nothing


def test_a_dry_run_that_finds_no_event_of_an_entity_says_where_to_look(application: Application) -> None:
    application.accept(paid(entity_id="order#1"))

    told = previewed(application, {**WHOLE_DAY, "entity_id": "Order#1"})

    assert (told["messages"], told["by_day"], told["estimated_seconds"], told["estimated_cost_usd"]) == (0, {}, 0, 0)
    assert told["advice"] == (
        "The entity has no event in this window. Names are compared to the letter, and times are event times;"
        " GET /events?entity_id=Order%231 lists all events of the entity."
    )


def test_a_dry_run_that_finds_no_event_of_a_type_says_where_to_look(application: Application) -> None:
    application.accept(paid(event_time="2022-06-30T10:00:00Z"))

    told = previewed(application, BY_TYPE)

    assert told["advice"] == (
        f"The index by type shows no event that was acknowledged before {told['index_read_to']}."
        " If one was acknowledged later, send the request again."
        " Names are compared to the letter, and times are event times;"
        " GET /freshness?source=shop%2Fcheckout&event_type=order.paid&look_back_days=366"
        " finds the newest event of the type."
    )


@pytest.mark.parametrize("options", [{}, {"whole_days": True}])
def test_a_dry_run_whose_filters_leave_nothing_says_so(application: Application, options: Json) -> None:
    application.accept_all(paid_several(3))

    advice = previewed(application, WHOLE_DAY, include={"sources": ["shop"]}, **options)["advice"]

    assert advice == "The filters leave none of the 3 events that were read."


def test_a_dry_run_that_stopped_before_it_found_anything_does_not_say_that_there_is_nothing(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent_after_one_read_of_two_rows(monkeypatch)
    application.accept_all([*paid_several(2, source="shop/returns"), paid(3)])

    told = previewed(application, WHOLE_DAY, include={"sources": ["shop/checkout"]})

    assert (told["messages"], told["exact"]) == (0, False)
    assert told["advice"].startswith("Counting ran out of reads before it found anything")


@pytest.mark.parametrize(
    "changes",
    [{"entity_id": "order-9"}, {"entity_id": "order-9", "destination": "ordered"}, {"include": {"sources": ["shop"]}}],
)
def test_a_replay_that_sent_nothing_says_what_its_dry_run_says(application: Application, changes: Json) -> None:
    application.accept(paid())
    told = previewed(application, {**WHOLE_DAY, **changes})

    replay_id = application.requested(**{**WHOLE_DAY, **changes})
    before = application.job(replay_id)
    application.plan()

    job = application.job(replay_id)
    assert before["advice"] is None
    assert (job["state"], job["sent"]) == ("COMPLETE", 0)
    assert job["advice"] == told["advice"] is not None


# Confirmation


@pytest.mark.usefixtures("confirmed_above_two")
@pytest.mark.parametrize("request_", [WHOLE_DAY, BY_TYPE], ids=["entity", "type"])
def test_a_large_replay_is_answered_409_with_its_preview_and_taken_once_it_is_confirmed(
    application: Application, storage: Storage, request_: Json
) -> None:
    application.accept_all(paid_several(3))
    before = everything(application, storage)

    refused = application.request_replay(request_)

    assert refused.status_code == 409
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json_body
    assert problem["detail"] == "This replay would send 3 messages. Above 2, a replay must be confirmed."
    assert problem["errors"] == [
        {"field": "confirm", "message": 'must be 3 to go on: repeat the request with "confirm": 3'}
    ]
    told = previewed(application, request_)
    of_its_own = {name: problem["preview"][name] for name in ("request", "index_read_to")}
    assert {**told, **of_its_own} == problem["preview"]
    assert everything(application, storage) == before

    taken = application.request_replay({**request_, "confirm": problem["preview"]["messages"]})

    assert taken.status_code == 202
    application.plan()
    assert application.job(taken.json_body["replay_id"])["sent"] == 3


@pytest.mark.usefixtures("confirmed_above_two")
@pytest.mark.parametrize("confirm", [0, 2, 4, 10**12])
def test_another_number_confirms_nothing(application: Application, confirm: int) -> None:
    application.accept_all(paid_several(3))

    response = application.request_replay({**WHOLE_DAY, "confirm": confirm})

    assert response.status_code == 409
    assert response.json_body["errors"][0]["message"].startswith(f"is {confirm}, and must be 3")
    assert application.get("/replay").json_body["items"] == []


@pytest.mark.usefixtures("confirmed_above_two")
def test_a_number_that_has_grown_out_of_date_confirms_nothing(application: Application) -> None:
    application.accept_all(paid_several(3))
    counted = application.request_replay(WHOLE_DAY).json_body["preview"]["messages"]
    application.accept(paid(4))

    response = application.request_replay({**WHOLE_DAY, "confirm": counted})

    assert response.status_code == 409
    assert response.json_body["preview"]["messages"] == 4


@pytest.mark.usefixtures("confirmed_above_two")
@pytest.mark.parametrize(
    "options", [{"max_messages": 2}, {"include": {"event_types": ["other"]}}, {"confirm": 7, "max_messages": 1}]
)
def test_what_is_counted_is_what_would_be_sent_and_not_what_lies_there(application: Application, options: Json) -> None:
    application.accept_all(paid_several(5))

    assert application.request_replay({**WHOLE_DAY, **options}).status_code == 202


@pytest.mark.usefixtures("confirmed_above_two")
def test_a_replay_of_as_many_messages_as_need_no_confirmation_is_taken(application: Application) -> None:
    application.accept_all(paid_several(2))

    assert application.request_replay(WHOLE_DAY).status_code == 202


def test_a_replay_whose_count_came_to_no_end_is_confirmed_by_the_limit_that_it_sets_itself(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent_after_one_read_of_two_rows(monkeypatch)
    application.accept_all(paid_several(9))

    asked = {**WHOLE_DAY, "include": {"event_types": ["order.paid"]}}
    refused = application.request_replay(asked)
    counted = refused.json_body["preview"]["messages"]

    assert refused.status_code == 409
    assert refused.json_body["detail"].startswith(f"Counting ran out of reads, with {counted} messages found")
    assert 0 < counted < 9
    assert application.request_replay({**asked, "confirm": counted}).status_code == 409
    assert application.request_replay({**asked, "max_messages": 9, "confirm": 9}).status_code == 202


@pytest.mark.usefixtures("confirmed_above_two")
def test_a_key_is_taken_by_the_request_that_is_confirmed_and_not_by_the_one_that_is_refused(
    application: Application,
) -> None:
    application.accept_all(paid_several(3))
    key = {"idempotency-key": "k"}

    refused = application.request_replay(WHOLE_DAY, **key)
    taken = application.request_replay({**WHOLE_DAY, "confirm": 3}, **key)
    again = application.request_replay({**WHOLE_DAY, "confirm": 3}, **key)

    assert [refused.status_code, taken.status_code, again.status_code] == [409, 202, 202]
    assert again.json_body["replay_id"] == taken.json_body["replay_id"]
