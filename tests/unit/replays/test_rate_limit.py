"""Pacing: when the next messages of a replay are due, so that it keeps its rate and never floods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.timestamps import shifted
from chalicelib.replays.rate_limit import BURST_S, MOST_BEHIND_S, burst, due_after, wait_s
from chalicelib.replays.request import MAX_RATE, MIN_RATE
from tests.unit.examples import INGESTED

SECOND = 1_000_000_000

rates = st.floats(MIN_RATE, MAX_RATE)


def test_the_first_messages_wait_for_nothing() -> None:
    assert wait_s(None, INGESTED, 1) == 0


@given(rates)
def test_a_burst_is_at_least_one_message_and_otherwise_a_moments(rate: float) -> None:
    assert burst(rate) >= 1
    assert burst(rate) <= max(1, rate * BURST_S)


@pytest.mark.parametrize(("rate", "waits_s"), [(0.1, 10), (1, 1), (4, 0.25), (10_000, 0.0001)])
def test_after_one_message_the_next_is_due_when_its_share_of_a_second_is_over(rate: float, waits_s: float) -> None:
    due_at = due_after(None, INGESTED, 1, rate)

    assert wait_s(due_at, INGESTED, rate) == pytest.approx(waits_s)
    assert wait_s(due_at, shifted(INGESTED, int(waits_s * SECOND)), rate) == 0
    assert wait_s(due_at, shifted(INGESTED, 3_600 * SECOND), rate) == 0


@given(st.integers(1, 10_000), rates)
def test_who_is_in_time_loses_nothing_by_being_a_moment_late(sent: int, rate: float) -> None:
    due_at = due_after(None, INGESTED, sent, rate)
    a_moment_late = shifted(due_at, int(MOST_BEHIND_S * SECOND) - 1)

    assert due_after(due_at, a_moment_late, sent, rate) == due_after(due_at, due_at, sent, rate)


@given(st.integers(2, 86_400), st.integers(1, 10_000), rates)
def test_who_was_away_makes_up_for_a_second_and_no_more(away_s: int, sent: int, rate: float) -> None:
    due_at = due_after(None, INGESTED, sent, rate)
    back = shifted(due_at, away_s * SECOND)

    from_then = shifted(back, -int(MOST_BEHIND_S * SECOND))
    assert due_after(due_at, back, sent, rate) == shifted(from_then, int(sent / rate * SECOND))


@given(st.integers(1, 86_400), rates)
def test_a_clock_that_was_ahead_stalls_nothing(ahead_s: int, rate: float) -> None:
    due_at = due_after(None, shifted(INGESTED, ahead_s * SECOND), 1, rate)

    assert wait_s(due_at, INGESTED, rate) <= 2 * burst(rate) / rate
    assert due_after(due_at, INGESTED, 1, rate) == due_after(None, INGESTED, 1, rate)
