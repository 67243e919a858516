"""The replays that mend stale days: each day is found by one of them, whatever came late, and they can be requested."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate, Version
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.newest_versions import NewestVersion
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.timestamps import Day, day_of, instant_of
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.request_body import parse_replay_request
from chalicelib.search.stale import StaleDay, replays_for
from tests.unit.examples import INGESTED, an_event, stored

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

Late = tuple[int, int, int, int]
"""Of an event its source, type, entity, and how many days late it is."""

late_events = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.sampled_from([1, 2, 5, 4_000])),
    min_size=1,
    max_size=12,
)


def stale_days(late: list[Late]) -> list[StaleDay]:
    found: dict[tuple[str, Day], list[StoredEvent]] = {}
    for number, (source, event_type, entity, days) in enumerate(late):
        event = an_event(
            source=f"s{source}",
            event_type=f"t{event_type}",
            entity_id=f"e{entity}",
            event_time=(NOW - timedelta(days=days, minutes=number)).isoformat(),
        )
        received = stored(event, instant_of(NOW))
        found.setdefault((received.entity_id, day_of(received.event_time)), []).append(received)
    return [StaleDay(day, _newest(*day), events) for day, events in found.items()]


def _newest(entity_id: str, day: Day) -> NewestVersion:
    stored_version = AggregateVersion(Version(entity_id, day, "replay"), Aggregate(), INGESTED)
    return NewestVersion(VersionStatus(stored_version, None), 1, exact=True)


def finds(request: ReplayRequest, event: StoredEvent) -> bool:
    """Whether a replay sends the day of an event because it selects the event."""
    if not request.window.start <= event.event_time < request.window.end:
        return False
    if request.entity_id is not None:
        return request.entity_id == event.entity_id
    types = request.event_types or (request.event_type,)
    return request.whole_days and request.source == event.source and event.event_type in types and request.takes(event)


@given(late_events)
def test_each_stale_day_is_found_by_a_replay_that_can_be_requested(late: list[Late]) -> None:
    stale = stale_days(late)

    requests = [parse_replay_request(json.dumps(body).encode()) for body in replays_for(stale)]

    for each in stale:
        assert any(finds(request, event) for request in requests for event in each.late)


@given(late_events)
def test_there_are_no_more_replays_than_sources_unless_days_lie_too_far_apart(late: list[Late]) -> None:
    near = [each for each in late if each[3] < 10] or [(0, 0, 0, 1)]

    assert len(replays_for(stale_days(near))) <= len({source for source, _, _, _ in near})


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        ([(0, 0, 0, 1)], [{"entity_id": "e0"}]),
        ([(0, 0, 0, 1), (0, 0, 1, 2)], [{"source": "s0", "event_type": "t0"}]),
        ([(0, 0, 0, 1), (0, 1, 1, 2)], [{"source": "s0", "event_types": ["t1", "t0"]}]),
        ([(0, 0, 0, 1), (1, 0, 0, 1), (1, 1, 1, 2)], [{"source": "s1", "event_types": ["t1", "t0"]}]),
        ([(0, 0, 0, 1), (0, 0, 0, 4_000)], [{"start_day": "2015-12-16"}, {"start_day": "2026-11-27"}]),
    ],
    ids=["a day", "a type", "two types", "the source that has most", "far apart"],
)
def test_which_replays_they_are(late: list[Late], expected: list[dict[str, object]]) -> None:
    requests = replays_for(stale_days(late))

    assert [{name: request[name] for name in wanted} for request, wanted in zip(requests, expected, strict=True)] == (
        expected
    )


def test_nothing_stale_needs_no_replay() -> None:
    assert replays_for([]) == []
