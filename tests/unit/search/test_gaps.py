"""Gaps and dips among any events, however the index ends its pages, against a plain look at the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.timestamps import Instant, hour_after, instant_of, start_of_hour
from chalicelib.search import dips
from chalicelib.search.dips import dips_in
from chalicelib.search.gaps import FindGaps, FoundGaps
from chalicelib.search.queries import GapsQuery
from tests.unit.examples import an_event, stored
from tests.unit.in_memory import Rows, SourcesInMemory, at, one_by_one

START = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 48
NOW = instant_of(START + timedelta(days=30))
TYPES = ("order.paid", "order.sent")

Sent = list[tuple[str, int, bool]]
"""Of each event its type, the minute that it is of, and whether it says a time that it was received long before."""


def rows_of(sent: Sent, page_sizes: list[int]) -> Rows:
    sizes = cycle(page_sizes)
    rows = Rows(page_size=lambda: next(sizes))
    for number, (event_type, minute, ahead) in enumerate(sent):
        time = START + timedelta(minutes=minute)
        event = an_event(event_type=event_type, event_time=time.isoformat(), payload={"number": number})
        received = time + timedelta(days=-1 if ahead else 1)
        rows.admit([stored(event, instant_of(received))], "request", NOW)
    return rows


def find(rows: Rows, now: Instant = NOW, **asked: str) -> FoundGaps:
    sources = SourcesInMemory()
    sources.record([event for event, _ in rows.by_id.values()])
    query = GapsQuery.model_validate({"source": "shop/checkout", **asked})
    return FindGaps(sources, rows, 2, at(now), one_by_one).find(query)


minutes = st.integers(0, HOURS * 60 - 1)
sent_events = st.lists(st.tuples(st.sampled_from(TYPES), minutes, st.booleans()), max_size=60)


@given(sent_events, st.lists(st.integers(1, 9), min_size=1, max_size=5), minutes, minutes)
def test_gaps_of_a_source_are_the_hours_in_which_none_of_its_types_has_an_event(
    sent: Sent, page_sizes: list[int], one: int, other: int
) -> None:
    start, end = sorted((one, other + 1)) if one != other + 1 else (one, one + 1)
    window = [instant_of(START + timedelta(minutes=minute)) for minute in (start, end)]

    found = find(rows_of(sent, page_sizes), start_time=window[0], end_time=window[1])

    full = {minute // 60 for _, minute, ahead in sent if start <= minute < end and not ahead}
    expected = [minute for minute in range(start, end) if minute // 60 not in full]
    gaps = [
        minute
        for minute in range(start, end)
        if any(gap.start <= instant_of(START + timedelta(minutes=minute)) < gap.end for gap in found.gaps)
    ]
    assert gaps == expected
    assert all(first.end < second.start for first, second in zip(found.gaps, found.gaps[1:], strict=False))


def busy(hour: int, event_type: str, count: int) -> Sent:
    return [(event_type, hour * 60 + number % 60, False) for number in range(count)]


counts_of_hours = st.lists(st.sampled_from([0, 1, 8, 9]), min_size=16, max_size=16)


@settings(max_examples=30)
@given(counts_of_hours, counts_of_hours, st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_dips_are_those_of_the_counts_of_all_types_and_then_of_each(
    paid: list[int], shipped: list[int], page_sizes: list[int]
) -> None:
    series = dict(zip(TYPES, (paid, shipped), strict=True))
    sent = [
        each for event_type, counts in series.items() for h, n in enumerate(counts) for each in busy(h, event_type, n)
    ]
    window = {"start_time": instant_of(START), "end_time": instant_of(START + timedelta(hours=16))}

    found = find(rows_of(sent, page_sizes), **window)

    of_all = dips_of([one + other for one, other in zip(paid, shipped, strict=True)])
    expected = {(*dip, None) for dip in of_all} | {
        (*dip, event_type)
        for event_type, counts in series.items()
        for dip in dips_of(counts)
        if not any(first <= dip[0] and dip[1] <= end for first, end, _, _ in of_all)
    }
    assert {(_hour(dip.start), _hour(dip.end), dip.events, dip.usual, dip.event_type) for dip in found.dips or ()} == {
        dip for dip in expected if dip[0] < 16 and dip[1] > 0
    }
    assert found.event_types == tuple(sorted({event_type for event_type, _, _ in sent}))


def dips_of(counts: list[int]) -> list[tuple[int, int, int, int]]:
    """The dips of hours that two days without events precede, and one follows."""
    return [(dip.first - 48, dip.end - 48, dip.events, dip.usual) for dip in dips_in([0] * 48 + counts + [0] * 24)]


def _hour(instant: Instant) -> int:
    return int((datetime.fromisoformat(instant[:19] + "+00:00") - START).total_seconds() // 3_600)


def steady(hours: range, event_type: str = TYPES[0], count: int = 12) -> Sent:
    return [event for hour in hours for event in busy(hour, event_type, count)]


def test_neighbours_outside_the_window_count_and_hours_that_have_not_ended_do_not() -> None:
    sent = steady(range(10)) + busy(10, TYPES[0], 1) + busy(11, TYPES[0], 1)
    window = {"start_time": instant_of(START + timedelta(hours=10))}
    now = instant_of(START + timedelta(hours=11, minutes=30))

    so_far = find(rows_of(sent, [100]), now, **window, end_time=now)
    later = find(rows_of(sent, [100]), Instant(hour_after(now)), **window, end_time=now)

    assert [[(_hour(dip.start), _hour(dip.end)) for dip in found.dips or ()] for found in (so_far, later)] == [
        [(10, 11)],
        [(10, 12)],
    ]


def test_a_type_that_is_silent_while_the_others_go_on_is_told() -> None:
    sent = steady(range(24), TYPES[0]) + steady(range(9), TYPES[1]) + steady(range(11, 24), TYPES[1])

    found = find(rows_of(sent, [100]), day="2026-11-20")

    assert found.gaps == ()
    assert [(_hour(dip.start), _hour(dip.end), dip.event_type) for dip in found.dips or ()] == [(9, 11, TYPES[1])]


@pytest.mark.parametrize("unit", ["hour", "day"])
def test_dips_are_in_hours(unit: str) -> None:
    sent = steady(range(9)) + busy(9, TYPES[0], 1) + steady(range(10, 24))

    found = find(rows_of(sent, [100]), day="2026-11-20", unit=unit)

    assert (found.dips is None) == (unit == "day")


def test_without_reads_left_to_count_gaps_are_found_and_no_dips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dips, "ROWS_OF_A_DAY", 5)
    rows = rows_of(steady(range(8)) + steady(range(9, 24), count=30), [5])
    monkeypatch.setattr("chalicelib.search.gaps.REQUEST_US", 400_000)

    found = find(rows, day="2026-11-20")

    assert [(_hour(gap.start), _hour(gap.end)) for gap in found.gaps] == [(8, 9)]
    assert found.dips is None


def test_a_window_from_the_beginning_of_the_calendar_or_to_its_end_is_looked_at() -> None:
    first = find(Rows(), day="0001-01-01")
    last = find(Rows(), day="9999-12-31")

    assert [len(found.gaps) for found in (first, last)] == [1, 1]
    assert start_of_hour(first.gaps[0].start) == "0001-01-01T00:00:00.000000000Z"


def test_of_an_unknown_source_no_type_is_looked_at() -> None:
    assert find(Rows(), day="2026-11-20").event_types == ()
