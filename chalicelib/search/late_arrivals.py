"""Reads late arrivals of all sources: the last days of arrival first, and of each day the latest events first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.core.pagination import PageOf, invalid_cursor
from chalicelib.core.read_budget import PaidReads
from chalicelib.core.timestamps import Day, end_of, start_of
from chalicelib.events.index_pages import LateDayPartition, Page, Row, shards_of_late_day
from chalicelib.events.ports import EventIndex, SourceAndType, Sources
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.queries import ArrivalsQuery

_PARTITIONS_AT_ONCE = 400
"""Sources and types with as many shards are merged by how late their events are. Further ones follow them."""


ROWS_AT_ONCE = 10_000
FEWEST_ROWS_A_READ = 25


@dataclass(frozen=True, slots=True)
class Position:
    """How far late arrivals were read: a day of arrival, a position among sources, one among lags."""

    day: Day
    sources_after: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        return f"{self.day}\0{self.after or ''}\0{self.sources_after or ''}"

    @classmethod
    def of(cls, text: str | None, query: ArrivalsQuery) -> Position:
        """The position of a cursor, or the first; raises InvalidRequest. Keys are checked when they are read from."""
        days = query.days
        day, _, rest = (text or days[0]).partition("\0")
        if day not in days:
            raise invalid_cursor()
        after, _, sources_after = rest.partition("\0")
        if sources_after and query.source is not None and query.event_type is not None:
            raise invalid_cursor()
        return cls(Day(day), sources_after or None, after or None)


def text_of(position: Position | None) -> str | None:
    """A position as a cursor has it; None if nothing is left."""
    return None if position is None else str(position)


@dataclass(frozen=True, slots=True)
class LateRows:
    """Some late arrivals in order, where they are, and where to go on; None at the end."""

    rows: tuple[Row, ...]
    at: Position
    next: Position | None

    @property
    def events(self) -> Iterator[StoredEvent]:
        """The events of the rows."""
        return (row.event for row in self.rows)

    def parts(self, size: int) -> Iterator[LateRows]:
        """The same rows, at most as many at a time."""
        for start in range(0, max(1, len(self.rows)), size):
            yield LateRows(self.rows[start : start + size], self.at, self.after(start + size))

    def after(self, count: int) -> Position | None:
        """Where to go on after the first of them."""
        return replace(self.at, after=self.rows[count - 1].sort_key) if count < len(self.rows) else self.next


@dataclass
class _Stream:
    """Rows read of a partition and not yet returned; `read_to` is None at its end."""

    partition: LateDayPartition
    read_to: str | None
    begun: bool = False
    rows: tuple[Row, ...] = ()

    @property
    def is_lacking(self) -> bool:
        return not self.rows and (not self.begun or self.read_to is not None)


@dataclass(frozen=True)
class LateArrivals:
    """Late arrivals by time of arrival."""

    sources: Sources
    index: EventIndex
    shards: int

    def rows(self, query: ArrivalsQuery, begin: Position, rows: int, reads: PaidReads) -> Iterator[LateRows]:
        """Late arrivals from a position on, about as many at a time; raises ReadsSpent."""
        days = query.days
        at: Position | None = begin
        while at is not None:
            page = self._sources(query, at.sources_after, reads)
            following = self._following(days, at, page)
            streams = self._streams(page.items, at)
            size = max(FEWEST_ROWS_A_READ, min(rows, ROWS_AT_ONCE // max(1, len(streams))))
            for given, horizon in _merged(streams, self._read(query, at, size), reads):
                yield LateRows(given, at, following if horizon is None else replace(at, after=horizon))
            at = following

    def _sources(self, query: ArrivalsQuery, after: str | None, reads: PaidReads) -> PageOf[SourceAndType]:
        if query.source is not None and query.event_type is not None:
            return PageOf((SourceAndType(query.source, query.event_type, query.window.start),), None)
        at_once = max(1, _PARTITIONS_AT_ONCE // self.shards)
        [page] = reads(lambda position: self.sources.page(position, at_once, query.source), [after])
        wanted = tuple(each for each in page.items if query.event_type in (None, each.event_type))
        return PageOf(wanted, page.read_to)

    def _following(self, days: Sequence[Day], at: Position, page: PageOf[SourceAndType]) -> Position | None:
        """Further sources on the same day, or the day before."""
        if page.read_to is not None:
            return Position(at.day, page.read_to)
        earlier = days[days.index(at.day) + 1 :]
        return Position(earlier[0]) if earlier else None

    def _streams(self, found: Sequence[SourceAndType], at: Position) -> list[_Stream]:
        return [
            _Stream(partition, at.after)
            for each in found
            for partition in shards_of_late_day(each.source, each.event_type, at.day, self.shards)
        ]

    def _read(self, query: ArrivalsQuery, at: Position, rows: int) -> Callable[[_Stream], Page]:
        window, day = query.window, at.day
        cut = window if window.start > start_of(day) or window.end < end_of(day) else None
        return lambda stream: self.index.late(stream.partition, stream.read_to, rows, cut)


def _merged(
    streams: Sequence[_Stream], read: Callable[[_Stream], Page], reads: PaidReads
) -> Iterator[tuple[tuple[Row, ...], str | None]]:
    """Rows of all streams, the latest first, and how far they go: only rows that no unread row can precede."""
    while lacking := [stream for stream in streams if stream.is_lacking]:
        for stream, page in zip(lacking, reads(read, lacking), strict=True):
            stream.rows, stream.read_to, stream.begun = page.rows, page.read_to, True
        horizon = max((stream.read_to for stream in streams if stream.read_to is not None), default=None)
        yield _given_out(streams, horizon), horizon


def _given_out(streams: Sequence[_Stream], horizon: str | None) -> tuple[Row, ...]:
    """Take the rows out of the streams that are as late as the horizon or later, the latest first."""
    given = list[Row]()
    for stream in streams:
        ready = [row for row in stream.rows if horizon is None or row.sort_key >= horizon]
        stream.rows = stream.rows[len(ready) :]
        given += ready
    return tuple(sorted(given, key=lambda row: row.sort_key, reverse=True))
