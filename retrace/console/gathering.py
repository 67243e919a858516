"""Reads events from the API page by page, draws them meanwhile, and keeps them for zooming."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from chalicelib.core.timestamps import Instant, instant_of, parse_instant
from retrace.client import Client
from retrace.console.picture import HOUR, Frame, Gathered, Mark

Json = dict[str, Any]

FIRST_PAGE, PAGE = "50", "1000"
"""The first page is short, as there is something to see sooner, and is the list below the picture."""
MOST_EVENTS = 200_000
MOST_BINS_ASKED = 10_000
MARKED_UNASKED = 500
"""Whether an event arrived again costs the API a read for each, so of more events it is asked only if wanted."""
KEPT = 6
LATE_MS = HOUR


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drawn."""

    selection: tuple[tuple[str, str], ...]
    """As GET /events takes it, without its window."""
    start: Instant
    end: Instant
    late_ms: int = LATE_MS
    bin_ms: int = 0
    by_lag: bool = False
    marks: bool = False
    since: int = 0
    """In milliseconds: what was read before is not fresh enough."""

    @property
    def frame(self) -> Frame:
        """The window in milliseconds."""
        return Frame(milliseconds(self.start), milliseconds(self.end), self.late_ms, self.bin_ms)


def wanted(query: Mapping[str, str], late_ms: int = LATE_MS) -> Wanted:
    """What a request asks for; raises ValueError with a text fit for a user."""
    names = ("entity_id", "source", "event_type")
    selection = tuple((name, query[name]) for name in names if query.get(name))
    start, end = (_instant(query, name) for name in ("start_time", "end_time"))
    if start >= end:
        raise ValueError("start_time must be before end_time, which is excluded")
    bin_ms = _number(query, "bin_ms", 0)
    if bin_ms * MOST_BINS_ASKED < milliseconds(end) - milliseconds(start) and bin_ms:
        raise ValueError(f"bin_ms makes more than {MOST_BINS_ASKED} bins")
    return Wanted(
        selection,
        start,
        end,
        late_ms=late_ms,
        bin_ms=bin_ms,
        by_lag=query.get("by") == "lag",
        marks=query.get("marks") == "true",
        since=_number(query, "since", 0),
    )


def in_view(query: Mapping[str, str]) -> tuple[datetime, datetime] | None:
    """The window that a request names, None if it names none; raises ValueError with a text fit for a user."""
    if not query.get("start_time"):
        return None
    asked = wanted(query)
    start, end = (datetime.fromtimestamp(milliseconds(each) / 1_000, UTC) for each in (asked.start, asked.end))
    return start, end


def _instant(query: Mapping[str, str], name: str) -> Instant:
    try:
        return parse_instant(query.get(name, ""))
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 15):
        raise ValueError(f"{name} must be a whole number of milliseconds")
    return int(text)


def milliseconds(instant: str) -> int:
    """Since 1970; what is finer is cut off."""
    return round(datetime.fromisoformat(instant[:23] + "+00:00").timestamp() * 1_000)


@dataclass
class _Kept:
    """Events of a selection that were read, and when."""

    wanted: Wanted
    read_at: str
    gathered: Gathered = field(default_factory=Gathered)
    stopped: bool = False
    marked: bool = False

    def holds(self, wanted: Wanted) -> bool:
        """Whether it contains the wanted window."""
        mine = self.wanted
        within = mine.start <= wanted.start and wanted.end <= mine.end
        if (
            mine.selection != wanted.selection
            or not within
            or self.stopped
            or milliseconds(self.read_at) < wanted.since
        ):
            return False
        # Of a few events it is worth asking which of them arrived again.
        return self.marked or not (wanted.marks or self.gathered.count(wanted.frame) <= MARKED_UNASKED)


class PictureReader:
    """Pictures of events. Threads may share it."""

    def __init__(self, client: Client, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._kept: OrderedDict[Wanted, _Kept] = OrderedDict()
        self._lock = Lock()

    def pictures(self, wanted: Wanted) -> Iterator[Json]:
        """What is known so far, again and again, up to the whole; raises Problem."""
        kept = self._known(wanted)
        if kept is None:
            kept = _Kept(wanted, instant_of(self._clock()))
            yield from self._read(kept)
            self._keep(kept)
        yield _shown(kept, wanted, done=True)

    def _known(self, wanted: Wanted) -> _Kept | None:
        with self._lock:
            return next((kept for kept in reversed(self._kept.values()) if kept.holds(wanted)), None)

    def _keep(self, kept: _Kept) -> None:
        with self._lock:
            self._kept[kept.wanted] = kept
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _read(self, kept: _Kept) -> Iterator[Json]:
        gathered = kept.gathered
        for (page, cursor), is_time in doubling(self._pages(kept.wanted)):
            if not gathered.ids:
                yield {"rows": page, "cursor": cursor}
            gathered.add(page, milliseconds)
            if is_time:
                yield _shown(kept, kept.wanted, done=False) | {"until": page[-1]["event_time"] if page else None}
            else:
                yield {"read": len(gathered.ids), "until": page[-1]["event_time"] if page else None}
            if len(gathered.ids) >= MOST_EVENTS:
                kept.stopped = True
                return
        if kept.wanted.marks or len(gathered.ids) <= MARKED_UNASKED:
            yield from self._mark(kept)

    def _mark(self, kept: _Kept) -> Iterator[Json]:
        for mark in Mark:
            for page, _ in self._pages(kept.wanted, mark):
                for item in page:
                    kept.gathered.mark(item["event_id"], mark)
                yield {"looking_for": mark.name}
        kept.marked = True

    def _pages(self, wanted: Wanted, mark: Mark | None = None) -> Iterator[tuple[list[Json], str | None]]:
        status = None if mark is None else mark.name
        query = {**dict(wanted.selection), "start_time": wanted.start, "end_time": wanted.end, "status": status}
        cursor: str | None = None
        while True:
            limit = FIRST_PAGE if cursor is None else PAGE
            found = self._client.get("/events", {**query, "limit": limit, "cursor": cursor})
            cursor = found.get("cursor")
            yield found["items"], cursor
            if cursor is None:
                return


def _shown(kept: _Kept, wanted: Wanted, *, done: bool) -> Json:
    """The picture, and the number of its events."""
    return {
        "picture": kept.gathered.picture(
            wanted.frame, by_lag=wanted.by_lag, known_to=milliseconds(kept.read_at) if done and not kept.stopped else 0
        ),
        "read": len(kept.gathered.ids),
        "read_at": kept.read_at,
        "late_ms": wanted.late_ms,
        "stopped": kept.stopped,
        "marked": kept.marked,
        "done": done,
    }


def doubling(pages: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Each page, and whether it is time to draw: after 1, 2, 4, 8 … pages, so that drawing costs twice the last one."""
    for number, page in enumerate(pages, start=1):
        yield page, number & (number - 1) == 0


MOST_COUNTED = 20_000
"""How many events of a source and type are read for an overview; each page of a thousand is a call."""


def counts(client: Client, wanted: Wanted) -> Json:
    """Events and late ones in each bin, and up to which time they were read if there are more."""
    frame = wanted.frame
    found: Json = {"first": frame.first, "width": frame.width, "all": [0] * frame.bins, "late": [0] * frame.bins}
    window = {"start_time": wanted.start, "end_time": wanted.end, "limit": PAGE}
    read, until = 0, None
    for item in client.pages("/events", {**dict(wanted.selection), **window}, MOST_COUNTED):
        time = milliseconds(item["event_time"])
        place = (time - frame.first) // frame.width
        found["all"][place] += 1
        found["late"][place] += item["ingest_lag_ms"] >= wanted.late_ms
        read, until = read + 1, time
    return {**found, "until": until if read == MOST_COUNTED else None}
