"""What the options of POST /replay do to what is sent, down to the queues and the aggregates."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from chalicelib.core.pagination import every_page
from chalicelib.core.timestamps import Day
from chalicelib.replays import commit_batch, origins, selection
from chalicelib.runtime import replay_wiring
from tests.functional.application import Application, Message, batched
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.wire import (
    ALWAYS,
    Effect,
    Wire,
    answer_lost,
    killed_after,
    killed_before,
    one_left_unsent,
)

DAY_BEFORE = "2023-06-29"
WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
ONE_MINUTE = {"entity_id": "order-1", "start_time": f"{DAY}T10:00:00Z", "end_time": f"{DAY}T10:01:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}


def numbers(messages: Iterable[Message]) -> list[int]:
    """The numbers of the events that messages are about, as `paid` has them in the nanoseconds."""
    return sorted(int(found.members["event_time"][-10:-1]) for found in messages)


def sent(application: Application, **request: Any) -> list[int]:
    """The numbers of the events that a replay sends."""
    _, messages = application.planned(**request)
    return numbers(messages)


def partial_because(application: Application, entity_id: str = "order-1", day: str = DAY) -> list[list[str]]:
    """What keeps each version of an aggregate from standing for its day, newest version first."""
    return [version.get("partial_because", []) for version in application.versions(entity_id, day)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages a batch, ordered ones too, two rows and two arrivals a read, and one found day."""
    for module, name, size in (
        (commit_batch, "MESSAGES_A_BATCH", 3),
        (commit_batch, "ORDERED_MESSAGES_A_BATCH", 3),
        (origins, "ROWS_A_READ", 2),
        (origins, "FEWEST_ROWS_A_READ", 2),
        (selection, "ROWS_OF_A_DAY", 2),
        (selection, "DAYS_A_READ", 1),
        (selection, "ARRIVALS_A_READ", 2),
        (selection, "EVENTS_A_LOOK_UP", 2),
    ):
        monkeypatch.setattr(module, name, size)


# Filters


@pytest.fixture
def mixed(application: Application) -> list[Json]:
    """Five events of an entity: of two sources and two types, one of them late on its way; answers their results."""
    return application.accept_all(
        [
            paid(1),
            paid(2, source="shop/returns"),
            paid(3, event_type="order.refunded"),
            paid(4, source="shop/returns", event_type="order.refunded"),
            # The others happened in 2023, so that this one alone has a small lag.
            paid(5, event_time="2100-01-01T00:00:00.000000005Z"),
        ]
    )


FILTERED: dict[str, tuple[Json, list[int]]] = {
    "a source": ({"include": {"sources": ["shop/returns"]}}, [2, 4]),
    "two sources": ({"include": {"sources": ["shop/returns", "shop/checkout"]}}, [1, 2, 3, 4, 5]),
    "a type": ({"include": {"event_types": ["order.refunded"]}}, [3, 4]),
    "a source and a type": ({"include": {"sources": ["shop/returns"], "event_types": ["order.paid"]}}, [2]),
    "a lag": ({"include": {"min_lag_ms": 1}}, [1, 2, 3, 4]),
    "another source": ({"include": {"sources": ["shop"]}}, []),
    "without a source": ({"exclude": {"sources": ["shop/returns"]}}, [1, 3, 5]),
    "without a source or a type": (
        {"exclude": {"sources": ["shop/returns"], "event_types": ["order.refunded"]}},
        [1, 5],
    ),
    "without a lag": ({"exclude": {"min_lag_ms": 1}}, [5]),
    "a source without a type": (
        {"include": {"sources": ["shop/returns"]}, "exclude": {"event_types": ["order.paid"]}},
        [4],
    ),
    "a source without itself": (
        {"include": {"sources": ["shop/returns"]}, "exclude": {"sources": ["shop/returns"]}},
        [],
    ),
    "none": ({"include": None, "exclude": None}, [1, 2, 3, 4, 5]),
}


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(("filters", "wanted"), FILTERED.values(), ids=FILTERED)
def test_include_asks_for_every_criterion_and_exclude_for_any(
    application: Application, filters: Json, wanted: list[int]
) -> None:
    replay_id, messages = application.planned(
        entity_id="order-1", start_time=f"{DAY}T00:00:00Z", end_time="2100-02-01T00:00:00Z", **filters
    )

    job = application.job(replay_id)
    assert numbers(messages) == wanted
    assert (job["scanned"], job["matched"], job["sent"]) == (5, len(wanted), len(wanted))


def test_events_are_chosen_and_left_out_by_their_ids(application: Application, mixed: list[Json]) -> None:
    ids = [result["event_id"] for result in mixed]

    assert sent(application, **WHOLE_DAY, include={"event_ids": [ids[0], ids[2], "0" * 64]}) == [1, 3]
    assert sent(application, **WHOLE_DAY, exclude={"event_ids": [ids[0], ids[2], "0" * 64]}) == [2, 4]


@pytest.mark.usefixtures("mixed")
def test_filters_hold_for_a_type_as_for_an_entity(application: Application) -> None:
    application.accept(paid(7, entity_id="order-2"))

    assert sent(application, **BY_TYPE, exclude={"event_types": ["order.paid"]}) == []
    assert sent(application, **BY_TYPE, include={"min_lag_ms": 1}) == [1, 7]


REFUSED: dict[str, tuple[Json, str]] = {
    "an empty filter": ({"include": {}}, "include"),
    "an empty list": ({"exclude": {"sources": []}}, "exclude.sources"),
    "too many names": ({"include": {"event_types": [str(n) for n in range(21)]}}, "include.event_types"),
    "too many ids": ({"include": {"event_ids": [f"{n:064x}" for n in range(501)]}}, "include.event_ids"),
    "an id that is none": ({"include": {"event_ids": ["abc"]}}, "include.event_ids.0"),
    "a lag below nothing": ({"exclude": {"min_lag_ms": -1}}, "exclude.min_lag_ms"),
    "a criterion that is none": ({"exclude": {"entity_ids": ["order-1"]}}, "exclude.entity_ids"),
    "one source that is no list": ({"include": {"sources": "shop/checkout"}}, "include.sources"),
    "a maximum of nothing": ({"max_messages": 0}, "max_messages"),
    "half a message": ({"max_messages": 1.5}, "max_messages"),
    "a maximum in words": ({"max_messages": "10"}, "max_messages"),
    "no rate": ({"rate": 0}, "rate"),
    "a rate beyond any": ({"rate": 10_001}, "rate"),
    "a destination that no name can be": ({"destination": "Billing"}, "destination"),
    "a destination that is not declared": ({"destination": "biling"}, "destination"),
    "yes for true": ({"whole_days": "yes"}, "whole_days"),
    "one for true": ({"include_duplicates": 1}, "include_duplicates"),
    "an empty reason": ({"reason": ""}, "reason"),
    "a long reason": ({"reason": "é" * 513}, "reason"),
    "a number that no count has": ({"confirm": 10**400}, "confirm"),
    "less than nothing confirmed": ({"confirm": -1}, "confirm"),
}


@pytest.mark.parametrize(("option", "field"), REFUSED.values(), ids=REFUSED)
def test_an_option_that_is_not_valid_is_refused_by_its_name(application: Application, option: Json, field: str) -> None:
    response = application.request_replay({**WHOLE_DAY, **option})

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == [field]
    assert application.get("/replay").json_body["items"] == []


def test_all_options_together_are_taken_and_told(application: Application) -> None:
    options = {
        "include": {"sources": ["shop/checkout"], "min_lag_ms": 0},
        "exclude": {"event_ids": ["0" * 64]},
        "max_messages": 10,
        "include_duplicates": True,
        "whole_days": True,
        "rate": 100.0,
        "destination": "ordered",
        "reason": "Marta wants to know why Friday is low",
        "confirm": 3,
    }

    replay_id = application.requested(**BY_TYPE, **options)

    assert application.job(replay_id)["request"] == {**BY_TYPE, **options}


# Limit


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("max_messages", [1, 3, 4, 6, 7, 8])
def test_max_messages_ends_a_replay_after_this_many(application: Application, max_messages: int) -> None:
    application.accept_all(paid_several(7))

    replay_id, messages = application.planned(**WHOLE_DAY, max_messages=max_messages)

    assert numbers(messages) == list(range(1, min(max_messages, 7) + 1))
    assert (application.job(replay_id)["state"], application.job(replay_id)["sent"]) == ("SENT", min(max_messages, 7))


def test_a_limited_replay_is_complete_and_its_aggregate_is_not(application: Application) -> None:
    application.accept_all(paid_several(5))

    replay_id = application.replayed(**WHOLE_DAY, max_messages=4)

    assert application.job(replay_id)["state"] == "COMPLETE"
    assert partial_because(application) == [["Its replay ended after max_messages (4)."]]


# Later arrivals


def arrive_again(application: Application, event: Json, times: int) -> None:
    """Send a known event again, so many times in one request."""
    counts = application.ingest([event] * times).json_body["counts"]
    assert counts["duplicate"] == times


def test_each_arrival_is_sent_again_and_counts_once_in_the_aggregate(application: Application) -> None:
    application.accept_all(paid_several(3))
    arrive_again(application, paid(2), 2)

    replay_id, messages = application.planned(**WHOLE_DAY, include_duplicates=True)

    assert numbers(messages) == [1, 2, 2, 2, 3]
    repeated = [found.members["duplicate"] for found in messages if "duplicate" in found.members]
    assert [set(duplicate) for duplicate in repeated] == [{"ingest_time", "request_id", "position"}] * 2
    assert sorted(duplicate["position"] for duplicate in repeated) == [0, 1]
    for batch in batched(messages, 2):
        application.process(batch)
    job = application.job(replay_id)
    assert (job["state"], job["scanned"], job["matched"]) == ("COMPLETE", 3, 3)
    assert (job["sent"], job["processed"]) == (5, 5)
    [version] = application.versions("order-1", DAY)
    assert (version["event_count"], version["complete"]) == (3, True)


def test_a_conflict_is_no_arrival_of_the_event_that_was_stored(application: Application) -> None:
    application.accept(paid(1, idempotency_key="k"))
    application.ingest([paid(1, idempotency_key="k"), paid(2, idempotency_key="k")])

    assert sent(application, **WHOLE_DAY, include_duplicates=True) == [1, 1]


def test_a_storm_of_more_arrivals_than_a_page_holds_is_sent_in_full(application: Application) -> None:
    storm = 2 * selection.ARRIVALS_A_READ + 5
    application.accept_all(paid_several(2))
    arrive_again(application, paid(1), storm)

    replay_id, messages = application.planned(**WHOLE_DAY, include_duplicates=True)

    assert numbers(messages) == [1] * (storm + 1) + [2]
    assert len({found.body for found in messages}) == storm + 2
    assert application.job(replay_id)["sent"] == storm + 2


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("effect", [killed_before, killed_after])
@pytest.mark.parametrize("operation", ["Query", "SendMessageBatch", "PutItem"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_planner_that_ends_within_a_storm_sends_each_arrival_and_counts_it_once(
    application: Application, wire: Wire, operation: str, effect: Effect, skip: int
) -> None:
    application.accept_all(paid_several(3))
    arrive_again(application, paid(2), 7)
    replay_id = application.requested(**WHOLE_DAY, include_duplicates=True)
    wire.disturb(effect, operation, skip=skip)

    assert application.plan_through() == 1

    messages = application.messages.taken()
    for batch in batched(messages, 3):
        application.process(batch)
    job = application.job(replay_id)
    assert numbers({found.body: found for found in messages}.values()) == [1, *[2] * 8, 3]
    assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 3, 10, 10)


# Whole days


def scattered() -> list[Json]:
    """Of order-1 three events on the day and one on either side; of order-2 one on the day, of another type."""
    refunded = {"event_type": "order.refunded", "source": "shop/returns"}
    return [
        paid(1, event_time=f"{DAY_BEFORE}T23:59:59.000000001Z"),
        paid(2, event_time=f"{DAY}T00:00:00.000000002Z", **refunded),
        paid(3, event_time=f"{DAY}T10:00:00.000000003Z"),
        paid(4, event_time=f"{DAY}T23:59:59.000000004Z", **refunded),
        paid(5, event_time=f"{NEXT_DAY}T00:00:00.000000005Z"),
        paid(6, entity_id="order-2", event_time=f"{DAY}T11:00:00.000000006Z", **refunded),
    ]


def test_an_entitys_window_is_widened_to_whole_days(application: Application) -> None:
    application.accept_all(scattered())

    assert sent(application, **ONE_MINUTE) == [3]
    assert sent(application, **ONE_MINUTE, whole_days=True) == [2, 3, 4]


def test_a_window_that_is_whole_days_already_stays_as_it_is(application: Application) -> None:
    application.accept_all(scattered())

    assert sent(application, **WHOLE_DAY, whole_days=True) == [2, 3, 4]


def test_the_aggregate_of_an_entitys_whole_days_is_complete_where_that_of_its_window_is_not(
    application: Application,
) -> None:
    application.accept_all(scattered())

    application.replayed(**ONE_MINUTE)
    application.replayed(**ONE_MINUTE, whole_days=True)

    whole, window = application.versions("order-1", DAY)
    assert (whole["event_count"], whole["complete"], whole.get("partial_because", [])) == (3, True, [])
    assert (window["event_count"], window["complete"], len(window["partial_because"])) == (1, False, 2)


def test_the_aggregate_of_a_types_whole_days_is_complete_where_that_of_the_type_is_not(
    application: Application,
) -> None:
    application.accept_all(scattered())

    application.replayed(**BY_TYPE)
    replay_id = application.replayed(**BY_TYPE, whole_days=True)

    whole, of_type = application.versions("order-1", DAY)
    assert (whole["event_count"], whole["complete"], whole.get("partial_because", [])) == (3, True, [])
    assert (of_type["event_count"], of_type["complete"]) == (1, False)
    assert of_type["partial_because"] == ["It covers events of source shop/checkout and type order.paid only."]
    assert application.versions("order-2", DAY) == []
    job = application.job(replay_id)
    # One row told which day to send, and three were sent.
    assert (job["state"], job["scanned"], job["matched"], job["sent"]) == ("COMPLETE", 4, 3, 3)


def test_filters_choose_the_days_of_which_everything_is_sent(application: Application) -> None:
    application.accept_all(scattered())
    two_days = {**WHOLE_DAY, "start_time": f"{DAY_BEFORE}T00:00:00Z"}
    filters = {"include": {"event_types": ["order.refunded"]}, "exclude": {"sources": ["shop/checkout"]}}

    application.replayed(**two_days, **filters, whole_days=True)

    assert [version["event_count"] for version in application.versions("order-1", DAY)] == [3]
    assert partial_because(application) == [[]]
    assert application.versions("order-1", DAY_BEFORE) == []


def test_a_filter_may_look_past_the_days_it_has_no_event_in(application: Application) -> None:
    application.accept_all(scattered())

    replay_id = application.replayed(**WHOLE_DAY, include={"sources": ["shop/other"]}, whole_days=True)

    job = application.job(replay_id)
    assert (job["state"], job["scanned"], job["sent"]) == ("COMPLETE", 3, 0)


def test_later_arrivals_of_whole_days_are_sent_too(application: Application) -> None:
    application.accept_all(scattered())
    arrive_again(application, scattered()[1], 2)

    assert sent(application, **BY_TYPE, whole_days=True, include_duplicates=True) == [2, 2, 2, 3, 4]


def test_an_event_that_comes_after_whole_days_were_replayed_is_told(application: Application) -> None:
    application.accept_all(scattered())
    application.replayed(**BY_TYPE, whole_days=True)

    application.accept(paid(9, event_type="order.shipped"))

    [version] = application.versions("order-1", DAY)
    assert (version["complete"], version["arrived_since"]) == (True, 1)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("effect", [killed_before, killed_after])
@pytest.mark.parametrize(
    ("operation", "skip"),
    [("BatchWriteItem", 0), *itertools.product(["Query", "SendMessageBatch", "PutItem", "SendMessage"], range(3))],
)
def test_a_planner_that_ends_while_it_finds_or_sends_whole_days_leaves_complete_aggregates(
    application: Application, wire: Wire, operation: str, effect: Effect, skip: int
) -> None:
    entities = [f"order-{number}" for number in range(1, 5)]
    application.accept_all(
        [
            paid(number, entity_id=entity_id, event_type=event_type)
            for entity_id in entities
            for number, event_type in enumerate(["order.refunded", "order.paid", "order.refunded"])
        ]
    )
    replay_id = application.requested(**BY_TYPE, whole_days=True)
    wire.disturb(effect, operation, skip=skip)

    assert application.plan_through() == 1

    for batch in batched(application.messages.taken(), 10):
        application.process(batch)
    job = application.job(replay_id)
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 12, 12)
    for entity_id in entities:
        [version] = application.versions(entity_id, DAY)
        assert (version["event_count"], version["complete"]) == (3, True)


# Order


def in_turn(messages: Iterable[Message]) -> dict[str, list[int]]:
    """The numbers of each entity's events, in the order of the messages."""
    found: dict[str, list[int]] = defaultdict(list)
    for each in messages:
        found[each.members["entity_id"]] += numbers([each])
    return found


def several_entities(events: int, entities: int = 3) -> list[Json]:
    return [
        paid(number, entity_id=f"order-{entity}")
        for number in range(1, events + 1)
        for entity in range(1, entities + 1)
    ]


@pytest.mark.usefixtures("small_batches")
def test_an_ordered_replay_goes_through_the_fifo_queue_entity_by_entity(application: Application) -> None:
    application.accept_all(several_entities(5))

    replay_id, unordered = application.planned(**BY_TYPE, destination="ordered")

    messages = application.ordered.taken()
    assert unordered == []
    assert in_turn(messages) == {f"order-{entity}": [1, 2, 3, 4, 5] for entity in (1, 2, 3)}
    assert {found.members["destination"] for found in messages} == {"ordered"}
    assert (application.job(replay_id)["state"], application.job(replay_id)["sent"]) == ("SENT", 15)


def test_an_entitys_days_and_later_arrivals_stay_in_order(application: Application) -> None:
    application.accept_all(scattered())
    arrive_again(application, scattered()[2], 2)
    request = {**BY_TYPE, "start_day": DAY_BEFORE, "end_day": NEXT_DAY}
    del request["day"]

    application.planned(**request, whole_days=True, include_duplicates=True, destination="ordered")

    assert in_turn(application.ordered.taken()) == {"order-1": [1, 2, 3, 3, 3, 4, 5]}


@pytest.mark.parametrize("skip", range(6))
@pytest.mark.parametrize("times", [1, 3])
def test_a_message_that_fifo_does_not_take_is_not_overtaken_by_a_later_one_of_its_entity(
    application: Application, wire: Wire, skip: int, times: int
) -> None:
    application.accept_all(several_entities(6))
    wire.disturb(one_left_unsent, "SendMessageBatch", skip=skip, times=times)

    replay_id, _ = application.planned(**BY_TYPE, destination="ordered")

    assert in_turn(application.ordered.taken()) == {f"order-{entity}": list(range(1, 7)) for entity in (1, 2, 3)}
    assert application.job(replay_id)["sent"] == 18


def test_a_message_that_fifo_never_takes_holds_back_what_comes_after_it(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY, destination="ordered")
    [found] = application.jobs.taken()
    wire.disturb(one_left_unsent, "SendMessageBatch", skip=2, times=ALWAYS)

    with pytest.raises(Exception, match="SQS did not take every message"):
        application.call_planner(found)

    wire.mend()
    application.call_planner(found)
    application.plan()
    assert in_turn(application.ordered.taken()) == {"order-1": [1, 2, 3, 4, 5]}
    assert application.job(replay_id)["sent"] == 5


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost])
@pytest.mark.parametrize("operation", ["Query", "SendMessageBatch", "PutItem"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_planner_that_ends_neither_doubles_nor_reorders_what_is_sent_in_order(
    application: Application, wire: Wire, operation: str, effect: Effect, skip: int
) -> None:
    application.accept_all(several_entities(4, entities=2))
    replay_id = application.requested(**BY_TYPE, destination="ordered")
    wire.disturb(effect, operation, skip=skip)

    application.plan_through()

    assert in_turn(application.ordered.taken()) == {f"order-{entity}": [1, 2, 3, 4] for entity in (1, 2)}
    assert application.job(replay_id)["sent"] == 8


def test_entities_whose_names_no_message_group_could_have_are_kept_apart(application: Application) -> None:
    names = ["e" * 1_000, "e" * 999 + "f", "ein Paket für Österreich", " ", "🚚"]
    application.accept_all([paid(number, entity_id=name) for number in (1, 2) for name in names])

    application.planned(**BY_TYPE, destination="ordered")

    assert in_turn(application.ordered.taken()) == {name: [1, 2] for name in names}


# Rate


@pytest.mark.parametrize("rate", [5, 10_000])
def test_a_rate_is_taken_and_everything_sent(application: Application, rate: float) -> None:
    application.accept_all(paid_several(3))

    replay_id, messages = application.planned(**WHOLE_DAY, rate=rate)

    assert numbers(messages) == [1, 2, 3]
    assert application.job(replay_id)["request"]["rate"] == rate


def test_a_slow_replay_leaves_the_planner_until_its_next_message_is_due(application: Application) -> None:
    application.accept_all(paid_several(3))

    replay_id, messages = application.planned(**WHOLE_DAY, rate=0.1)

    assert numbers(messages) == [1]
    for_the_next_message, unless_planned = 1, 1
    waiting = int(application.jobs.counted()["ApproximateNumberOfMessagesDelayed"])
    assert waiting == for_the_next_message + unless_planned
    assert application.job(replay_id)["state"] == "SENDING"


# Found days


def test_found_days_are_kept_once_and_read_day_by_day(application: Application) -> None:
    days = replay_wiring.replay_store().touched_days("replay-1")
    others = replay_wiring.replay_store().touched_days("replay-1#DAYS")
    names = ["order-1", "e" * 1_024, "order#1", "order%231"]
    found = [(name, Day(day)) for day in (NEXT_DAY, DAY) for name in names]

    days.add(found)
    days.add([found[0], *found])
    others.add([("order-9", Day(DAY))])

    pages = list(every_page(lambda position: days.page(position, 3)))
    read = [(each.entity_id, each.day) for page in pages for each in page.items]
    assert [day for _, day in read] == [DAY] * 4 + [NEXT_DAY] * 4
    assert sorted(read) == sorted(found)
    assert application.get("/replay").json_body["items"] == []
