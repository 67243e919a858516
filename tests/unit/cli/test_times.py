"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.timestamps import parse_day as strict_day
from chalicelib.core.timestamps import parse_instant
from retrace.times import parse_day, parse_end, parse_time

NOW = datetime(2026, 11, 23, 9, 30, 15, 250_000, UTC)
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", "2026-11-23T09:30:15.250000000Z"),
        ("2h", "2026-11-23T07:30:15.250000000Z"),
        (" 15 M ago ", "2026-11-23T09:15:15.250000000Z"),
        ("today", "2026-11-23T00:00:00.000000000Z"),
        ("Yesterday", "2026-11-22T00:00:00.000000000Z"),
        ("09:31", "2026-11-23T09:31:00.000000000Z"),
        ("23:59:59.5", "2026-11-23T23:59:59.500000000Z"),
        ("2026-02-28", "2026-02-28T00:00:00.000000000Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000000Z"),
        ("2026-11-21T09:30", "2026-11-21T09:30:00.000000000Z"),
        ("2026-11-21 09:30:01.123456789", "2026-11-21T09:30:01.123456789Z"),
        ("2026-11-21T09:30:00+01:00", "2026-11-21T08:30:00.000000000Z"),
    ],
)
def test_a_time_is_understood(text: str, instant: str) -> None:
    assert parse_time(text, NOW) == instant


@given(st.integers(0, 999_999), st.sampled_from(sorted(UNITS)))
def test_an_amount_is_that_long_ago_or_before_the_calendar(amount: int, unit: str) -> None:
    seconds = amount * UNITS[unit]
    if seconds > (NOW - datetime.min.replace(tzinfo=UTC)).total_seconds():
        with pytest.raises(ValueError, match="before the year 1"):
            parse_time(f"{amount}{unit}", NOW)
    else:
        assert parse_time(f"{amount}{unit}", NOW) == parse_instant((NOW - timedelta(seconds=seconds)).isoformat())


@pytest.mark.parametrize(
    ("since", "until", "instant"),
    [
        ("2026-11-20T10:00:00Z", "12:00", "2026-11-20T12:00:00.000000000Z"),
        ("2026-11-20T22:00:00Z", "02:00", "2026-11-21T02:00:00.000000000Z"),
        ("2026-11-20T10:00:00Z", "10:00", "2026-11-21T10:00:00.000000000Z"),
        ("2026-11-20T10:00:00Z", "1h", "2026-11-23T08:30:15.250000000Z"),
        (None, "12:00", "2026-11-23T12:00:00.000000000Z"),
    ],
)
def test_a_time_of_day_that_ends_a_window_is_the_first_after_its_start(
    since: str | None, until: str, instant: str
) -> None:
    assert parse_end(until, NOW, parse_instant(since) if since else None) == instant


@pytest.mark.parametrize("until", ["25:00", "02:00"])
def test_an_end_that_is_no_time_is_told(until: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|after the year 9999, the last that there is"):
        parse_end(until, NOW, parse_instant("9999-12-31T23:00:00Z"))


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|\+01:00)?)?"))
def test_any_text_is_an_instant_or_told_why_not(text: str) -> None:
    try:
        found = parse_time(text, NOW)
    except ValueError as error:
        assert repr(text.strip())[1:-1] in str(error)  # noqa: PT017  # either outcome is right
    else:
        assert parse_instant(found) == found


@given(st.text(max_size=12) | st.from_regex(r"\d{1,6}[dw]", fullmatch=True))
def test_any_text_is_a_day_or_told_why_not(text: str) -> None:
    try:
        found = parse_day(text, NOW)
    except ValueError as error:
        assert repr(text.strip())[1:-1] in str(error)  # noqa: PT017  # either outcome is right
    else:
        assert strict_day(found) == found


@pytest.mark.parametrize(
    ("text", "day"),
    [("today", "2026-11-23"), ("tomorrow", "2026-11-24"), ("3d", "2026-11-20"), ("1w ago", "2026-11-16")],
)
def test_a_day_is_understood(text: str, day: str) -> None:
    assert parse_day(text, NOW) == day


@pytest.mark.parametrize("text", ["2h", "now", "2026-02-30", "2026-11-21T00:00:00Z", "", "٣d"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="day"):
        parse_day(text, NOW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "write one such as"),
        ("2026-02-30", "not a real day"),
        ("2026-11-21T25:00:00Z", "not a real instant"),
        ("2026-11-21T09:30:00.1234567891Z", "finer than nanoseconds"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text, NOW)
