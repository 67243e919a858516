"""Decides when a replay may send its next messages, so that it keeps its rate across planners."""

from __future__ import annotations

from chalicelib.core.timestamps import Instant, nanoseconds, shifted

_NANOSECONDS_A_SECOND = 1_000_000_000

BURST_S = 0.25
"""Messages of this many seconds are sent together: few enough to keep the rate within any few seconds."""

MOST_BEHIND_S = 1.0
"""A planner that comes late makes up for this much of it. What waited for longer does not come as a flood."""


def burst(rate: float) -> int:
    """How many messages are sent together at a rate in messages a second."""
    return max(1, int(rate * BURST_S))


def wait_s(due_at: Instant | None, now: Instant, rate: float) -> float:
    """Seconds until the next message may be sent; 0 for the first of all.

    At most what two bursts take, as many messages as are ever sent together: another function has set `due_at`, and its
    clock may be ahead.
    """
    if due_at is None:
        return 0.0
    left_s = (nanoseconds(due_at) - nanoseconds(now)) / _NANOSECONDS_A_SECOND
    return max(0.0, min(left_s, 2 * burst(rate) / rate))


def due_after(due_at: Instant | None, now: Instant, sent: int, rate: float) -> Instant:
    """When the next message is due, if `sent` messages are sent now."""
    earliest = shifted(now, -int(MOST_BEHIND_S * _NANOSECONDS_A_SECOND))
    begun = now if due_at is None else min(now, max(due_at, earliest))
    return shifted(begun, int(sent / rate * _NANOSECONDS_A_SECOND))
