"""Outcomes: the first final one stands, and a replay's counts are always those of its messages' outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.ledger import Counts, Outcome, count_delta, next_outcome

FINAL = [Outcome.INPUT, Outcome.DUPLICATE, Outcome.DROPPED]
OPEN = [None, Outcome.FAILED, Outcome.REDRIVEN]

outcomes = st.sampled_from(Outcome)


def test_what_is_stored_of_an_outcome_stays_readable() -> None:
    """Rows of earlier versions hold these texts, and so does the filter that lists the inputs of a version."""
    assert list(Outcome) == ["INPUT", "DUPLICATE", "DONE", "FAILED", "REDRIVEN", "DROPPED"]


@pytest.mark.parametrize("first", FINAL)
@given(later=outcomes)
def test_nothing_else_becomes_of_a_message_that_has_come_to_its_end(first: Outcome, later: Outcome) -> None:
    assert next_outcome(first, later) is first


@pytest.mark.parametrize("before", OPEN)
@pytest.mark.parametrize("asked", [*FINAL, Outcome.FAILED])
def test_anything_may_become_of_another(before: Outcome | None, asked: Outcome) -> None:
    assert next_outcome(before, asked) is asked


def test_only_what_was_a_dead_letter_is_redriven() -> None:
    assert [next_outcome(before, Outcome.REDRIVEN) for before in OPEN] == [None, Outcome.REDRIVEN, Outcome.REDRIVEN]


@pytest.mark.parametrize(
    ("before", "now", "by"),
    [
        (None, Outcome.INPUT, Counts(processed=1)),
        (None, Outcome.DUPLICATE, Counts(processed=1)),
        (None, Outcome.FAILED, Counts(failed=1)),
        (None, Outcome.DROPPED, Counts(dropped=1)),
        (Outcome.FAILED, Outcome.INPUT, Counts(processed=1, failed=-1)),
        (Outcome.FAILED, Outcome.DROPPED, Counts(failed=-1, dropped=1)),
        (Outcome.FAILED, Outcome.REDRIVEN, Counts(failed=-1)),
        (Outcome.REDRIVEN, Outcome.INPUT, Counts(processed=1)),
        (Outcome.REDRIVEN, Outcome.FAILED, Counts(failed=1)),
        (Outcome.INPUT, Outcome.INPUT, Counts()),
    ],
)
def test_counts_change_as_outcomes_do(before: Outcome | None, now: Outcome, by: Counts) -> None:
    assert count_delta(before, now) == by


@given(st.lists(outcomes))
def test_a_message_counts_once_whatever_is_asked_for(asked: list[Outcome]) -> None:
    recorded: Outcome | None = None
    counts = Counts()
    for outcome in asked:
        now = next_outcome(recorded, outcome)
        counts += count_delta(recorded, now)
        recorded = now

    assert counts == count_delta(None, recorded)
    assert counts.processed + counts.failed + counts.dropped <= 1
