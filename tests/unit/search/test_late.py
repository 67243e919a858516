"""Late arrivals of all sources, however the index ends its pages, against a plain look at the events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pagination import query_fingerprint, to_cursor
from chalicelib.core.timestamps import day_of, instant_of, start_of_hour
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search import late_arrivals
from chalicelib.search.late import FindLate
from chalicelib.search.late_arrivals import LateArrivals
from chalicelib.search.queries import LateQuery, LateSummaryQuery
from tests.unit.examples import an_event, stored
from tests.unit.in_memory import Rows, SourcesInMemory, one_by_one

START = datetime(2026, 11, 20, tzinfo=UTC)
SOURCES = ("pay/gateway", "pay/ledger", "shop")
TYPES = ("paid", "refunded")

Sent = list[tuple[int, int, int, int]]
"""Of each event its source, type, minute of arrival, and how many hours late it is."""

minutes = st.integers(0, 3 * 1_440 - 1)
events_sent = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), minutes, st.integers(0, 60)), max_size=40)
page_sizes = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def received(sent: Sent) -> list[StoredEvent]:
    found = []
    for number, (source, event_type, minute, hours) in enumerate(sent):
        time = START + timedelta(minutes=minute)
        event = an_event(
            source=SOURCES[source],
            event_type=TYPES[event_type],
            entity_id=f"order-{number % 3}",
            event_time=(time - timedelta(hours=hours)).isoformat(),
            payload={"number": number},
        )
        found.append(stored(event, instant_of(time)))
    return found


def finding(events: list[StoredEvent], sizes: list[int]) -> FindLate:
    in_turn = cycle(sizes)
    rows, sources = Rows(page_size=lambda: next(in_turn)), SourcesInMemory()
    rows.admit(events, "request", events[0].ingest_time if events else instant_of(START))
    sources.record(events)
    return FindLate(LateArrivals(sources, rows, 2), one_by_one)


def window(start: int, end: int) -> dict[str, str]:
    times = [instant_of(START + timedelta(minutes=minute)) for minute in (start, end)]
    return {"start_time": times[0], "end_time": times[1]}


windows = st.tuples(minutes, minutes).map(lambda times: window(min(times), max(times) + 1))


def arrived_late(events: list[StoredEvent], asked: dict[str, str]) -> list[StoredEvent]:
    """By day of arrival, the last first, and then by lag, the latest first."""
    found = [
        event
        for event in events
        if event.ingest_lag_ms >= 3_600_000
        and asked["start_time"] <= event.ingest_time < asked["end_time"]
        and asked.get("source", event.source) == event.source
        and asked.get("event_type", event.event_type) == event.event_type
    ]
    return sorted(
        found, key=lambda event: (day_of(event.ingest_time), event.ingest_lag_ms, event.event_id), reverse=True
    )


def every_event(find: FindLate, asked: dict[str, str], limit: int) -> list[StoredEvent]:
    cursor: str | None = None
    found = list[StoredEvent]()
    while True:
        page = find.page(LateQuery.model_validate({**asked, "limit": limit, "cursor": cursor}))
        assert len(page.events) <= limit
        found += page.events
        cursor = page.cursor
        if cursor is None:
            return found


selections = st.fixed_dictionaries(
    {}, optional={"source": st.sampled_from(SOURCES), "event_type": st.sampled_from(TYPES)}
)


@given(events_sent, page_sizes, windows, selections, st.integers(1, 7))
def test_pages_together_have_each_late_arrival_of_the_window_once_in_order(
    sent: Sent, sizes: list[int], asked: dict[str, str], selected: dict[str, str], limit: int
) -> None:
    asked = {**asked, **selected}
    events = received(sent)

    assert every_event(finding(events, sizes), asked, limit) == arrived_late(events, asked)


@given(events_sent, page_sizes, windows, selections)
def test_a_summary_counts_each_late_arrival_by_source_type_and_hour(
    sent: Sent, sizes: list[int], asked: dict[str, str], selected: dict[str, str]
) -> None:
    asked = {**asked, **selected}
    events = received(sent)

    summary = finding(events, sizes).summary(LateSummaryQuery.model_validate(asked))

    expected = arrived_late(events, asked)
    counts = Counter((event.source, event.event_type, start_of_hour(event.ingest_time)) for event in expected)
    assert {(group.source, group.event_type, group.hour): group.events for group in summary.groups} == counts
    assert [group.hour for group in summary.groups] == sorted((group.hour for group in summary.groups), reverse=True)
    for group in summary.groups:
        own = [
            event
            for event in expected
            if (event.source, event.event_type, start_of_hour(event.ingest_time))
            == (group.source, group.event_type, group.hour)
        ]
        lags_ms, arrived = [event.ingest_lag_ms for event in own], [event.ingest_time for event in own]
        assert (group.min_lag_ms, group.max_lag_ms) == (min(lags_ms), max(lags_ms))
        assert (group.first_arrival, group.last_arrival) == (min(arrived), max(arrived))
        assert group.entity_days == {(event.entity_id, day_of(event.event_time)) for event in own}


def test_no_event_is_listed_before_a_later_one_of_another_source_that_is_not_read_yet() -> None:
    events = received([(hours % 3, 0, 600, hours) for hours in range(2, 12)])

    assert every_event(finding(events, [1]), window(0, 1_440), 4) == arrived_late(events, window(0, 1_440))


def test_sources_beyond_those_that_are_merged_follow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_arrivals, "_PARTITIONS_AT_ONCE", 4)
    events = received([(number % 3, number % 2, 60 * number, 2 + number) for number in range(12)])

    found = every_event(finding(events, [3]), window(0, 1_440), 4)

    assert sorted(event.event_id for event in found) == sorted(event.event_id for event in events)


@pytest.mark.parametrize("budget", [1, 200_000, 1_000_000])
def test_a_summary_that_ends_early_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    monkeypatch.setattr("chalicelib.search.late.REQUEST_US", budget)
    events = received([(number % 3, number % 2, 97 * number, 2 + number) for number in range(30)])
    find, asked = finding(events, [2]), {**window(0, 3 * 1_440), "source": SOURCES[0], "event_type": TYPES[0]}
    counted, cursor, pages = 0, None, 0
    while pages == 0 or cursor is not None:
        summary = find.summary(LateSummaryQuery.model_validate({**asked, "cursor": cursor}))
        counted, cursor, pages = counted + sum(group.events for group in summary.groups), summary.cursor, pages + 1

    assert counted == len(arrived_late(events, asked))
    assert pages > 1 or budget > 1


@pytest.mark.parametrize("position", ["x", "2026-11-21", "2026-11-19\0LAG#", "\0"])
def test_a_position_that_no_answer_gave_is_refused(position: str) -> None:
    query = LateQuery(day="2026-11-20")
    cursor = to_cursor(query_fingerprint(query), position)

    with pytest.raises(InvalidRequest, match="cursor"):
        finding([], [1]).page(LateQuery(day="2026-11-20", cursor=cursor))


def test_without_sources_nothing_came_late() -> None:
    assert finding([], [1]).page(LateQuery(day="2026-11-20")).events == ()
