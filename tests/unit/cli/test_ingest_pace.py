"""Batches of `retrace ingest` are as large as they may be, and as small as a slow API needs them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retrace.ingesting.records import Record
from retrace.ingesting.sending import LEAST_EVENTS, Pace, Tally, batches, tally_of


def test_batches_grow_while_answers_come_quickly() -> None:
    pace, sizes = Pace(), []
    for _ in range(5):
        sizes.append(pace.events)
        pace.took(pace.events, 0.5)

    assert sizes == [200, 400, 800, 1_000, 1_000]


def test_batches_shrink_when_answers_take_long_once_for_all_that_were_in_flight() -> None:
    pace = Pace()

    for _ in range(8):
        pace.took(200, 20.0)
    after_the_first = pace.events
    pace.took(after_the_first, 4.0)
    in_good_time = pace.events
    for _ in range(9):
        pace.took(pace.events, 20.0)

    assert (after_the_first, in_good_time, pace.events) == (100, 100, LEAST_EVENTS)


def test_the_last_batch_of_a_file_which_is_small_says_nothing() -> None:
    pace = Pace()
    pace.took(3, 0.1)
    assert pace.events == 200


def test_one_may_ask_for_smaller_ones() -> None:
    pace = Pace(most_events=7)
    pace.took(7, 0.1)
    assert pace.events == 7


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 9), st.integers(1, 50))
def test_every_record_is_in_one_batch_in_order_and_within_the_limits(
    lengths: list[int], events: int, size: int
) -> None:
    records = [Record(line, b"x" * length) for line, length in enumerate(lengths)]
    position = iter(range(1_000))

    found = list(batches(3, iter(records), Pace(events, size), lambda: next(position)))

    assert [one for batch in found for one in batch.records] == records
    for batch in found:
        assert batch.file == 3
        assert 0 < len(batch.records) <= events
        assert len(batch.records) == 1 or sum(len(one.text) + 1 for one in batch.records) <= size


def test_a_status_of_later_versions_counts_as_rejected() -> None:
    counted = tally_of({"status": status} for status in ("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED", "ERASED"))

    assert counted == Tally(accepted=1, duplicate=1, conflict=1, rejected=2)
    assert counted.events == 5
