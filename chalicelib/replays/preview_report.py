"""Reports what a replay would send, and whether it must be confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from chalicelib.core.errors import Conflict, Fault
from chalicelib.core.timestamps import Day, Instant
from chalicelib.metrics.definition import Definition
from chalicelib.replays.estimate import Estimate
from chalicelib.replays.events_file import EventsFile
from chalicelib.replays.partial_days import PartialDays
from chalicelib.replays.request import ReplayRequest

NAMES_SHOWN = 100
NOT_FOUND_SHOWN = 20


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
class Preview:
    """What a replay would send. If the count is not exact, it is what was found before counting stopped, at least.

    Days, sources and types are those of the rows that were gone through (`scanned`), which may be fewer.
    `index_read_to` is the instant before which every acknowledged event is in the index by type; None for an entity and
    a file, which are read consistently. `not_found` are ids of the file that no event has. `metrics` are those
    that the request chose, if it chose any, and `partial_days` days of their calendars that it covers in part.
    """

    request: ReplayRequest
    messages: int
    exact: bool
    scanned: int
    by_day: Mapping[str, int]
    by_source: Mapping[str, int]
    by_type: Mapping[str, int]
    estimate: Estimate
    index_read_to: Instant | None
    file: EventsFile | None = None
    not_found: Sequence[str] = ()
    metrics: Sequence[Definition] | None = None
    partial_days: Sequence[PartialDays] = ()

    @property
    def at_most(self) -> int | None:
        """How many messages there cannot be more of, if that is known: `max_messages`, or as many as a file names."""
        request = self.request
        if request.max_messages is not None or self.file is None:
            return request.max_messages
        return None if request.selects_whole_days or request.include_duplicates else self.file.events

    def confirmed(self, above: int) -> bool:
        """Whether the replay may run: it is known to be small, or its size was named.

        Its size is what was counted, or what it cannot exceed. What was found before counting stopped is its size only
        if that is large already: a caller that confirms a few of many does not know what it confirms.
        """
        request = self.request
        if self.exact and self.messages <= above:
            return True
        if self.at_most is not None and request.confirm == self.at_most:
            return True
        return request.confirm == self.messages and not _is_unknown(self, above)


def largest(counts: Counter[str]) -> dict[str, int]:
    """The names with the highest counts, in descending order."""
    return dict(counts.most_common(NAMES_SHOWN))


def in_order(counts: Counter[str]) -> dict[str, int]:
    """All counts, by name."""
    return dict(sorted(counts.items(), key=itemgetter(0)))


class ConfirmationNeeded(Conflict):
    """A replay is so large, or of so unknown a size, that it must be confirmed."""

    def __init__(self, preview: Preview, above: int) -> None:
        detail, advice = _unknown(preview, above) if _is_unknown(preview, above) else _large(preview, above)
        given = preview.request.confirm
        super().__init__(detail, (Fault("confirm", advice if given is None else f"is {given}, and {advice}"),))
        self.preview = preview


def _is_unknown(preview: Preview, above: int) -> bool:
    """Whether the size cannot be confirmed, as counting stopped before it found a large one."""
    return not preview.exact and preview.messages < above


def _large(preview: Preview, above: int) -> tuple[str, str]:
    counted = f"{'' if preview.exact else 'at least '}{preview.messages}"
    return (
        f"This replay would send {counted} messages. Above {above}, a replay must be confirmed.",
        f'must be {preview.messages} to go on: repeat the request with "confirm": {preview.messages}',
    )


def _unknown(preview: Preview, above: int) -> tuple[str, str]:
    advice = f'needs a known size: give "max_messages" of at most {above}, confirm a larger one or shorten the window'
    if preview.file is not None and preview.at_most is not None:
        advice = f"must be {preview.at_most}, the most that this file can send"
    found = f"Counting ran out of reads, with {preview.messages} messages found"
    return f"{found}: the size of this replay is not known.", advice
