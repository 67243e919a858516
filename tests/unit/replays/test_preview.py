"""Previews: they count what the planner would send, and stop at a bound."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import replay_keys
from chalicelib.core.pagination import every_page
from chalicelib.core.read_budget import ROUND_US
from chalicelib.core.timestamps import Day
from chalicelib.replays import preview
from chalicelib.replays.destinations import TO_AGGREGATES, DeclaredDestination, Destinations
from chalicelib.replays.estimate import AGGREGATED, REPORTED, SENT, Reads, cost_usd, estimate
from chalicelib.replays.messages import MAX_MESSAGE_BYTES
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.preview_report import Preview
from chalicelib.replays.request import ReplayRequest
from tests.unit.in_memory import Rows, at, one_by_one
from tests.unit.json_trees import randoms
from tests.unit.replays.test_planner import BY_ENTITY, BY_TYPE, IN_WINDOW, World, minutes

AGGREGATES = DeclaredDestination(TO_AGGREGATES, "")
STAGE = Destinations({"billing": DeclaredDestination("billing", "arn:aws:sqs:r:1:billing")}, {"billing": 2.0})
PAID = {"event_types": ["order.paid"]}


def counted(world: World, *parts: dict[str, Any], **members: Any) -> Preview:
    asked = {name: value for part in parts for name, value in part.items()} | members
    request = ReplayRequest.model_validate(asked)
    return PreviewReplay(world.origins, 2, 10, 5, at(), one_by_one, Destinations({})).count_messages(request)


def brief(world: World, *parts: dict[str, Any]) -> tuple[int, bool]:
    """What is counted where details are wanted of large replays only."""
    request = ReplayRequest.model_validate({name: value for part in parts for name, value in part.items()})
    told = PreviewReplay(world.origins, 2, 10, 5, at(), one_by_one, Destinations({})).count_messages(
        request, detailed_above=1_000
    )
    return told.messages, told.exact


@given(
    st.sampled_from([BY_ENTITY, BY_TYPE, IN_WINDOW | {"start_time": "2026-11-21T10:30:00.000000001Z"}]),
    st.fixed_dictionaries(
        {},
        optional={
            "max_messages": st.integers(1, 10),
            "whole_days": st.booleans(),
            "include_duplicates": st.booleans(),
            "include": st.just({"event_types": ["order.paid"]}),
            "exclude": st.just({"sources": ["shop/returns"]}),
        },
    ),
    st.integers(0, 20),
    randoms,
)
def test_what_is_counted_is_what_is_sent(
    selection: dict[str, str], how: dict[str, Any], count: int, rng: Random
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 5)))
    for _ in range(count):
        [event] = world.index_events(
            f"2026-11-2{rng.randint(1, 3)}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00Z",
            entity_id=rng.choice(["order-1007", "order-2"]),
            event_type=rng.choice(["order.paid", "order.refunded", "order.sent"]),
            source=rng.choice(["shop/checkout", "shop/returns"]),
        )
        world.arrive_again(event, rng.randint(0, 2))

    told = counted(world, selection, how)
    job = world.request(selection, how)
    world.work_off()

    sent = world.queues.sent
    assert told.exact
    assert told.messages == len(sent) == world.job(job).sent
    assert brief(world, selection, how) == (told.messages, told.exact)
    assert sum(told.by_day.values()) == sum(told.by_type.values()) == sum(told.by_source.values()) == len(sent)
    assert set(told.by_day) == {message.event_time[:10] for message in sent}
    assert told.by_type == {
        event_type: sum(message.event_type == event_type for message in sent)
        for event_type in {message.event_type for message in sent}
    }


def test_nothing_is_sent_or_kept() -> None:
    world = World()
    world.index_events(*minutes(3))

    counted(world, BY_TYPE, whole_days=True)

    assert (world.queues.sent, world.jobs.by_id, dict(world.jobs.days)) == ([], {}, {})


def test_counting_stops_once_the_budget_is_spent_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "REQUEST_US", 2 * ROUND_US)
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(5))

    told = counted(world, BY_ENTITY, include=PAID)
    at_the_end = counted(world, BY_ENTITY | {"end_time": "2026-11-21T00:04:00Z"}, include=PAID)

    assert (told.messages, told.exact, told.scanned) == (4, False, 4)
    assert (at_the_end.messages, at_the_end.exact, at_the_end.scanned) == (4, True, 4)


def test_where_every_row_is_a_message_they_are_counted_beyond_the_rows_that_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview, "COUNTING_US", 4 * ROUND_US)
    monkeypatch.setattr(preview, "REQUEST_US", 5 * ROUND_US)
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(7))

    told = counted(world, BY_ENTITY)

    assert (told.messages, told.exact, told.scanned) == (7, True, 2)
    assert sum(told.by_type.values()) == 2


def test_no_selection_is_read_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "REQUEST_US", 2 * ROUND_US)
    monkeypatch.setattr(preview, "COUNTING_US", 1 * ROUND_US)
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(9))

    for selection in (BY_ENTITY, BY_ENTITY | {"include": PAID}, BY_TYPE):
        told = counted(world, selection)

        assert 0 < told.messages < 9
        assert not told.exact


def test_a_limit_that_is_reached_makes_the_count_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "REQUEST_US", 1)
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(5))

    assert counted(world, BY_ENTITY, max_messages=2).exact
    assert not counted(world, BY_ENTITY, max_messages=3).exact


found = st.lists(st.tuples(st.sampled_from("abc"), st.dates().map(lambda day: Day(day.isoformat()))), max_size=12)


@given(st.lists(found, max_size=3), st.integers(1, 4))
def test_found_days_are_kept_once_and_read_day_by_day(added: list[list[tuple[str, Day]]], limit: int) -> None:
    days = preview.DaysInMemory()
    for some in added:
        days.add(some)

    read = [(each.day, each.entity_id) for page in every_page(lambda at: days.page(at, limit)) for each in page.items]

    assert sorted(read) == sorted({(day, entity_id) for some in added for entity_id, day in some})
    assert read == sorted(read, key=lambda found: replay_keys.touched_day(found[1], found[0])), (
        "as the planner has them"
    )


def to(arn: str, *, reports: bool = False) -> DeclaredDestination:
    return DeclaredDestination("theirs", f"arn:aws:{arn}", reports)


QUEUE, FIFO, BUS = to("sqs:r:1:theirs"), to("sqs:r:1:theirs.fifo"), to("events:r:1:event-bus/theirs")
EVERYWHERE = (AGGREGATES, QUEUE, FIFO, BUS)


class TestEstimates:
    def test_go_by_the_rate_or_by_what_is_slowest(self) -> None:
        assert estimate(1_000, AGGREGATES, 10, 10).seconds == 100
        assert estimate(1_000, AGGREGATES, None, 2).seconds == 7
        assert estimate(4_000, AGGREGATES, None, 1_000).seconds == 4
        assert estimate(1, AGGREGATES, 10_000, 10).seconds == 1
        assert estimate(0, AGGREGATES, None, 10).seconds == 0

    def test_go_to_a_consumer_by_the_planner_alone_in_order_slower_and_slower_still_for_one_entity(self) -> None:
        assert [estimate(8_000, each, None, 1).seconds for each in (QUEUE, FIFO, BUS)] == [13, 17, 13]
        assert [estimate(400, each, None, 1, of_one_entity=True).seconds for each in (QUEUE, FIFO)] == [1, 11]
        assert estimate(8_000, to("sqs:r:1:theirs", reports=True), None, 1).seconds == 18

    @pytest.mark.parametrize("destination", EVERYWHERE, ids=lambda each: each.arn)
    def test_cost_is_that_of_the_messages_rounded_up_to_a_hundredth_of_a_cent(
        self, destination: DeclaredDestination
    ) -> None:
        for messages in (0, 1, 2_000, 1_000_000):
            cost = messages * (AGGREGATED if destination.is_aggregates else SENT[destination.kind]).usd
            assert cost <= estimate(messages, destination, None, 10).cost_usd <= cost + 0.000_1

    @pytest.mark.parametrize("destination", EVERYWHERE, ids=lambda each: each.arn)
    def test_what_is_looked_up_and_read_past_costs_more_at_each_destination(
        self, destination: DeclaredDestination
    ) -> None:
        plain = cost_usd(1_000, destination)
        looked_up = cost_usd(1_000, destination, Reads(looked_up=1_000_000))
        read_past = cost_usd(1_000, destination, Reads(read_past=1_000_000))

        assert 0.125 <= looked_up - plain <= 0.125 * 1.3
        assert 0.0125 <= read_past - plain <= 0.0125 * 1.1

    def test_reports_cost_the_same_more_to_each_kind_and_are_told_apart(self) -> None:
        for each in (QUEUE, FIFO, BUS):
            plain = estimate(1_000_000, each, None, 10)
            reporting = estimate(1_000_000, replace(each, takes_reports=True), None, 10)
            assert plain.reports_usd == 0
            assert reporting.reports_usd == pytest.approx(1_000_000 * REPORTED.usd, abs=0.000_1)
            assert reporting.cost_usd == pytest.approx(plain.cost_usd + reporting.reports_usd, abs=0.000_2)

    def test_no_message_is_larger_than_what_a_bus_charges_for_as_one(self) -> None:
        assert MAX_MESSAGE_BYTES <= 64 * 1024


def test_the_lower_of_a_requests_rate_and_its_share_of_the_destinations_says_how_long_it_takes() -> None:
    world = World()
    world.index_events(*(f"2026-11-21T10:{minute:02}:00Z" for minute in range(20)))
    counting = PreviewReplay(world.origins, 2, 10, 5, at(), one_by_one, STAGE, sending_to=lambda _: 1)
    alone = replace(counting, sending_to=lambda _: 0)
    rates: list[dict[str, Any]] = [
        {"rate": 4.0},
        {"rate": 4.0, "destination": "billing"},
        {"rate": 1.0, "destination": "billing"},
    ]

    told = [
        [each.count_messages(ReplayRequest.model_validate({**BY_TYPE, **asked})).estimate.seconds for asked in rates]
        for each in (alone, counting)
    ]

    assert told == [[5, 10, 20], [5, 20, 20]]
