"""What a replay would send, counted before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from chalicelib.domain.errors import Conflict, Fault
from chalicelib.domain.estimate import Estimate
from chalicelib.domain.replay_request import ReplayRequest
from chalicelib.domain.timestamps import Day

NAMES_SHOWN = 100


@dataclass
class Tally:
    """Messages counted by day, source and type."""

    messages: int = 0
    by_day: Counter[str] = field(default_factory=Counter)
    by_source: Counter[str] = field(default_factory=Counter)
    by_type: Counter[str] = field(default_factory=Counter)

    def add(self, source: str, event_type: str, day: Day, messages: int = 1) -> None:
        """Count messages of one source, type and day."""
        if messages:
            self.messages += messages
            self.by_day[day] += messages
            self.by_source[source] += messages
            self.by_type[event_type] += messages


@dataclass(frozen=True, slots=True)
class Size:
    """How many messages a replay would send; at least, if the count is not exact."""

    messages: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would send. If the count is not exact, it is what was found before counting stopped, at least.

    Days, sources and types are those of the rows that were gone through (`scanned`), which may be fewer.
    """

    request: ReplayRequest
    messages: int
    exact: bool
    scanned: int
    by_day: Mapping[str, int]
    by_source: Mapping[str, int]
    by_type: Mapping[str, int]
    estimate: Estimate


def largest(counts: Counter[str]) -> dict[str, int]:
    """The names that stand for most, in descending order."""
    return dict(counts.most_common(NAMES_SHOWN))


def in_order(counts: Counter[str]) -> dict[str, int]:
    """All counts, by name."""
    return dict(sorted(counts.items(), key=itemgetter(0)))


class ConfirmationNeeded(Conflict):
    """A replay is so large that it must be confirmed with the number of messages that were counted."""

    def __init__(self, preview: Preview, above: int) -> None:
        given, counted = preview.request.confirm, f"{'' if preview.exact else 'at least '}{preview.messages}"
        detail = f"This replay would send {counted} messages. Above {above}, a replay must be confirmed."
        advice = f'must be {preview.messages} to go on: repeat the request with "confirm": {preview.messages}'
        super().__init__(detail, (Fault("confirm", advice if given is None else f"is {given}, and {advice}"),))
        self.preview = preview
