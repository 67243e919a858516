"""Which hours have far fewer events than their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.search.dips import RULE, Dip, dips_in

COUNTS = st.lists(st.integers(0, 3) | st.integers(0, 40) | st.integers(0, 10_000), max_size=90)


def is_dip(counts: Sequence[int], first: int, end: int) -> bool:
    """The rule, hour by hour, as the answer words it."""
    before, after = list(counts[:first])[-3:], list(counts[end:])[:3]
    if not before or not 1 <= end - first <= 21 or (end - first > 6 and first < 24):
        return False
    day_before = list(counts[first - 24 : end - 24]) if end - first > 6 else []
    usual = min(median_low(each) for each in (before, after, day_before) if each)
    return all(count <= usual / 5 and count <= usual - 6 for count in counts[first:end])


@given(COUNTS)
def test_each_dip_is_one_by_the_rule_and_every_other_one_overlaps_with_it(counts: list[int]) -> None:
    found = dips_in(counts)

    hours = [hour for dip in found for hour in range(dip.first, dip.end)]
    assert len(hours) == len(set(hours))
    assert all(is_dip(counts, dip.first, dip.end) for dip in found)
    assert all(dip.events == sum(counts[dip.first : dip.end]) for dip in found)
    for first in range(len(counts)):
        for end in range(first + 1, min(first + 22, len(counts) + 1)):
            assert not is_dip(counts, first, end) or set(range(first, end)) & set(hours)


@given(st.lists(st.integers(0, 6), max_size=100))
def test_a_source_of_at_most_six_events_an_hour_has_no_dip_in_hours_with_events(counts: list[int]) -> None:
    assert sum(dip.events for dip in dips_in(counts)) == 0


@given(
    st.lists(st.integers(10, 15), min_size=3, max_size=20),
    st.lists(st.integers(0, 2), min_size=1, max_size=6),
    st.lists(st.integers(10, 15), max_size=20),
)
def test_an_outage_of_up_to_six_hours_is_found_whatever_trickled_in_and_whether_it_has_ended(
    before: list[int], outage: list[int], after: list[int]
) -> None:
    found = dips_in(before + outage + after)

    assert [(dip.first, dip.end, dip.events) for dip in found] == [
        (len(before), len(before) + len(outage), sum(outage))
    ]


@given(
    st.lists(st.integers(10, 15), min_size=24, max_size=30),
    st.lists(st.integers(0, 2), min_size=7, max_size=21),
    st.lists(st.integers(10, 15), max_size=20),
)
def test_an_outage_of_up_to_21_hours_is_found_if_the_day_before_it_had_events(
    before: list[int], outage: list[int], after: list[int]
) -> None:
    found = dips_in(before + outage + after)

    assert [(dip.first, dip.end, dip.events) for dip in found] == [
        (len(before), len(before) + len(outage), sum(outage))
    ]


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([7, 7, 7, 7, 1, 7, 7, 7], [Dip(4, 5, 1, 7)]),
        ([7, 7, 7, 0, 1, 7, 7, 7], [Dip(3, 5, 1, 7)]),
        ([7, 7, 7, 2, 7, 7, 7], []),
        ([6, 6, 6, 1, 6, 6, 6], []),
        ([100] * 12 + [2] * 12 + [100] * 12, []),
        (([100] * 12 + [2] * 12) * 4, []),
        ([12] * 30 + [1] * 12 + [12] * 10, [Dip(30, 42, 12, 12)]),
        ([12] * 30 + [1] * 24 + [12] * 10, []),
        ([100] * 12 + [2] * 3, [Dip(12, 15, 6, 100)]),
        ([100] * 12 + [60, 30, 20, 15, 20, 30, 60] + [100] * 3, []),
        ([0] * 30 + [50] * 3, []),
        ([], []),
    ],
    ids=[
        "usually seven",
        "two hours",
        "a third",
        "few",
        "night",
        "nights",
        "half a day",
        "a day",
        "so far",
        "slowly",
        "a new source",
        "nothing",
    ],
)
def test_what_is_a_dip_and_what_is_none(counts: list[int], found: list[Dip]) -> None:
    assert dips_in(counts) == found


def test_the_rule_is_said_in_numbers() -> None:
    assert "at most 21 hours, each with at most a fifth" in RULE
    assert "Of more than 6 hours, it is also at most the median of the same hours a day before" in RULE
    assert "at least 6 fewer" in RULE
    assert "the 3 hours before the dip or that of the 3 after" in RULE
