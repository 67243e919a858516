"""Merged pages: a walk over partitions that are read unevenly brings every row once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.pagination import every_page
from chalicelib.events.index_pages import Page, Row, first_of, merged
from tests.unit.examples import an_event, stored
from tests.unit.json_trees import randoms

EVENT = stored(an_event())


def read(keys: list[str], after: str | None, rng: Random, wanted: set[str], *, newest_first: bool) -> Page:
    """A page of one partition, as DynamoDB gives it: it ends anywhere, and a filter takes rows out of it."""
    ordered = sorted(keys, reverse=newest_first)
    rest = [key for key in ordered if after is None or (key < after if newest_first else key > after)]
    size = rng.randint(1, 4)
    rows = tuple(Row(key, EVENT) for key in rest[:size] if key in wanted)
    return Page(rows, rest[size - 1] if len(rest) > size else None)


def walked(shards: list[list[str]], rng: Random, wanted: set[str], *, newest_first: bool) -> Iterator[str]:
    """The sort keys of the rows of all pages."""

    def page(after: str | None) -> Page:
        pages = [read(keys, after, rng, wanted, newest_first=newest_first) for keys in shards]
        return merged(pages, newest_first=newest_first)

    for found in every_page(page):
        yield from (row.sort_key for row in found.rows)


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
@given(rows=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=25), rng=randoms)
def test_a_walk_over_uneven_partitions_brings_every_wanted_row_once_and_in_order(
    newest_first: bool,  # noqa: FBT001  # a parameter of the test
    rows: list[tuple[int, bool]],
    rng: Random,
) -> None:
    shards: list[list[str]] = [[], [], []]
    for number, (shard, _) in enumerate(rows):
        shards[shard].append(f"{number:02}")
    wanted = [f"{number:02}" for number, (_, is_wanted) in enumerate(rows) if is_wanted]

    found = list(walked(shards, rng, set(wanted), newest_first=newest_first))

    assert found == sorted(wanted, reverse=newest_first)


@given(st.integers(1, 30), st.none() | st.just("99"))
def test_a_page_cut_at_a_limit_goes_on_after_its_last_row(limit: int, read_to: str | None) -> None:
    rows = tuple(Row(f"{number:02}", EVENT) for number in range(20))

    page = first_of(Page(rows, read_to), limit)

    assert page == (Page(rows[:limit], f"{limit - 1:02}") if limit < 20 else Page(rows, read_to))


def test_a_page_names_the_events_of_its_rows() -> None:
    assert Page((Row("1", EVENT),), None).events == (EVENT,)
