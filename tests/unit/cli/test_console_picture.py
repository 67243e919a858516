"""What is drawn of events: bins, points, cells, and that it is bounded whatever the number of events."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrace.console.gathering import doubling, milliseconds, wanted
from retrace.console.picture import DAY, HOUR, MINUTE, MOST_BINS, MOST_POINTS, WIDTHS, Frame, Gathered, Mark

T0 = 1_764_288_000_000
"""2025-11-28T00:00:00Z"""


def gathered_items(times: list[int], lag: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "event_time": str(time),
            "ingest_time": str(time + lag),
            "source": "s",
            "event_type": f"t{n % 3}",
            "entity_id": f"e{n % 2}",
            "event_id": f"id{n}",
        }
        for n, time in enumerate(times)
    ]


def gathered(times: list[int], lag: int = 0) -> Gathered:
    found = Gathered()
    found.add(gathered_items(times, lag), int)
    return found


def picture(found: Gathered, frame: Frame, *, by_lag: bool = False) -> dict[str, Any]:
    return found.picture(frame, by_lag=by_lag)


@given(
    start=st.integers(0, 24 * 60).map(lambda minutes: T0 + minutes * MINUTE + 1),
    length=st.integers(1, 72).map(lambda hours: hours * HOUR),
    places=st.lists(st.integers(-300, 1_300), min_size=1, max_size=50),
)
def test_every_event_of_the_window_is_in_one_bin_and_no_other_event_is(
    start: int, length: int, places: list[int]
) -> None:
    """Places are thousandths of the window; some lie before it or behind."""
    times = sorted(start + length * place // 1_000 for place in places)
    frame = Frame(start, start + length, HOUR)
    drawn = picture(gathered(times), frame)
    bins = drawn["bins"]
    expected = Counter((time - bins["first"]) // bins["width"] for time in times if start <= time < start + length)

    assert {place: count for place, count in enumerate(bins["all"]) if count} == expected
    assert drawn["count"] == expected.total()


@given(length=st.integers(1, 10_000 * 366 * DAY), start=st.integers(T0 - DAY, T0 + DAY))
def test_bins_are_few_and_begin_at_times_that_people_say(length: int, start: int) -> None:
    frame = Frame(start, start + length, HOUR)

    assert frame.first <= start
    assert frame.first % frame.width == 0
    assert frame.width in WIDTHS or frame.width % WIDTHS[-1] == 0
    assert frame.bins <= MOST_BINS + 1


def test_a_day_has_bins_of_a_quarter_of_an_hour_and_a_heat_map_bins_of_an_hour() -> None:
    assert Frame(T0, T0 + DAY, HOUR).width == 15 * MINUTE
    assert (Frame(T0, T0 + 14 * DAY, HOUR, HOUR).width, Frame(T0, T0 + 14 * DAY, HOUR, HOUR).bins) == (HOUR, 14 * 24)


def test_late_begins_at_the_threshold() -> None:
    on_time = picture(gathered([T0, T0 + 1], lag=HOUR - 1), Frame(T0, T0 + DAY, HOUR))
    late = picture(gathered([T0, T0 + 1], lag=HOUR), Frame(T0, T0 + DAY, HOUR))

    assert (sum(on_time["bins"]["late"]), sum(late["bins"]["late"])) == (0, 2)


def test_gaps_are_hours_without_events_cut_off_at_the_edges() -> None:
    found = gathered([T0 + 9 * HOUR, T0 + 10 * HOUR - 1, T0 + 12 * HOUR])
    window = Frame(T0 + 8 * HOUR + 1, T0 + 14 * HOUR + 2, HOUR)

    assert picture(found, window)["gaps"] == [
        [T0 + 8 * HOUR + 1, T0 + 9 * HOUR],
        [T0 + 10 * HOUR, T0 + 12 * HOUR],
        [T0 + 13 * HOUR, T0 + 14 * HOUR + 2],
    ]
    assert found.picture(window, by_lag=False, known_to=0)["gaps"] == []


def test_hours_that_are_not_over_are_no_gap() -> None:
    found = gathered([T0 + HOUR, T0 + 2 * HOUR])
    read_at = T0 + 5 * HOUR + 40 * MINUTE
    drawn = found.picture(Frame(T0, T0 + DAY, HOUR), by_lag=False, known_to=read_at)

    assert drawn["gaps"] == [[T0, T0 + HOUR], [T0 + 3 * HOUR, T0 + 5 * HOUR]]


def test_gaps_of_long_windows_are_of_days() -> None:
    assert picture(gathered([T0 + 20 * DAY]), Frame(T0, T0 + 30 * DAY, HOUR))["gaps"] == [
        [T0, T0 + 20 * DAY],
        [T0 + 21 * DAY, T0 + 30 * DAY],
    ]


def test_a_window_without_events_is_one_gap() -> None:
    assert picture(gathered([]), Frame(T0, T0 + DAY, HOUR))["gaps"] == [[T0, T0 + DAY]]


def test_marks_are_counted_and_drawn_on_their_events() -> None:
    found = gathered([T0, T0 + HOUR])
    found.mark("id0", Mark.DUPLICATE)
    found.mark("id0", Mark.CONFLICT)
    found.mark("id1", Mark.DUPLICATE)
    drawn = picture(found, Frame(T0, T0 + DAY, HOUR))

    assert (sum(drawn["bins"]["duplicate"]), sum(drawn["bins"]["conflict"])) == (2, 1)
    assert [(point[4], point[2]) for point in drawn["points"]] == [("id0", 3), ("id1", 1)]


@pytest.mark.parametrize("by_lag", [False, True])
def test_fifty_thousand_events_are_a_bounded_picture(*, by_lag: bool) -> None:
    many = gathered([T0 + n for n in range(0, 50_000 * 1_500, 1_500)], lag=20)
    drawn = picture(many, Frame(T0, T0 + DAY, HOUR), by_lag=by_lag)

    assert drawn["count"] == 50_000
    assert "points" not in drawn
    assert sum(cell[2] for cell in drawn["cells"]["at"]) == 50_000
    assert len(drawn["cells"]["at"]) <= 240 * 60
    assert len(json.dumps(drawn)) < 150_000


def test_up_to_a_bound_each_event_is_a_point() -> None:
    most = gathered(list(range(T0, T0 + MOST_POINTS)))
    more = gathered(list(range(T0, T0 + MOST_POINTS + 1)))
    frame = Frame(T0, T0 + DAY, HOUR)

    assert len(picture(most, frame)["points"]) == MOST_POINTS
    assert "points" not in picture(more, frame)


def test_drawing_again_costs_twice_the_last_time_in_all() -> None:
    assert [page for page, is_time in doubling(range(1, 51)) if is_time] == [1, 2, 4, 8, 16, 32]


def test_the_middle_and_the_latest_are_told() -> None:
    found = Gathered()
    for lag in (*range(100, 200), *range(100)):  # in no order
        found.add(gathered_items([T0 + lag], lag), int)

    assert picture(found, Frame(T0, T0 + DAY, HOUR))["lag"] == {"p50": 99, "p95": 189, "p99": 197, "max": 199}
    assert picture(found, Frame(T0 + HOUR, T0 + DAY, HOUR))["lag"] is None


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("1970-01-01T00:00:00.000000000Z", 0),
        ("1969-12-31T23:59:59.999000000Z", -1),
        ("2025-11-28T00:00:00.001999999Z", T0 + 1),
        ("0001-01-01T00:00:00.000000000Z", -62_135_596_800_000),
    ],
)
def test_a_time_is_cut_to_milliseconds(instant: str, expected: int) -> None:
    assert milliseconds(instant) == expected


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "start_time"),
        ({"start_time": "2025-11-28T00:00:00Z", "end_time": "yesterday"}, "end_time"),
        ({"start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-28T00:00:00Z"}, "start_time"),
        ({"start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-29T00:00:00Z", "bin_ms": "-1"}, "bin_ms"),
    ],
)
def test_a_window_that_is_none_is_told(query: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        wanted(query)


def test_a_window_of_days_is_counted_by_hours_too_and_one_of_months_is_not() -> None:
    gathered = Gathered()
    gathered.times.extend([T0 + HOUR // 2, T0 + 2 * HOUR])
    gathered.arrivals.extend(gathered.times)
    gathered.kinds.extend([0, 0])
    gathered.entities.extend([0, 0])
    gathered.ids.extend(["a", "b"])
    gathered.names.append(("s", "t"))
    gathered.entity_names.append("e")
    day = gathered.picture(Frame(T0, T0 + DAY, HOUR), by_lag=False)["hours"]
    months = gathered.picture(Frame(T0, T0 + 90 * DAY, HOUR), by_lag=False)["hours"]

    assert (day["width"], day["all"][:3]) == (HOUR, [1, 0, 1])
    assert months is None
