"""Replays by source and type in a window: any instants, and of these only the events within."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from chalicelib.core.timestamps import parse_instant, shifted
from chalicelib.replays import commit_batch, origins
from tests.functional.application import Application, Message
from tests.functional.events import DAY, NEXT_DAY, Json, paid
from tests.functional.wire import Effect, Wire, killed_after, killed_before
from tests.sizes import times

DAY_BEFORE = "2023-06-29"
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid"}
CLOCKS = ["00:00:00", "00:00:00.000000001", "10:00:00", "10:00:00.000000001", "12:30:00", "23:59:59.999999999"]
INSTANTS = [parse_instant(f"{day}T{clock}Z") for day in (DAY_BEFORE, DAY, NEXT_DAY) for clock in CLOCKS]
KINDS: list[Json] = [
    {},
    {"entity_id": "order-2"},
    {"entity_id": "order-2", "event_type": "order.refunded"},
    {"source": "shop/returns"},
]
ONE_TYPE = {"event_type": BY_TYPE["event_type"]}
TWO_TYPES = {"event_types": ["order.refunded", "order.paid", "order.refunded"]}
ACROSS_MIDNIGHT = {"start_time": f"{DAY_BEFORE}T23:59:59.999999999Z", "end_time": f"{DAY}T00:00:00.000000001Z"}
TWO_HOURS = {**BY_TYPE, "start_time": f"{DAY}T10:00:00Z", "end_time": f"{DAY}T12:00:00Z"}


def everything() -> list[Json]:
    """At each instant an event of each of two entities, one of another type and one of another source."""
    return [paid(event_time=at, payload=f"{at} {kind}", **kind) for at in INSTANTS for kind in KINDS]


def within(window: Json, *types: str) -> list[str]:
    """The times of the source's events in a window: what a filter over all of them leaves."""
    start, end = parse_instant(window["start_time"]), parse_instant(window["end_time"])
    of_source = (event for event in everything() if event["source"] == BY_TYPE["source"])
    chosen = (event for event in of_source if event["event_type"] in (types or [BY_TYPE["event_type"]]))
    return sorted(event["event_time"] for event in chosen if start <= event["event_time"] < end)


def event_times(messages: list[Message]) -> list[str]:
    return sorted(found.members["event_time"] for found in messages)


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages a batch, and two rows a read."""
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", 3)
    monkeypatch.setattr(origins, "ROWS_A_READ", 2)
    monkeypatch.setattr(origins, "FEWEST_ROWS_A_READ", 2)


@st.composite
def windows(draw: st.DrawFn) -> Json:
    """Bounds at events or a nanosecond beside them."""
    bounds = draw(st.lists(st.tuples(st.sampled_from(INSTANTS), st.sampled_from([-1, 0, 1])), min_size=2, max_size=2))
    start, end = sorted(shifted(instant, by) for instant, by in bounds)
    return {"start_time": start, "end_time": end if start < end else shifted(end, 1)}


@pytest.mark.usefixtures("small_reads")
def test_any_window_sends_and_previews_what_a_filter_over_all_events_leaves(application: Application) -> None:
    application.accept_all(everything())

    @settings(
        max_examples=times(20),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(window=windows(), types=st.sampled_from([ONE_TYPE, TWO_TYPES]))
    @example(window={"start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}, types=TWO_TYPES)
    @example(window=ACROSS_MIDNIGHT, types=ONE_TYPE)
    @example(window=ACROSS_MIDNIGHT, types=TWO_TYPES)
    @example(window={"start_time": f"{DAY}T12:00:00+02:00", "end_time": f"{NEXT_DAY}T00:30:00+02:00"}, types=ONE_TYPE)
    def holds(window: Json, types: Json) -> None:
        expected = within(window, *types.get("event_types", []))
        request = {"source": BY_TYPE["source"], **types, **window}

        told = application.preview(request).json_body
        replay_id, messages = application.planned(**request)

        job = application.job(replay_id)
        assert sum(told["by_type"].values()) == len(expected)
        assert event_times(messages) == expected
        assert told["by_day"] == Counter(event_time[:10] for event_time in expected)
        assert (told["messages"], told["exact"]) == (len(expected), True)
        # Rows of the day outside the window are not even read.
        assert (job["state"], job["scanned"], told["scanned"]) == (
            "SENT" if expected else "COMPLETE",
            len(expected),
            len(expected),
        )

    holds()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_messages": 1}, 1),
        ({"include_duplicates": True}, 5),
        ({"exclude": {"min_lag_ms": 0}}, 0),
        ({"destination": "ordered"}, 4),
        ({"whole_days": True}, 24),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_hold_for_a_window_as_for_days(application: Application, options: Json, expected: int) -> None:
    application.accept_all(everything())
    application.ingest([event for event in everything() if event["event_time"] == INSTANTS[8]][:1])

    told = application.preview({**TWO_HOURS, **options}).json_body
    replay_id, messages = application.planned(**TWO_HOURS, **options)

    messages += application.ordered.taken()
    assert (told["messages"], len(messages), application.job(replay_id)["sent"]) == (expected,) * 3


@pytest.mark.usefixtures("small_reads")
@pytest.mark.parametrize("effect", [killed_before, killed_after])
@pytest.mark.parametrize("skip", range(3))
def test_a_planner_that_ends_within_a_window_neither_skips_nor_leaves_it(
    application: Application, wire: Wire, effect: Effect, skip: int
) -> None:
    application.accept_all(everything())
    window = {"start_time": f"{DAY_BEFORE}T10:00:00.000000001Z", "end_time": f"{NEXT_DAY}T10:00:00Z"}
    replay_id = application.requested(**BY_TYPE, **window)
    wire.disturb(effect, "SendMessageBatch", skip=skip)

    assert application.plan_through() == 1

    job = application.job(replay_id)
    assert (job["sent"], sorted(set(event_times(application.messages.taken())))) == (
        len(within(window)),
        sorted(set(within(window))),
    )


def test_a_version_computed_from_a_window_says_what_it_leaves_out(application: Application) -> None:
    application.accept_all(everything())

    application.replayed(**TWO_HOURS)

    [version] = application.versions("order-1", DAY)
    assert (version["event_count"], version["complete"]) == (2, False)
    assert version["partial_because"] == [
        "It covers events of source shop/checkout and type order.paid only.",
        f"Its replay leaves out the day's events before {DAY}T10:00:00Z.",
        f"Its replay leaves out the day's events from {DAY}T12:00:00Z on.",
    ]


def test_whole_days_of_a_window_are_complete_and_those_beside_it_stay_out(application: Application) -> None:
    application.accept_all([*everything(), paid(entity_id="order-3", event_time=f"{DAY}T09:59:59.999999999Z")])

    application.replayed(**{**TWO_HOURS, "end_time": f"{NEXT_DAY}T00:00:00Z"}, whole_days=True)

    [version] = application.versions("order-2", DAY)
    assert (version["event_count"], version["complete"]) == (12, True)
    assert application.versions("order-2", NEXT_DAY) == []
    assert application.versions("order-3", DAY) == []  # it has a day, and no event in the window


def test_an_event_that_comes_into_a_window_after_it_was_replayed_is_told(application: Application) -> None:
    application.accept_all(everything())
    application.replayed(**TWO_HOURS)

    application.accept_all([paid(7), paid(8, event_time=f"{DAY}T13:00:00Z")])

    [version] = application.versions("order-1", DAY)
    assert version["arrived_since"] == 2  # whether a replay would take them is another question


def test_the_same_instants_with_another_offset_are_the_same_request(application: Application) -> None:
    moved = {**TWO_HOURS, "start_time": f"{DAY}T12:00:00+02:00", "end_time": f"{DAY}T07:00:00-05:00"}

    first, again, other = (
        application.request_replay(request, **{"idempotency-key": "two-hours"})
        for request in (TWO_HOURS, moved, {**TWO_HOURS, "end_time": f"{DAY}T12:00:00.000000001Z"})
    )

    assert first.json_body["replay_id"] == again.json_body["replay_id"]
    assert other.status_code == 409
    assert application.get("/replay").json_body["items"][0]["request"] == {
        **BY_TYPE,
        "start_time": f"{DAY}T10:00:00.000000000Z",
        "end_time": f"{DAY}T12:00:00.000000000Z",
    }


def test_events_of_several_types_of_an_entity_stay_in_order(application: Application) -> None:
    application.accept_all(everything())
    window = {"start_time": INSTANTS[0], "end_time": INSTANTS[-1]}

    application.requested_and_planned(source=BY_TYPE["source"], **TWO_TYPES, **window, destination="ordered")

    sent = [found.members for found in application.ordered.taken()]
    of_one = [message["event_time"] for message in sent if message["entity_id"] == "order-2"]
    assert of_one == sorted(of_one)
    assert len(of_one) == 2 * (len(INSTANTS) - 1)


def test_a_window_without_events_says_where_to_look(application: Application) -> None:
    application.accept_all(everything())

    told = application.preview({**TWO_HOURS, "start_time": f"{DAY}T10:00:00.000000002Z"}).json_body

    assert told["messages"] == 0
    assert "GET /freshness?source=shop%2Fcheckout&event_type=order.paid" in told["advice"]


def test_a_cancelled_window_is_not_sent_on(application: Application) -> None:
    application.accept_all(everything())
    replay_id = application.requested(**TWO_HOURS)

    application.call("POST", f"/replay/{replay_id}/cancel")
    application.plan()

    assert application.messages.taken() == []
