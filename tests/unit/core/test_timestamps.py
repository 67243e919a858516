"""Instants: text order is time order, to the nanosecond at every offset; days up to the calendar's end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chalicelib.core.timestamps import (
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    days_in,
    end_of,
    instant_of,
    lag_ms,
    nanoseconds,
    parse_day,
    parse_end,
    parse_instant,
    shifted,
    start_of,
)


@dataclass(frozen=True)
class Written:
    """A timestamp by its parts, and which instant it is by integers and fractions alone."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    fraction: str = ""
    offset_minutes: int = 0

    @property
    def text(self) -> str:
        sign, size = "-" if self.offset_minutes < 0 else "+", abs(self.offset_minutes)
        return (
            f"{self.year:04}-{self.month:02}-{self.day:02}T{self.hour:02}:{self.minute:02}:{self.second:02}"
            f"{'.' if self.fraction else ''}{self.fraction}{sign}{size // 60:02}:{size % 60:02}"
        )

    @property
    def since_epoch(self) -> Fraction:
        """Seconds since 1970-01-01 UTC."""
        minutes = (self._days_since_epoch * 24 + self.hour) * 60 + self.minute - self.offset_minutes
        return minutes * 60 + self.second + Fraction(int(self.fraction or "0"), 10 ** len(self.fraction))

    @property
    def _days_since_epoch(self) -> int:
        # The Gregorian calendar, with years that begin in March so that a leap day is the last.
        year = self.year - (self.month <= 2)
        before_month = (153 * ((self.month - 3) % 12) + 2) // 5
        return 365 * year + year // 4 - year // 100 + year // 400 + before_month + self.day - 1 - 719_468


FIRST = Written(1, 1, 1, 0, 0, 0).since_epoch
LAST = Written(9999, 12, 31, 23, 59, 59, "999999999").since_epoch

_days = st.dates() | st.sampled_from(
    [date(1, 1, 1), date(1970, 1, 1), date(2024, 2, 29), date(2026, 11, 21), date(2026, 11, 22), date(9999, 12, 31)]
)
_fractions = st.text("0123456789", max_size=9) | st.sampled_from(["", "0", "5", "50", "500000000", "499999999"])


@st.composite
def written(draw: st.DrawFn) -> Written:
    day = draw(_days)
    return Written(
        *(day.year, day.month, day.day),
        draw(st.integers(0, 23)),
        draw(st.integers(0, 59)),
        draw(st.integers(0, 59)),
        draw(_fractions),
        draw(st.integers(-(23 * 60 + 59), 23 * 60 + 59) | st.sampled_from([0, 60, -60])),
    )


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Written, Written]:
    """Two timestamps of one or almost the same instant, in other words: at another offset, a hair apart."""
    one = draw(written())
    offset = draw(st.integers(-(23 * 60 + 59), 23 * 60 + 59))
    assume(FIRST + 2 * 86_400 < one.since_epoch < LAST - 2 * 86_400)
    utc = datetime(one.year, one.month, one.day, one.hour, one.minute, one.second, tzinfo=UTC)
    moved = utc + timedelta(minutes=offset - one.offset_minutes, seconds=draw(st.integers(-1, 1)))
    fraction = draw(st.sampled_from([one.fraction, one.fraction[:-1], f"{one.fraction}0"[:9], f"{one.fraction}1"[:9]]))
    parts = (moved.year, moved.month, moved.day, moved.hour, moved.minute, moved.second)
    return one, Written(*parts, fraction, offset)


def in_calendar(timestamp: Written) -> bool:
    return FIRST <= timestamp.since_epoch <= LAST


class TestParsing:
    @given(written().filter(in_calendar), written().filter(in_calendar))
    def test_makes_text_order_time_order(self, one: Written, other: Written) -> None:
        assert (parse_instant(one.text) < parse_instant(other.text)) == (one.since_epoch < other.since_epoch)

    @given(neighbours())
    def test_makes_text_order_time_order_among_neighbours(self, pair: tuple[Written, Written]) -> None:
        one, other = pair

        assert (parse_instant(one.text) < parse_instant(other.text)) == (one.since_epoch < other.since_epoch)
        assert (parse_instant(one.text) == parse_instant(other.text)) == (one.since_epoch == other.since_epoch)

    @given(written().filter(in_calendar))
    def test_keeps_the_instant_to_the_nanosecond(self, timestamp: Written) -> None:
        assert nanoseconds(parse_instant(timestamp.text)) == timestamp.since_epoch * 1_000_000_000

    @given(written().filter(in_calendar))
    def test_gives_text_of_fixed_width_that_is_its_own_normal_form(self, timestamp: Written) -> None:
        instant = parse_instant(timestamp.text)

        assert len(instant) == 30
        assert parse_instant(instant) == instant

    @given(written())
    @example(Written(1, 1, 1, 0, 59, 59, "999999999", 60))
    @example(Written(1, 1, 1, 1, 0, 0, "", 60))
    @example(Written(9999, 12, 31, 22, 59, 59, "999999999", -60))
    @example(Written(9999, 12, 31, 23, 0, 0, "", -60))
    def test_refuses_instants_outside_the_years_1_to_9999_and_no_others(self, timestamp: Written) -> None:
        if in_calendar(timestamp):
            assert parse_instant(timestamp.text)
        else:
            with pytest.raises(ValueError, match="is not a real instant"):
                parse_instant(timestamp.text)

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2026-11-21T23:59:59.123456789Z", "2026-11-21T23:59:59.123456789Z"),
            ("2026-11-21T23:59:59Z", "2026-11-21T23:59:59.000000000Z"),
            ("2026-11-21t23:59:59.5z", "2026-11-21T23:59:59.500000000Z"),
            ("2026-11-22T00:30:00+01:00", "2026-11-21T23:30:00.000000000Z"),
            ("2026-11-21T20:00:00.000000001-04:30", "2026-11-22T00:30:00.000000001Z"),
            ("2026-11-21T00:00:00-00:00", "2026-11-21T00:00:00.000000000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z"),
        ],
    )
    def test_normalises(self, text: str, instant: str) -> None:
        assert parse_instant(text) == instant

    @pytest.mark.parametrize(
        "text", ["2026-11-21T10:00:00", "2026-11-21T10:00:00.5", "2026-11-21 10:00:00", "2026-11-21T10:00"]
    )
    def test_asks_for_a_missing_offset(self, text: str) -> None:
        with pytest.raises(ValueError, match="has no offset"):
            parse_instant(text)

    @pytest.mark.parametrize("fraction", ["1234567891", "000000000001", "0000000000000000000000100"])
    def test_refuses_what_is_finer_than_nanoseconds(self, fraction: str) -> None:
        with pytest.raises(ValueError, match="finer than nanoseconds: beyond nine fractional digits only zeros"):
            parse_instant(f"2026-11-21T10:00:00.{fraction}Z")

    @given(_fractions, st.integers(0, 40))
    def test_zeros_behind_a_fraction_change_no_instant(self, fraction: str, zeros: int) -> None:
        padded = f"2026-11-21T10:00:00.{fraction}{'0' * (zeros + 1)}Z"
        assert parse_instant(padded) == parse_instant(f"2026-11-21T10:00:00.{fraction or '0'}Z")

    @pytest.mark.parametrize(
        "text", ["2016-12-31T23:59:60Z", "2015-06-30T23:59:60.5Z", "2017-01-01T05:29:60+05:30", "2026-02-28T23:59:60Z"]
    )
    def test_says_of_a_leap_second_what_to_send(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"leap second, which Retrace does not accept .* send the second before"):
            parse_instant(text)

    @pytest.mark.parametrize(
        "text",
        [
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2016-12-31T23:58:60Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:59:60+01:00",
            "2016-12-31T23:59:61Z",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+01:60",
        ],
    )
    def test_refuses_what_is_not_on_calendar_or_clock(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a real instant"):
            parse_instant(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "1763769600",
            "2026-11-21",
            "2026-11-21T10:00Z",
            "2026-11-21 10:00:00Z",
            "2026-11-21T10:00:00,5Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00+0100",
            "2026-11-21T10:00:00 Z",
            "2026-11-21T10:00:00Z\n",
            "26-11-21T10:00:00Z",
            "+2026-11-21T10:00:00Z",
            "٢٠٢٦-11-21T10:00:00Z",
        ],
    )
    def test_refuses_what_is_not_rfc_3339(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not an RFC 3339 timestamp"):
            parse_instant(text)


class TestLag:
    @pytest.mark.parametrize(
        ("event_time", "ingest_time", "lag"),
        [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z", 0),
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000999999Z", 0),
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.001Z", 1),
            ("2026-11-21T10:00:00.000000001Z", "2026-11-21T10:00:00Z", -1),
            ("2026-11-21T23:59:59.999Z", "2026-11-22T00:00:00.001Z", 2),
            ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", 315_537_897_599_999),
        ],
    )
    def test_is_in_whole_milliseconds_rounded_down(self, event_time: str, ingest_time: str, lag: int) -> None:
        assert lag_ms(parse_instant(event_time), parse_instant(ingest_time)) == lag

    @given(written().filter(in_calendar), written().filter(in_calendar))
    def test_is_exact(self, one: Written, other: Written) -> None:
        exact = (other.since_epoch - one.since_epoch) * 1_000

        assert lag_ms(parse_instant(one.text), parse_instant(other.text)) == exact // 1


class TestDays:
    @given(written().filter(in_calendar))
    def test_are_half_open_windows_that_hold_their_instants(self, timestamp: Written) -> None:
        instant = parse_instant(timestamp.text)
        day = day_of(instant)

        assert start_of(day) <= instant < end_of(day)

    @given(st.dates(max_value=date(9999, 12, 30)))
    def test_follow_one_another_without_gap_or_overlap(self, on: date) -> None:
        day, next_day = Day(on.isoformat()), Day((on + timedelta(days=1)).isoformat())

        assert end_of(day) == start_of(next_day)
        assert day_after(day, 1) == next_day

    def test_end_even_on_the_last_of_the_calendar(self) -> None:
        end = end_of(Day("9999-12-31"))

        assert end > "9999-12-31T23:59:59.999999999Z"
        assert len(end) == 30

    @given(st.dates(), st.dates())
    def test_are_counted_with_both_ends(self, first: date, last: date) -> None:
        count = days_in(Window(start_of(Day(first.isoformat())), end_of(Day(last.isoformat()))))

        assert count == last.toordinal() - first.toordinal() + 1
        assert day_after(Day(first.isoformat()), count - 1) == last.isoformat()

    @given(st.dates(date(2026, 1, 1), date(2026, 1, 9)), st.integers(1, 9), st.sampled_from([-1, 0, 1]))
    def test_of_a_window_are_those_with_an_instant_in_it(self, first: date, days: int, beside: int) -> None:
        start = start_of(Day(first.isoformat()))
        window = Window(start, shifted(start, days * 86_400_000_000_000 + beside))

        assert days_in(window) == days + (beside > 0)

    @given(st.dates())
    def test_are_read_as_they_are_written(self, on: date) -> None:
        assert parse_day(on.isoformat()) == on.isoformat()

    @pytest.mark.parametrize(
        "text", ["", "2026-11-1", "20261121", "2026-W47-6", "2026-11-21T00:00:00Z", "2026-11-21 ", "٢٠٢٦-11-21"]
    )
    def test_have_one_spelling(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a day such as"):
            parse_day(text)

    @pytest.mark.parametrize("text", ["2026-02-30", "2025-02-29", "2026-00-01", "0000-01-01"])
    def test_are_on_the_calendar(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a real day"):
            parse_day(text)


def test_a_clocks_reading_becomes_an_instant_in_utc() -> None:
    reading = datetime(2026, 11, 22, 0, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))

    assert instant_of(reading) == Instant("2026-11-21T23:30:00.123456000Z")


@pytest.mark.parametrize("text", ["9999-12-31T24:00:00Z", "9999-12-31T24:00:00.000000000Z", "9999-12-31t24:00:00z"])
def test_the_end_of_the_calendar_ends_a_window_and_is_no_instant(text: str) -> None:
    assert parse_end(text) == end_of(Day("9999-12-31"))
    with pytest.raises(ValueError, match="is not a real instant"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["9999-12-31T24:00:01Z", "9999-12-30T24:00:00Z", "9999-12-31T24:00:00+01:00"])
def test_no_other_hour_24_is_taken_on_any_python(text: str) -> None:
    with pytest.raises(ValueError, match="is not a real instant"):
        parse_end(text)


def test_any_instant_ends_a_window() -> None:
    assert parse_end("2026-11-21T01:00:00+01:00") == parse_instant("2026-11-21T00:00:00Z")
