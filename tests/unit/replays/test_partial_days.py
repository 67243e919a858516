"""Days of other calendars that a replay covers only in part, and the windows that cover them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.replays.partial_days import partial_days
from chalicelib.replays.request import ReplayRequest
from tests.unit.definitions_in_memory import defined

ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata")


def a_metric(time_zone: str) -> Any:
    return defined(name="count", aggregate="count", time_zone=time_zone)


def request(start: str, end: str, **members: Any) -> ReplayRequest:
    window = {"start_time": start, "end_time": end}
    return ReplayRequest.model_validate({"entity_id": "order-1", **window, **members})


def told(asked: ReplayRequest, *zones: str) -> dict[str, list[tuple[str, str, str]] | None]:
    return {
        each.calendar: None
        if each.days is None
        else [(str(day), window.start[:16], window.end[:16]) for day, window in each.days]
        for each in partial_days(asked, map(a_metric, zones))
    }


def test_a_utc_day_covers_two_days_of_another_calendar_in_part_and_says_which_windows_are_whole() -> None:
    day = request("2025-11-28T00:00:00Z", "2025-11-29T00:00:00Z")

    assert told(day, "Europe/Paris", "UTC", "Europe/Paris") == {
        "Europe/Paris": [
            ("2025-11-28", "2025-11-27T23:00", "2025-11-28T23:00"),
            ("2025-11-29", "2025-11-28T23:00", "2025-11-29T23:00"),
        ]
    }


@pytest.mark.parametrize(
    ("start", "end"), [("2025-10-25T22:00", "2025-10-26T23:00"), ("2025-03-29T23:00", "2025-03-30T22:00")]
)
def test_the_window_of_a_day_of_25_or_23_hours_covers_it(start: str, end: str) -> None:
    assert told(request(f"{start}:00Z", f"{end}:00Z"), "Europe/Paris") == {}
    assert len(told(request(f"{start}:00Z", f"{end}:00Z"), "Asia/Kolkata")["Asia/Kolkata"] or ()) == 2


@pytest.mark.parametrize(
    ("members", "every_day"),
    [
        ({"whole_days": True, "include": {"event_types": ["t"]}}, True),
        ({"include": {"event_types": ["t"]}}, False),
        ({"destination": "elsewhere"}, False),
    ],
)
def test_filters_and_orders_say_so_otherwise_and_whole_utc_days_leave_out_a_part_of_each(
    members: dict[str, Any],
    every_day: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    asked = request("2025-11-28T00:00:00Z", "2025-11-29T00:00:00Z", **members)

    assert told(asked, "Europe/Paris") == ({"Europe/Paris": None} if every_day else {})


def test_a_replay_to_the_end_of_time_covers_the_last_day() -> None:
    for calendar in ("Asia/Kolkata", "America/New_York"):
        assert told(request("0001-01-01T00:00:00Z", "9999-12-31T24:00:00Z"), calendar) == {}


def test_a_replay_of_a_source_covers_no_day_of_an_entity_wholly() -> None:
    by_type = {"source": "shop", "event_type": "order.paid", "day": "2025-11-28"}

    assert told(ReplayRequest.model_validate(by_type), "Asia/Kolkata") == {"Asia/Kolkata": None}


minutes = st.integers(0, 60 * 24 * 400).map(lambda minute: datetime.fromtimestamp(1_735_689_600 + 60 * minute, UTC))


@given(minutes, minutes, st.sampled_from(ZONES))
def test_days_are_partial_exactly_if_the_window_has_some_of_them_and_not_all(
    one: datetime, other: datetime, zone: str
) -> None:
    assume(one != other)
    start, end = sorted((one, other))
    asked = request(start.isoformat(), end.isoformat())
    local = ZoneInfo(zone)

    partial = {day for day, _, _ in told(asked, zone).get(zone) or ()}

    for edge in (start, end):
        day = edge.astimezone(local).date()
        begins = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        ends = datetime.fromordinal(day.toordinal() + 1).replace(tzinfo=local).astimezone(UTC)
        has_some, has_all = start < ends and begins < end, start <= begins and ends <= end
        assert (day.isoformat() in partial) == (has_some and not has_all)
