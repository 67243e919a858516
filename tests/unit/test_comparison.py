"""What two versions do not share is what set arithmetic says, and no list is longer than asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.aggregation import Input
from chalicelib.domain.comparison import compare, paired
from chalicelib.domain.timestamps import Instant

Place = tuple[str, str]


def an_input(place: Place, content: str) -> Input:
    return Input(Instant(place[0]), place[1], "order.paid", content)


def in_order(contents: dict[Place, str]) -> list[Input]:
    return sorted(an_input(place, content) for place, content in contents.items())


# Few times, ids and contents, so that places meet, times tie and contents differ.
sides = st.dictionaries(st.tuples(st.sampled_from("123"), st.sampled_from("abcdef")), st.sampled_from("xy"))


@given(sides, sides, st.integers(1, 12))
def test_a_comparison_is_what_set_arithmetic_says(left: dict[Place, str], right: dict[Place, str], limit: int) -> None:
    found = compare(in_order(left), in_order(right), limit)

    both = left.keys() & right.keys()
    changed = sorted(place for place in both if left[place] != right[place])
    only_left, only_right = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
    assert found.only_in_from == tuple(an_input(place, left[place]) for place in only_left[:limit])
    assert found.only_in_to == tuple(an_input(place, right[place]) for place in only_right[:limit])
    assert [(pair.before, pair.after) for pair in found.changed] == [
        (an_input(place, left[place]), an_input(place, right[place])) for place in changed[:limit]
    ]
    assert (found.only_in_from_count, found.only_in_to_count, found.changed_count, found.shared_count) == (
        len(only_left),
        len(only_right),
        len(changed),
        len(both) - len(changed),
    )
    assert found.truncated == (max(len(only_left), len(only_right), len(changed)) > limit)


@given(sides, sides)
def test_pairs_are_in_order_and_hold_every_input_once(left: dict[Place, str], right: dict[Place, str]) -> None:
    pairs = list(paired(in_order(left), in_order(right)))

    assert [one for one, _ in pairs if one is not None] == in_order(left)
    assert [other for _, other in pairs if other is not None] == in_order(right)
    places = [(known.event_time, known.event_id) for pair in pairs for known in pair[:1] if known is not None]
    assert places == sorted(places)


@given(sides)
def test_a_version_compared_with_itself_shares_everything(side: dict[Place, str]) -> None:
    found = compare(in_order(side), in_order(side), 1)

    assert (found.only_in_from, found.only_in_to, found.changed, found.truncated) == ((), (), (), False)
    assert found.shared_count == len(side)


def test_inputs_are_read_only_as_the_walk_goes_on() -> None:
    def endless() -> Iterator[Input]:
        yield from (an_input((f"{number:04}", "a"), "x") for number in range(5))
        pytest.fail("read further than asked")

    assert len(list(islice(paired(endless(), []), 4))) == 4
