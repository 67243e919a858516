"""Rows of events: what is written can be read back, and only what is late is listed as late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.dynamodb import from_item, to_item
from chalicelib.core.timestamps import Instant, parse_instant
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.dynamodb_rows import arrival_of, arrival_row, identity_row, index_row, stored_event, written_by
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from tests.unit.examples import INGESTED, an_event, hashes, instants, names, stored

times = instants().map(parse_instant)
places = st.builds(RawLocation, names, names, st.integers(0, 5_000_000), st.integers(1, 5_000_000))
events = st.builds(StoredEvent, hashes, names, names, names, times, times, hashes, names, names, places)
arrivals = st.builds(
    Arrival, st.sampled_from(ArrivalKind), hashes, times, names, st.integers(0, 999), hashes, st.none() | names
)


@given(events, names, st.none() | st.integers(0, 2**40))
def test_an_identity_row_says_all_of_its_event_and_who_wrote_it(
    event: StoredEvent, request: str, expires_at: int | None
) -> None:
    row = identity_row(event, request, expires_at)

    assert stored_event(row) == event
    assert written_by(row) == request
    assert from_item(row).get("expires_at") == expires_at


@given(events, st.integers(1, 64))
def test_an_index_row_says_the_same(event: StoredEvent, shards: int) -> None:
    assert stored_event(index_row(event, shards, late_after_ms=0)) == event


@given(arrivals)
def test_an_arrival_is_read_as_it_was_recorded(arrival: Arrival) -> None:
    assert arrival_of(arrival_row(arrival)) == arrival


@pytest.mark.parametrize(
    ("event_time", "late"),
    [
        ("2026-11-22T08:29:50.000000000Z", True),
        ("2026-11-22T08:29:50.000000001Z", False),
        ("2026-11-22T08:30:00.000000000Z", False),
        ("2026-11-23T00:00:00.000000000Z", False),
    ],
)
def test_an_event_is_listed_as_late_from_the_threshold_on(event_time: str, late: bool) -> None:  # noqa: FBT001
    event = replace(stored(an_event(), INGESTED), event_time=Instant(event_time))

    row = from_item(index_row(event, 4, late_after_ms=10_000))

    assert ("late_day" in row) == ("lag" in row) == late


@given(events, st.integers(0, 63), st.integers(1, 64))
def test_a_late_event_has_one_shard_in_both_indexes(event: StoredEvent, number: int, shards: int) -> None:
    late = replace(event, event_id=f"{number:08x}", event_time=Instant("0001-01-01T00:00:00.000000000Z"))
    shard = f"#{number % shards}"

    row = from_item(index_row(late, shards, late_after_ms=0))

    assert row["type_day"].endswith(shard)
    assert row["late_day"].endswith(shard)


@given(
    st.dictionaries(
        names,
        st.recursive(
            st.none() | st.booleans() | st.text() | st.integers(-(10**37), 10**37) | st.binary(min_size=1),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_plain_values_survive_being_an_item(values: dict[str, object]) -> None:
    assert from_item(to_item(values)) == {name: value for name, value in values.items() if value is not None}
