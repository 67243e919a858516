"""How large batches are: within the limits of the API, and small enough to be answered in good time."""

from __future__ import annotations

from chalicelib.ingest.request import MAX_EVENTS

MOST_EVENTS = MAX_EVENTS
MOST_BYTES = 4_400_000
"""Below 5,000,000, so that a body which does not compress still fits into the 6 MB of Lambda, in base64."""

FIRST_EVENTS = 200
LEAST_EVENTS = 20
QUICK_S = 2.0
SLOW_S = 8.0
"""API Gateway gives up after 29 seconds, and what is sent again then was mostly taken in already."""


class Pace:
    """Batches grow while answers come quickly, and shrink when they take long. Threads may share it."""

    def __init__(self, most_events: int = MOST_EVENTS, size: int = MOST_BYTES) -> None:
        self.size = size
        self.events = min(FIRST_EVENTS, most_events)
        self._most = most_events

    def took(self, events: int, seconds: float) -> None:
        """A batch of so many events was answered after so long, other attempts and pauses included."""
        if seconds > SLOW_S:
            self.events = min(self.events, max(LEAST_EVENTS, events // 2))
        elif seconds < QUICK_S and events >= self.events:
            self.events = min(self._most, events * 2)
