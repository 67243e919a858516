"""Count what a replay would send, without sending it."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, takewhile

from chalicelib.core.pagination import PageOf, chunks
from chalicelib.core.percent_encoding import entity_digest
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import AT_ONCE, REQUEST_US, CountedReads, ReadsSpent
from chalicelib.core.timestamps import Day, Instant, day_of, shifted
from chalicelib.events.index_pages import Partition, TypeDayPartition
from chalicelib.replays.destinations import DeclaredDestination, Destinations
from chalicelib.replays.estimate import Estimate, Reads, cost_usd, estimate
from chalicelib.replays.events_file import EventsFile
from chalicelib.replays.job import beginning_of
from chalicelib.replays.origins import Origins
from chalicelib.replays.ports import TouchedDay, required_job
from chalicelib.replays.preview_report import Preview, Tally, in_order, largest
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.selection import ReadSelection

COUNTING_US = REQUEST_US * 2 // 3
"""What an entity's events may be counted for. What is left of the budget goes into their details."""

PARTITIONS_AT_ONCE = AT_ONCE


@dataclass
class DaysInMemory:
    """The days that a preview has found."""

    found: list[tuple[Day, str, str]] = field(default_factory=list)
    known: set[tuple[str, Day]] = field(default_factory=set)

    def add(self, days: Iterable[tuple[str, Day]]) -> None:
        """Keep days of entities; each is kept once, in the order that the planner has them in."""
        for entity_id, day in set(days) - self.known:
            self.known.add((entity_id, day))
            insort(self.found, (day, entity_digest(entity_id), entity_id))

    def page(self, after: str | None, limit: int) -> PageOf[TouchedDay]:
        """At most `limit` days, in order, after a position."""
        begin = 0 if after is None else int(after) + 1
        some = self.found[begin : begin + limit]
        days = tuple(TouchedDay(str(begin + number), entity_id, day) for number, (day, _, entity_id) in enumerate(some))
        more = begin + limit < len(self.found)
        return PageOf(days, days[-1].position if more else None)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What would be sent, how many rows were gone through, whether they were all, and the ids that no event has.

    `looked_up` counts what was looked up for them.
    """

    tally: Tally
    scanned: int
    exact: bool
    not_found: Sequence[str] = ()
    looked_up: int = 0


@dataclass(frozen=True)
class PreviewReplay:
    """What POST /replay answers with ?dry_run=true, and before a replay so large that it must be confirmed."""

    origins: Origins
    shards: int
    processors: int
    index_lag_s: int
    now: Clock
    concurrently: Concurrently
    destinations: Destinations
    sending_to: Callable[[str], int] = lambda _: 0
    """How many replays send to a destination, which share its rate."""

    def count_messages(self, request: ReplayRequest, *, detailed_above: int = 0) -> Preview:
        """Go through what the planner would read, up to a bound, and count what it would send.

        Of an entity's events only the rows say what they are. Where that is not wanted of a replay of at most
        `detailed_above` messages, they are counted without being fetched.
        """
        if _plain(request) and request.entity_id is not None:
            return self._of_entity(request, detailed_above)
        if _all_unprocessed(request):
            return self._unprocessed(request)
        file = self.file_of(request)
        shown_to = self._index_shows_to(request)
        counted = self._counted_by_type(request) if _plain(request) else self._read(request, REQUEST_US)
        ids = 0 if file is None else file.events
        told = self._preview(request, counted, counted.tally.messages, exact=counted.exact, rows=ids)
        return replace(told, index_read_to=shown_to, file=file, not_found=counted.not_found)

    def file_of(self, request: ReplayRequest) -> EventsFile | None:
        """The file that a request names, if it names one; raises InvalidRequest if it is not there."""
        if request.events_file is None or request.of is not None:
            return None
        return self.origins.named.file(request.events_file)

    def verify_file_of(self, request: ReplayRequest) -> None:
        """Read the file that a request names, if it names one; raises InvalidRequest if it is malformed."""
        if request.events_file is not None:
            self.origins.named.verified(request.events_file, self.concurrently)

    def _index_shows_to(self, request: ReplayRequest) -> Instant | None:
        if not request.reads_index_by_type:
            return None
        return shifted(self.now(), -self.index_lag_s * 1_000_000_000)

    def _of_entity(self, request: ReplayRequest, detailed_above: int) -> Preview:
        counting = CountedReads(self.concurrently, COUNTING_US)
        rows, exact = self._rows(request, counting)
        messages = sum(rows.values())
        if exact and messages <= detailed_above:
            counted = _Counted(Tally(), messages, exact)
        else:
            counted = self._read(request, REQUEST_US - COUNTING_US + counting.left_us)
        return self._preview(request, counted, messages, exact=exact)

    def _unprocessed(self, request: ReplayRequest) -> Preview:
        """The counts of the other replay say how many messages are unprocessed, and the rows which, up to a bound."""
        counted, of = self._read(request, REQUEST_US), required_job(self.origins.replays, request.of or "")
        messages = counted.tally.messages if counted.exact else of.sent - of.processed
        return self._preview(request, counted, messages, exact=True, rows=of.sent)

    def _preview(
        self, request: ReplayRequest, counted: _Counted, messages: int, *, exact: bool, rows: int = 0
    ) -> Preview:
        """The report. Planners look up at least as many rows as `rows` if they were not all counted."""
        read_past = 0 if request.of is None and request.events_file is not None else counted.scanned - messages
        reads = Reads(counted.looked_up if counted.exact else max(counted.looked_up, rows), max(0, read_past))
        return Preview(
            request=request,
            messages=messages,
            exact=exact,
            scanned=counted.scanned,
            by_day=in_order(counted.tally.by_day),
            by_source=largest(counted.tally.by_source),
            by_type=largest(counted.tally.by_type),
            estimate=self._estimate(request, messages, reads),
            index_read_to=None,
        )

    def _estimate(self, request: ReplayRequest, messages: int, reads: Reads) -> Estimate:
        name = request.destination
        to = self.destinations.by_name.get(name, DeclaredDestination(name, ""))
        of_one_entity = request.entity_id is not None
        told = estimate(messages, to, self._rate(request), self.processors, of_one_entity=of_one_entity)
        return replace(told, cost_usd=cost_usd(messages, to, reads))

    def _rate(self, request: ReplayRequest) -> float | None:
        """That of the request or its share of that of its destination, the lower of both."""
        rate = self.destinations.rates.get(request.destination)
        share = None if rate is None else rate / (1 + self.sending_to(request.destination))
        return min((each for each in (request.rate, share) if each is not None), default=None)

    def _read(self, request: ReplayRequest, budget_us: int) -> _Counted:
        """Count row by row."""
        days, tally, scanned, looked_up, not_found = DaysInMemory(), Tally(), 0, 0, list[str]()
        most = request.max_messages
        reads = CountedReads(self.concurrently, budget_us)
        with suppress(ReadsSpent):
            for row in ReadSelection(request, self.origins, days, self.shards, reads).rows(beginning_of(request)):
                scanned += row.scanned
                looked_up += row.looked_up
                not_found += [row.not_found] if row.not_found is not None else []
                if row.touched_day is not None:
                    days.add([row.touched_day])
                for event, _ in row.sends[: None if most is None else most - tally.messages]:
                    tally.add(event.source, event.event_type, day_of(event.event_time))
                if tally.messages == most:
                    break
            return _Counted(tally, scanned, exact=True, not_found=not_found, looked_up=looked_up)
        return _Counted(tally, scanned, exact=False, not_found=not_found, looked_up=looked_up)

    def _counted_by_type(self, request: ReplayRequest) -> _Counted:
        """The same where source, type and day of a row are those of its partition."""
        rows, exact = self._rows(request, CountedReads(self.concurrently, REQUEST_US))
        tally = Tally()
        for partition, count_of_it in rows.items():
            if isinstance(partition, TypeDayPartition):
                tally.add(partition.source, partition.event_type, partition.day, count_of_it)
        return _Counted(tally, tally.messages, exact)

    def _rows(self, request: ReplayRequest, reads: CountedReads) -> tuple[Counter[Partition], bool]:
        """How many rows each partition has, and whether all of them were counted."""
        rows: Counter[Partition] = Counter()
        with suppress(ReadsSpent):
            for partitions in chunks(_partitions(request, self.shards), PARTITIONS_AT_ONCE):
                unread: list[tuple[Partition, str | None]] = [(partition, None) for partition in partitions]
                while unread:
                    counted = reads(lambda both: self.origins.index.count(*both), unread)
                    so_far = [(partition, found) for (partition, _), found in zip(unread, counted, strict=True)]
                    rows.update({partition: found.rows for partition, found in so_far})
                    unread = [(partition, found.read_to) for partition, found in so_far if found.read_to is not None]
            return rows, True
        return rows, False


def _plain(request: ReplayRequest) -> bool:
    """Whether a replay sends each event of its window, once."""
    as_they_are = request.max_messages is None and not request.filtered and not request.selects_whole_days
    return as_they_are and not request.include_duplicates and request.events_file is None


def _all_unprocessed(request: ReplayRequest) -> bool:
    """Whether a replay sends each message that another left unprocessed."""
    chosen = request.include is not None or request.exclude is not None or request.whole_days
    return request.of is not None and not chosen and request.max_messages is None


def _partitions(request: ReplayRequest, shards: int) -> Iterator[Partition]:
    groups = takewhile(lambda group: group is not None, (request.group(number, shards) for number in count()))
    return (partition for group in groups for partition in group or ())
