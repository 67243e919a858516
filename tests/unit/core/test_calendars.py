"""Days of calendars: each instant is in one of them, and they are as long as clocks make them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.calendars import day_in, time_zones, utc_days_of, window_in
from chalicelib.core.timestamps import END_OF_TIME, Day, Instant, day_after, instant_of, nanoseconds, window_of

PARIS, NEW_YORK, KOLKATA = "Europe/Paris", "America/New_York", "Asia/Kolkata"
_HOUR = 3_600 * 1_000_000_000

instants = st.datetimes().map(lambda moment: Instant(f"{moment.replace(microsecond=0).isoformat()}.000000000Z"))


def hours(calendar: str, day: str) -> float:
    window = window_in(calendar, Day(day))
    return (nanoseconds(window.end) - nanoseconds(window.start)) / _HOUR


@pytest.mark.parametrize(
    ("calendar", "day", "start", "length"),
    [
        (PARIS, "2025-11-28", "2025-11-27T23:00:00", 24),
        (PARIS, "2025-03-30", "2025-03-29T23:00:00", 23),
        (PARIS, "2025-10-26", "2025-10-25T22:00:00", 25),
        (NEW_YORK, "2025-03-09", "2025-03-09T05:00:00", 23),
        (NEW_YORK, "2025-11-02", "2025-11-02T04:00:00", 25),
        (KOLKATA, "2025-11-28", "2025-11-27T18:30:00", 24),
        ("UTC", "2025-03-30", "2025-03-30T00:00:00", 24),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00", 23),  # has no midnight
        ("America/St_Johns", "1999-10-30", "1999-10-30T02:30:00", 24),  # its last 59 minutes come twice
        ("America/St_Johns", "1999-10-31", "1999-10-31T02:30:00", 25),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00", 0),  # was left out
    ],
)
def test_a_day_is_as_long_as_clocks_make_it(calendar: str, day: str, start: str, length: int) -> None:
    assert window_in(calendar, Day(day)).start == f"{start}.000000000Z"
    assert hours(calendar, day) == length


@given(st.sampled_from(sorted(time_zones())), instants)
def test_each_instant_is_in_the_window_of_its_day_and_of_no_other(calendar: str, instant: Instant) -> None:
    day = day_in(calendar, instant)
    window = window_in(calendar, day)

    assert window.start <= instant < window.end
    if window.end != END_OF_TIME:
        assert window_in(calendar, day_after(day, 1)).start == window.end


@given(
    st.sampled_from([PARIS, NEW_YORK, KOLKATA]),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # as above
)
def test_a_day_is_the_date_that_clocks_show(calendar: str, moment: datetime) -> None:
    shown = moment.astimezone(ZoneInfo(calendar)).date().isoformat()

    assert day_in(calendar, instant_of(moment)) == shown


@given(st.sampled_from([PARIS, NEW_YORK, KOLKATA]), st.dates(datetime(1990, 1, 1).date(), datetime(2037, 1, 1).date()))  # noqa: DTZ001  # only dates
def test_the_utc_days_of_a_day_are_those_it_shares_time_with(calendar: str, date: object) -> None:
    window = window_in(calendar, Day(str(date)))

    around = [day_after(Day(str(date)), by) for by in range(-2, 3)]
    shared = [day for day in around if window_of(day).start < window.end and window.start < window_of(day).end]
    assert utc_days_of(window) == shared


def test_the_first_and_the_last_day_end_with_the_calendar() -> None:
    for calendar in ("Pacific/Apia", NEW_YORK):
        assert window_in(calendar, Day("0001-01-01")).start == "0001-01-01T00:00:00.000000000Z"
        assert day_in(calendar, END_OF_TIME) == "9999-12-31"
    assert window_in(NEW_YORK, Day("9999-12-31")).end == END_OF_TIME
    assert day_in("Pacific/Apia", Instant("9999-12-31T23:00:00.000000000Z")) == "9999-12-31"


def test_a_day_of_another_calendar_has_events_of_two_utc_days() -> None:
    first, last = Instant("2025-11-27T23:00:00.000000000Z"), Instant("2025-11-28T22:59:59.999999999Z")

    assert [day_in(PARIS, first), day_in(PARIS, last), day_in("UTC", first)] == ["2025-11-28"] * 2 + ["2025-11-27"]
