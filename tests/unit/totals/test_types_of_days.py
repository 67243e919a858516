"""A total of a metric that names no source or no types is whole exactly if its replay sent all that the day has."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import aggregate_of
from chalicelib.aggregates.inputs import Input
from chalicelib.core.calendars import day_in, window_in
from chalicelib.core.read_budget import PaidReads
from chalicelib.core.timestamps import Day
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.definition import Definition
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.request import ReplayRequest
from chalicelib.totals import arrivals
from chalicelib.totals.arrivals import TypesOfDays
from chalicelib.totals.coverage import Computed, taken
from tests.unit.definitions_in_memory import defined
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.in_memory import Rows, SourcesInMemory, one_by_one

DAY = Day("2026-03-29")
"""Of 23 hours in Paris."""

PAIRS = [("shop", "paid"), ("shop", "noted"), ("depot", "paid")]

happened = st.lists(st.tuples(st.sampled_from(PAIRS), st.integers(0, 2 * 24 * 60 - 1)), max_size=8)
selections = st.sampled_from([("shop", ("paid",)), ("shop", ("noted", "paid")), ("depot", ("paid",))])
definitions = st.builds(
    lambda source, types, zone: defined(
        name="events",
        aggregate="count",
        time_zone=zone,
        **({} if source is None else {"source": source}),
        **({} if types is None else {"event_types": types}),
    ),
    st.sampled_from([None, "shop", "depot"]),
    st.sampled_from([None, ["paid"]]),
    st.sampled_from(["UTC", "Europe/Paris"]),
)


def event(number: int, pair: tuple[str, str], minute: int) -> StoredEvent:
    days, minutes = divmod(minute, 24 * 60)
    moment = f"2026-03-{28 + days}T{minutes // 60:02d}:{minutes % 60:02d}:00Z"
    return stored(an_event(source=pair[0], event_type=pair[1], event_time=moment, payload={"number": number}))


def types_of(events: list[StoredEvent], budget_us: int = 10**9) -> TypesOfDays:
    index = Rows({each.event_id: (each, "writer") for each in events})
    sources = SourcesInMemory()
    sources.record(events)
    return TypesOfDays(sources, index, 2, PaidReads(one_by_one, budget_us))


def computed(definition: Definition, selection: tuple[str, tuple[str, ...]]) -> Computed:
    window = window_in(definition.time_zone, DAY)
    asked: dict[str, Any] = {"source": selection[0], "event_types": list(selection[1])}
    request = ReplayRequest.model_validate(asked | {"start_time": window.start, "end_time": window.end})
    job = ReplayJob("replay-1", request, "somebody", INGESTED, INGESTED, shards=2, state=JobState.SENT)
    return Computed(replace(job, sent=1, processed=1), definition, DAY)


def takes(definition: Definition, each: StoredEvent) -> bool:
    return (
        definition.source in (None, each.source)
        and (definition.event_types is None or each.event_type in definition.event_types)
        and day_in(definition.time_zone, each.event_time) == DAY
    )


@given(happened, selections, definitions)
def test_is_whole_exactly_if_the_replay_selects_every_event_that_the_metric_takes(
    said: list[tuple[tuple[str, str], int]], selection: tuple[str, tuple[str, ...]], definition: Definition
) -> None:
    events = [event(number, *each) for number, each in enumerate(said)]
    of_replay = computed(definition, selection)
    found = replace(of_replay, needed=types_of(events).needed(definition, DAY))

    taken_ones = [each for each in events if takes(definition, each)]
    sent = [each for each in taken_ones if (each.source, each.event_type) in {(selection[0], t) for t in selection[1]}]
    names_its_types = definition.source is not None and definition.event_types is not None
    expected = selection[0] == definition.source and set(definition.event_types or ()) <= set(selection[1])
    assert (found.partial_because == ()) == (expected if names_its_types else len(sent) == len(taken_ones))
    if not found.partial_because:
        inputs = [Input(each.event_time, each.event_id, each.event_type, each.content_sha256) for each in sent]
        assert Fraction(aggregate_of(inputs).event_count) == sum(Fraction(1) for _ in taken_ones)


EVERYTHING = defined(name="events", aggregate="count", where=[{"path": "/a", "exists": False}])


def test_a_replay_that_leaves_out_types_says_which_and_what_mends_it() -> None:
    events = [event(number, pair, 24 * 60 + number) for number, pair in enumerate(PAIRS[:2])]
    found = replace(computed(EVERYTHING, ("shop", ("paid",))), needed=types_of(events).needed(EVERYTHING, DAY))

    assert found.partial_because == (
        "It covers events of source shop and type paid only.",
        "The day also has events of source shop and type noted.",
    )
    assert taken(EVERYTHING, found.job, found.needed) == (("shop", "noted"), ("shop", "paid"))


def test_of_several_sources_no_replay_is_whole_and_the_answer_says_what_to_define() -> None:
    events = [event(number, pair, 24 * 60 + number) for number, pair in enumerate(PAIRS)]
    found = replace(computed(EVERYTHING, ("shop", ("noted", "paid"))), needed=types_of(events).needed(EVERYTHING, DAY))

    assert found.partial_because[1:] == (
        "The day also has events of source depot and type paid.",
        "A replay has one source, and the metric takes events of several: define a metric for each.",
    )


def test_of_more_types_than_are_looked_for_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PAIRS_LOOKED_FOR", 1)
    events = [event(number, pair, 24 * 60 + number) for number, pair in enumerate(PAIRS)]

    assert types_of(events).needed(EVERYTHING, DAY) is None


def test_beyond_the_reads_for_it_is_not_known() -> None:
    assert types_of([event(1, PAIRS[0], 24 * 60)], budget_us=0).needed(EVERYTHING, DAY) is None


def test_a_metric_that_names_its_source_and_types_reads_nothing() -> None:
    of_one = defined(name="events", aggregate="count", source="shop", event_types=["paid"])

    assert types_of([], budget_us=0).needed(of_one, DAY) is None
