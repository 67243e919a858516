"""Replay requests: one selection each, bounded windows, and partitions that cover them once."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from itertools import count, takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.timestamps import Day, Instant, Window, window_of
from chalicelib.events.index_pages import EntityPartition, TypeDayPartition
from chalicelib.replays.request import MAX_DAYS, ReplayRequest
from chalicelib.replays.request_body import parse_replay_request
from tests.unit.examples import an_event, stored

BY_ENTITY = {
    "entity_id": "order-1007",
    "start_time": "2026-11-21T01:00:00+01:00",
    "end_time": "2026-11-22T00:00:00Z",
}
BY_DAY = {"source": "shop/checkout", "event_type": "order.paid", "day": "2026-11-21"}
BY_DAYS = {
    "source": "shop/checkout",
    "event_type": "order.paid",
    "start_day": "2026-11-21",
    "end_day": "2026-11-23",
}
BY_WINDOW = {
    "source": "shop/checkout",
    "event_type": "order.paid",
    "start_time": "2026-11-21T10:00:00.000000001Z",
    "end_time": "2026-11-23T13:00:00+01:00",
}
THE_DAY = Window(Instant("2026-11-21T00:00:00.000000000Z"), Instant("2026-11-22T00:00:00.000000000Z"))


def request(*parts: dict[str, Any], **members: Any) -> ReplayRequest:
    given = {name: value for part in parts for name, value in part.items()} | members
    return parse_replay_request(json.dumps(given).encode())


def faults_of(*parts: dict[str, Any], **members: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        request(*parts, **members)
    return {fault.field: fault.message for fault in caught.value.faults}


def partitions_of(asked: ReplayRequest, shards: int) -> list[Any]:
    groups = takewhile(lambda group: group is not None, (asked.group(n, shards) for n in count()))
    return [partition for group in groups for partition in group or ()]


class TestByEntity:
    def test_covers_its_window_in_one_partition(self) -> None:
        asked = request(BY_ENTITY)

        assert asked.window == THE_DAY
        assert partitions_of(asked, shards=4) == [EntityPartition("order-1007", THE_DAY)]

    @pytest.mark.parametrize("end_time", ["2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z"])
    def test_needs_a_window_that_holds_something(self, end_time: str) -> None:
        assert faults_of(BY_ENTITY, end_time=end_time) == {"start_time": "must lie before end_time, which is excluded"}

    def test_may_cover_a_single_nanosecond(self) -> None:
        asked = request(BY_ENTITY, start_time="2026-11-21T23:59:59.999999999Z")

        assert asked.window.start < asked.window.end


class TestByType:
    def test_covers_a_day_shard_by_shard(self) -> None:
        asked = request(BY_DAY)

        assert asked.window == THE_DAY
        assert [(partition.day, partition.shard, partition.window) for partition in partitions_of(asked, shards=3)] == [
            ("2026-11-21", shard, THE_DAY) for shard in range(3)
        ]

    def test_covers_all_its_types_day_by_day_and_each_once(self) -> None:
        several = {"event_type": None, "event_types": ["order.paid", "order.sent", "order.paid"]}
        asked = request({name: value for name, value in (BY_DAYS | several).items() if value is not None})

        assert [(partition.day, partition.event_type) for partition in partitions_of(asked, shards=1)] == [
            (f"2026-11-{day}", event_type) for day in (21, 22, 23) for event_type in ("order.paid", "order.sent")
        ]

    def test_names_at_most_20_types(self) -> None:
        of_types = {"source": "shop/checkout", "day": "2026-11-21"}

        assert list(faults_of(of_types, event_types=["a"] * 21)) == ["event_types"]
        assert faults_of(of_types, event_types=[]) == {"event_types": "must not be empty"}
        assert request(of_types, event_types=["a"] * 20).types == ["a"]

    def test_covers_days_with_both_ends(self) -> None:
        asked = request(BY_DAYS)

        assert asked.window == Window(THE_DAY.start, Instant("2026-11-24T00:00:00.000000000Z"))
        assert [partition.day for partition in partitions_of(asked, shards=1)] == [
            "2026-11-21",
            "2026-11-22",
            "2026-11-23",
        ]

    @given(st.dates(max_value=date(9999, 12, 1)), st.integers(1, 12), st.integers(1, 5))
    def test_covers_each_day_and_shard_once_and_its_window_without_gaps(
        self, first: date, days: int, shards: int
    ) -> None:
        last = first + timedelta(days=days - 1)
        asked = request(BY_DAYS, start_day=first.isoformat(), end_day=last.isoformat())

        partitions: list[TypeDayPartition] = partitions_of(asked, shards)

        expected = [
            ((first + timedelta(days=day)).isoformat(), shard) for day in range(days) for shard in range(shards)
        ]
        assert [(partition.day, partition.shard) for partition in partitions] == expected
        windows = [partition.window for partition in partitions[::shards]]
        assert (windows[0].start, windows[-1].end) == (asked.window.start, asked.window.end)
        assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]

    def test_reads_of_the_first_and_the_last_day_only_what_lies_in_its_window(self) -> None:
        partitions = partitions_of(request(BY_WINDOW), shards=1)

        assert [(partition.day, partition.window.start, partition.window.end) for partition in partitions] == [
            ("2026-11-21", "2026-11-21T10:00:00.000000001Z", "2026-11-22T00:00:00.000000000Z"),
            ("2026-11-22", "2026-11-22T00:00:00.000000000Z", "2026-11-23T00:00:00.000000000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000000000Z", "2026-11-23T12:00:00.000000000Z"),
        ]

    @pytest.mark.parametrize(
        ("start_time", "end_time", "days"),
        [
            ("2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z", ["2026-11-21"]),
            ("2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z", ["2026-11-21"]),
            ("2026-11-21T23:00:00Z", "2026-11-22T00:00:00.000000001Z", ["2026-11-21", "2026-11-22"]),
            ("9999-12-31T23:00:00Z", "9999-12-31T24:00:00Z", ["9999-12-31"]),
        ],
    )
    def test_reads_no_day_that_its_window_does_not_touch(self, start_time: str, end_time: str, days: list[str]) -> None:
        asked = request(BY_WINDOW, start_time=start_time, end_time=end_time)

        assert [partition.day for partition in partitions_of(asked, shards=1)] == days

    @given(st.lists(st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 9)), min_size=2, max_size=2, unique=True))  # noqa: DTZ001  # UTC
    def test_covers_any_window_without_gaps_and_nothing_beside_it(self, bounds: list[datetime]) -> None:
        start, end = (f"{bound.isoformat()}Z" for bound in sorted(bounds))
        asked = request(BY_WINDOW, start_time=start, end_time=end)

        windows = [partition.window for partition in partitions_of(asked, shards=1)]

        assert (windows[0].start, windows[-1].end) == (asked.window.start, asked.window.end)
        assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]
        assert all(window.start < window.end for window in windows)

    @pytest.mark.parametrize("end_time", ["2026-11-21T10:00:00.000000001Z", "2026-11-21T10:00:00Z"])
    def test_needs_a_window_that_holds_something(self, end_time: str) -> None:
        assert faults_of(BY_WINDOW, end_time=end_time) == {"start_time": "must lie before end_time, which is excluded"}

    def test_covers_a_window_that_touches_as_many_days_and_no_more(self) -> None:
        longest = {"start_time": "2026-01-01T12:00:00Z", "end_time": "2036-01-09T00:00:00Z"}

        assert len(partitions_of(request(BY_WINDOW, longest), shards=1)) == MAX_DAYS
        assert faults_of(BY_WINDOW, longest, end_time="2036-01-09T00:00:00.000000001Z") == {
            "end_time": f"is {MAX_DAYS + 1} days on: at most {MAX_DAYS} can be replayed at once"
        }

    def test_may_cover_the_last_day_of_the_calendar(self) -> None:
        asked = request(BY_DAY, day="9999-12-31")

        assert len(partitions_of(asked, shards=2)) == 2
        assert asked.window.end > "9999-12-31T23:59:59.999999999Z"

    def test_covers_ten_years_and_no_more(self) -> None:
        first = date(2026, 1, 1)
        longest, longer = (
            {"start_day": first.isoformat(), "end_day": (first + timedelta(days=days - 1)).isoformat()}
            for days in (MAX_DAYS, MAX_DAYS + 1)
        )

        assert len(partitions_of(request(BY_DAYS, longest), shards=1)) == MAX_DAYS
        assert f"is {MAX_DAYS + 1} days" in "".join(faults_of(BY_DAYS, longer).values())

    def test_needs_days_in_order(self) -> None:
        assert "must not lie after end_day" in "".join(faults_of(BY_DAYS, end_day="2026-11-20").values())


class TestRefusal:
    @pytest.mark.parametrize(
        "members",
        [
            {},
            {"entity_id": "order-1007"},
            {name: BY_ENTITY[name] for name in ("entity_id", "start_time")},
            {name: BY_ENTITY[name] for name in ("start_time", "end_time")},
            {name: BY_DAY[name] for name in ("source", "day")},
            {name: BY_DAYS[name] for name in ("source", "event_type", "start_day")},
            BY_DAY | BY_DAYS,
            BY_DAY | BY_ENTITY,
            BY_ENTITY | {"source": "shop/checkout"},
            BY_WINDOW | {"entity_id": "order-1007"},
            BY_WINDOW | {"event_types": ["order.paid"]},
            BY_ENTITY | {"event_types": ["order.paid"]},
            BY_WINDOW | {"day": "2026-11-21"},
            {name: BY_WINDOW[name] for name in ("source", "start_time", "end_time")},
            {name: BY_WINDOW[name] for name in ("source", "event_type", "start_time")},
            BY_DAY | {"day": None},
        ],
    )
    def test_of_what_names_no_selection_or_more_than_one(self, members: dict[str, Any]) -> None:
        assert "name what to replay" in "".join(faults_of(members).values())

    def test_lists_every_fault_at_once(self) -> None:
        assert faults_of(entity_id="", start_time="noon", end_time="2026-11-21T10:00:00", day="2026-02-30", what=1) == {
            "entity_id": "must not be empty",
            "start_time": "is not an RFC 3339 timestamp such as 2026-11-21T23:59:59.123Z",
            "end_time": "has no offset: end it with Z or an offset such as +01:00",
            "day": "is not a real day",
            "what": "is not a known field",
        }

    @pytest.mark.parametrize("field", [*BY_ENTITY, *BY_DAYS, "day"])
    @pytest.mark.parametrize("value", [1, True, [], {}])
    def test_of_values_of_another_type(self, field: str, value: Any) -> None:
        assert faults_of({field: value})[field] == "must be a string"

    @pytest.mark.parametrize(
        ("selection", "field"),
        [(BY_ENTITY, "entity_id"), (BY_DAY, "source"), (BY_DAY, "event_type")],
    )
    def test_of_names_that_no_event_can_have(self, selection: dict[str, Any], field: str) -> None:
        """Longer than DynamoDB's keys: nothing can be found under them, and the query would fail, not be empty."""
        assert list(faults_of(selection, {field: "x" * 3_000})) == [field]


class TestHow:
    @pytest.mark.parametrize(
        ("members", "field", "message"),
        [
            ({"max_messages": 0}, "max_messages", "input should be greater than or equal to 1"),
            ({"max_messages": 1.5}, "max_messages", "input should be a valid integer"),
            ({"max_messages": "10"}, "max_messages", "input should be a valid integer"),
            ({"max_messages": True}, "max_messages", "input should be a valid integer"),
            ({"rate": 0}, "rate", "input should be greater than or equal to 0.1"),
            ({"rate": 10_001}, "rate", "input should be less than or equal to 10000"),
            ({"rate": "fast"}, "rate", "input should be a valid number"),
            ({"whole_days": "yes"}, "whole_days", "input should be a valid boolean"),
            ({"include_duplicates": None}, "include_duplicates", "input should be a valid boolean"),
            ({"destination": "Billing"}, "destination", "string should match pattern"),
            ({"confirm": -1}, "confirm", "input should be greater than or equal to 0"),
            ({"reason": ""}, "reason", "must not be empty"),
            ({"reason": "x" * 1_025}, "reason", "is 1025 bytes: at most 1024 are allowed"),
            ({"include": {}}, "include", "needs sources, event_types, event_ids or min_lag_ms"),
            ({"include": {"sources": []}}, "include.sources", "must not be empty"),
            ({"include": {"sources": "shop"}}, "include.sources", "input should be a valid tuple"),
            ({"exclude": {"event_ids": ["abc"]}}, "exclude.event_ids.0", "string should match pattern"),
            ({"exclude": {"event_types": [1]}}, "exclude.event_types.0", "must be a string"),
            ({"exclude": {"event_type": "a"}}, "exclude.event_type", "is not a known field"),
            ({"include": {"min_lag_ms": -1}}, "include.min_lag_ms", "greater than or equal to 0"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, members: dict[str, Any], field: str, message: str) -> None:
        found = faults_of(BY_ENTITY, members)

        assert list(found) == [field]
        assert message in found[field]

    def test_refuses_counts_too_long_to_be_read(self) -> None:
        body = json.dumps(BY_ENTITY).encode()[:-1] + b',"max_messages":' + b"9" * 5_000 + b"}"

        with pytest.raises(InvalidRequest) as caught:
            parse_replay_request(body)

        assert [fault.field for fault in caught.value.faults] == ["max_messages"]

    def test_names_at_most_500_events_20_types_and_20_sources(self) -> None:
        assert list(faults_of(BY_ENTITY, include={"event_ids": ["0" * 64] * 501})) == ["include.event_ids"]
        assert request(BY_ENTITY, include={"event_ids": ["0" * 64] * 500}).include is not None
        for names in ("event_types", "sources"):
            assert list(faults_of(BY_ENTITY, include={names: ["a"] * 21})) == [f"include.{names}"]
            assert request(BY_ENTITY, include={names: ["a"] * 20}).include is not None

    def test_takes_a_whole_number_and_a_fraction_for_a_rate(self) -> None:
        assert request(BY_ENTITY, rate=5).rate == 5
        assert request(BY_ENTITY, rate=0.5).rate == 0.5


class TestFilters:
    PAID = stored(an_event(), ingest_time=Instant("2026-11-22T00:00:00.000000000Z"))  # half a second late

    @pytest.mark.parametrize(
        ("criteria", "met"),
        [
            ({"sources": ["a", "shop/checkout"]}, True),
            ({"sources": ["shop"]}, False),
            ({"event_types": ["order.paid"]}, True),
            ({"event_types": ["order"]}, False),
            ({"event_ids": [PAID.event_id]}, True),
            ({"event_ids": ["0" * 64]}, False),
            ({"min_lag_ms": 500}, True),
            ({"min_lag_ms": 501}, False),
        ],
    )
    def test_include_and_exclude_are_opposites_for_one_criterion(self, criteria: dict[str, Any], *, met: bool) -> None:
        assert request(BY_ENTITY, include=criteria).takes(self.PAID) is met
        assert request(BY_ENTITY, exclude=criteria).takes(self.PAID) is not met

    def test_include_wants_all_criteria_and_exclude_any(self) -> None:
        one_of_two = {"sources": ["shop/checkout"], "event_types": ["order.refunded"]}

        assert not request(BY_ENTITY, include=one_of_two).takes(self.PAID)
        assert not request(BY_ENTITY, exclude=one_of_two).takes(self.PAID)

    def test_exclude_wins(self) -> None:
        criteria = {"event_types": ["order.paid"]}

        assert not request(BY_ENTITY, include=criteria, exclude=criteria).takes(self.PAID)

    def test_without_filters_everything_is_taken(self) -> None:
        assert request(BY_ENTITY).takes(self.PAID)
        assert not request(BY_ENTITY).filtered


class TestWholeDays:
    def test_of_an_entity_widen_its_window(self) -> None:
        asked = request(BY_ENTITY, start_time="2026-11-20T13:00:00Z", end_time="2026-11-21T00:00:00.000000001Z")

        assert replaced(asked, whole_days=True).window == Window(
            Instant("2026-11-20T00:00:00.000000000Z"), Instant("2026-11-22T00:00:00.000000000Z")
        )
        assert not replaced(asked, whole_days=True).selects_whole_days

    def test_by_type_are_found_in_the_window_alone(self) -> None:
        assert request(BY_WINDOW, whole_days=True).window == request(BY_WINDOW).window

    def test_leave_a_window_of_whole_days_as_it_is(self) -> None:
        assert request(BY_ENTITY, whole_days=True).window == THE_DAY

    def test_with_filters_or_by_type_must_first_be_found(self) -> None:
        assert request(BY_DAY, whole_days=True).selects_whole_days
        assert request(BY_WINDOW, whole_days=True).selects_whole_days
        assert request(BY_ENTITY, whole_days=True, include={"min_lag_ms": 1}).selects_whole_days
        assert not request(BY_DAY).selects_whole_days


def replaced(asked: ReplayRequest, **members: Any) -> ReplayRequest:
    return ReplayRequest.model_validate_json(json.dumps(asked.as_asked() | members))


EVERYTHING = {
    "include": {"sources": ["a", "b"], "min_lag_ms": 5},
    "exclude": {"event_ids": ["0" * 64]},
    "max_messages": 5,
    "include_duplicates": True,
    "whole_days": True,
    "rate": 0.5,
    "destination": "ordered",
    "reason": "an incident",
    "confirm": 17,
}


@pytest.mark.parametrize("members", [BY_ENTITY, BY_DAY, BY_DAYS, BY_WINDOW, BY_DAY | EVERYTHING])
def test_a_request_that_was_kept_as_json_is_read_as_the_same(members: dict[str, Any]) -> None:
    asked = request(members)

    assert ReplayRequest.model_validate_json(asked.model_dump_json(exclude_defaults=True)) == asked
    assert request(asked.as_asked()) == asked


def test_a_request_is_shown_as_it_was_asked_with_its_times_in_utc() -> None:
    assert request(BY_DAY, EVERYTHING).as_asked() == BY_DAY | EVERYTHING
    assert request(BY_ENTITY).as_asked() == BY_ENTITY | {
        "start_time": "2026-11-21T00:00:00.000000000Z",
        "end_time": "2026-11-22T00:00:00.000000000Z",
    }


def test_an_entity_is_replayed_up_to_the_end_of_the_calendar() -> None:
    last_day = window_of(Day("9999-12-31"))
    asked = {"entity_id": "e", "start_time": last_day.start, "end_time": last_day.end}
    request = ReplayRequest.model_validate(asked)

    assert request.window == last_day
    assert ReplayRequest.model_validate(request.as_asked()) == request
    assert ReplayRequest.model_validate(asked | {"whole_days": True}).window == last_day
