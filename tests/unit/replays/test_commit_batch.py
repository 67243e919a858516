"""A batch ends when its planner's time is up, when it has enough messages, and at the most messages of its replay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.replays.commit_batch import ROWS_A_BATCH, ROWS_BETWEEN_LOOKS, Batch, next_batch
from chalicelib.replays.job import Cursor, ReplayJob
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.selection import SelectedRow
from tests.unit.examples import INGESTED, an_event, stored

WINDOW = {"entity_id": "order-1007", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
EVENT = stored(an_event())


def rows(*, messages_a_row: int = 1) -> Iterator[SelectedRow]:
    """More rows than any batch takes."""
    for number in range(10 * ROWS_A_BATCH):
        yield SelectedRow(Cursor(after=f"{number:05}"), 1, 1, ((EVENT, None),) * messages_a_row)


def batch(of: Iterator[SelectedRow], looks: Iterator[bool], *, size: int = 10_000, sent: int = 0, **how: Any) -> Batch:
    request = ReplayRequest.model_validate(WINDOW | how)
    job = ReplayJob("replay-1", request, "somebody", INGESTED, INGESTED, shards=2, sent=sent)
    return next_batch(of, job, size, lambda: next(looks))


def always() -> Iterator[bool]:
    """There is time, whenever somebody looks."""
    while True:
        yield True


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_batch_ends_at_the_look_at_the_clock_that_finds_no_time_left(looks: int) -> None:
    found = batch(rows(), iter([True] * (looks - 1) + [False]))

    assert (found.scanned, found.ended) == (looks * ROWS_BETWEEN_LOOKS, False)


def test_a_batch_of_rows_without_messages_ends_too() -> None:
    found = batch(rows(messages_a_row=0), always())

    assert (found.scanned, found.ended) == (ROWS_A_BATCH, False)


@pytest.mark.parametrize(
    ("size", "how", "sent", "taken"),
    [
        (7, {}, 0, 7),
        (100, {"rate": 40}, 0, 10),
        (100, {"max_messages": 12}, 0, 12),
        (100, {"max_messages": 12}, 9, 3),
    ],
)
def test_a_batch_reads_no_further_than_it_sends(size: int, how: dict[str, Any], sent: int, taken: int) -> None:
    unread = rows()

    found = batch(unread, always(), size=size, sent=sent, **how)

    assert (len(found.sends), found.scanned, found.cursor) == (taken, taken, Cursor(after=f"{taken - 1:05}"))
    assert found.ended == ("max_messages" in how)
    assert next(unread).cursor == Cursor(after=f"{taken:05}")


def test_a_row_with_more_messages_than_the_limit_leaves_is_cut() -> None:
    found = batch(rows(messages_a_row=5), always(), max_messages=7)

    assert (len(found.sends), found.scanned, found.ended) == (7, 2, True)
