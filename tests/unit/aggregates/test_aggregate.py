"""Aggregates: however inputs are batched, ordered and grouped, the result is that of all of them at once."""

from __future__ import annotations

from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate, aggregate_of, merge
from chalicelib.aggregates.inputs import Input
from chalicelib.core.timestamps import Instant
from tests.unit import one_shot
from tests.unit.json_trees import randoms


def batches_of(inputs: list[Input], rng: Random) -> list[list[Input]]:
    """The inputs in some order, cut somehow; some batches may be empty."""
    shuffled = rng.sample(inputs, len(inputs))
    cuts = sorted(rng.randint(0, len(inputs)) for _ in range(rng.randint(0, 5)))
    return [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(inputs)], strict=True)]


def merged_somehow(aggregates: list[Aggregate], rng: Random) -> Aggregate:
    """Merge any two, until one is left."""
    pending = list(aggregates)
    while len(pending) > 1:
        rng.shuffle(pending)
        pending.append(merge(pending.pop(), pending.pop()))
    return pending[0]


@given(one_shot.inputs_sets)
def test_an_aggregate_is_what_a_one_shot_computation_says(inputs: list[Input]) -> None:
    assert one_shot.said_by(aggregate_of(inputs)) == one_shot.computed(inputs)


@given(one_shot.inputs_sets, randoms)
def test_it_is_the_same_in_any_batches_order_and_grouping(inputs: list[Input], rng: Random) -> None:
    aggregates = [aggregate_of(batch) for batch in batches_of(inputs, rng)]

    assert one_shot.said_by(merged_somehow(aggregates, rng)) == one_shot.computed(inputs)
    assert one_shot.said_by(reduce(merge, aggregates, Aggregate())) == one_shot.computed(inputs)


@given(st.lists(st.integers(0, 130), min_size=90, max_size=250), randoms)
def test_of_more_than_a_hundred_types_the_first_are_counted_one_by_one_and_all_others_together(
    numbers: list[int], rng: Random
) -> None:
    inputs = [
        Input(Instant("2026-11-21T10:00:00.000000000Z"), f"{position:064x}", f"type-{number:03d}", "0" * 64)
        for position, number in enumerate(numbers)
    ]

    aggregates = [aggregate_of(batch) for batch in batches_of(inputs, rng)]

    assert one_shot.said_by(merged_somehow(aggregates, rng)) == one_shot.computed(inputs)


@given(one_shot.inputs_sets)
def test_the_aggregate_of_nothing_changes_nothing(inputs: list[Input]) -> None:
    aggregate = aggregate_of(inputs)

    assert merge(aggregate, Aggregate()) == merge(Aggregate(), aggregate) == aggregate


@given(one_shot.inputs_sets)
def test_inputs_are_in_order_of_time_and_then_id(inputs: list[Input]) -> None:
    assert sorted(inputs) == sorted(inputs, key=lambda single: (single.event_time, single.event_id))


def test_the_aggregate_of_nothing_counts_nothing() -> None:
    assert one_shot.said_by(Aggregate()) == one_shot.computed([])
