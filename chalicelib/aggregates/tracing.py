"""Trace two versions of a daily aggregate, or one, to their events: the inputs, and what two do not share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.asked_metric import MetricChange, metric_change, metric_named
from chalicelib.aggregates.completeness import unprocessed
from chalicelib.aggregates.diff import Comparison, Side
from chalicelib.aggregates.inputs import FoundInputs, Input
from chalicelib.aggregates.ports import AggregateHistory, AggregateVersion, InputsPage
from chalicelib.aggregates.queries import AggregatesQuery, DiffQuery, InputsQuery
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.core.errors import Fault, InvalidRequest, NotFound
from chalicelib.core.pagination import every_page, from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day
from chalicelib.metrics.contribution import Contribution
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ZERO, Exact
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.ports import ReplayStore

WEIGH_US = 50
"""Computing for one row that is put in order."""


def biggest_inputs(
    page_after: Callable[[str | None], InputsPage], reads: PaidReads, definition: Definition, limit: int
) -> tuple[tuple[Input, ...], bool]:
    """At most `limit` inputs, the largest magnitude first, then by time and id, and whether all inputs were read."""
    biggest: list[Input] = []
    try:
        for page in every_page(lambda after: reads(page_after, [after])[0]):
            reads.pay(len(page.inputs) * WEIGH_US)
            biggest = _by_magnitude(chain(biggest, page.inputs), definition)[:limit]
    except ReadsSpent:
        return tuple(biggest), False
    return tuple(biggest), True


def require_numbers(definition: Definition | None) -> Definition:
    """The metric whose contributions are to be put in order; raises InvalidRequest if they have none."""
    if definition is None:
        raise InvalidRequest("There are no contributions to order by.", (Fault("by", "needs a metric"),))
    if definition.aggregate == "distinct":
        fault = Fault("by", f"cannot be contribution: {definition.name} takes texts. Ask by time")
        raise InvalidRequest("The contributions have no order.", (fault,))
    return definition


def _by_magnitude(inputs: Iterable[Input], definition: Definition) -> list[Input]:
    weighed = [(each, each.contributed_to(definition)) for each in inputs]
    contributing = [(_magnitude(found), each) for each, found in weighed if isinstance(found, Contribution)]
    in_time = sorted(contributing, key=lambda pair: pair[1].key)
    return [each for _, each in sorted(in_time, key=lambda pair: pair[0], reverse=True)]


def _magnitude(found: Contribution) -> Exact:
    amount = found.amount if isinstance(found.amount, Exact) else ZERO
    return Exact(abs(amount.coefficient), amount.scale)


ROWS_A_READ = 1_000
VALUES_US = REQUEST_US // 2
"""What values that need all inputs may cost a difference. What is left of the budget compares."""

_BETWEEN = "\x00"
"""Of the two positions of a cursor; no key has it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions of a daily aggregate, a page of their differences, and the cursor to the next."""

    from_: AggregateVersion
    to: AggregateVersion
    comparison: Comparison
    cursor: str | None
    metric: MetricChange | None = None
    incomplete: Mapping[str, str] = field(default_factory=dict)
    """Of each side whose replay is not complete, how far it is."""


@dataclass(frozen=True)
class TraceVersions:
    """The use cases behind GET /aggregates/inputs and /aggregates/diff."""

    history: AggregateHistory
    replays: ReplayStore
    metrics: StoredMetrics
    concurrently: Concurrently

    def inputs(self, query: InputsQuery) -> FoundInputs:
        """A page of inputs, by time and id; raises NotFound. It may be empty and have a cursor: then go on.

        One read, whatever the size of the version; a second one if the first messages are no inputs.
        """
        fingerprint = query_fingerprint(query)
        after = from_cursor(fingerprint, query.cursor)
        metric = None if query.metric is None else self._metric(query, query.metric)
        page_after = partial(self._page, query.version(query.replay_id), metric)
        if query.by == "contribution":
            metric, reads = require_numbers(metric), PaidReads(self.concurrently, REQUEST_US)
            found, exact = biggest_inputs(lambda at: page_after(at, ROWS_A_READ), reads, metric, query.limit)
            return FoundInputs(found, None, metric, exact)
        page = page_after(after, query.limit)
        if after is None and not page.inputs and not (page.read_to and self._named(query, query.replay_id)):
            raise _no_version(query, replay_id=query.replay_id)
        return FoundInputs(page.inputs, to_cursor(fingerprint, page.read_to), metric)

    def _metric(self, query: InputsQuery, name: str) -> Definition:
        stored = self._named(query, query.replay_id)
        if not stored:
            raise _no_version(query, replay_id=query.replay_id)
        return metric_named(self._explained(stored[0])[0], name).definition

    def _page(self, version: Version, metric: Definition | None, after: str | None, limit: int) -> InputsPage:
        return self.history.inputs(version, after, limit, () if metric is None else (metric,))

    def difference(self, query: DiffQuery) -> Difference:
        """Return a page of the differences of two versions, with the cursor to the next. Raises NotFound.

        A page ends with its differences, or when the reads of a request are used up: it may have none.
        """
        fingerprint = query_fingerprint(query)
        afters = _positions(from_cursor(fingerprint, query.cursor))
        reads = PaidReads(self.concurrently, REQUEST_US)
        # Before the versions: what a job that is complete had written is then there.
        jobs = dict(zip(query.named, reads(self.replays.get, query.named.values()), strict=True))
        from_, to = both = self._compared(query, reads)
        metric = None if query.metric is None else metric_change(from_, to, query.metric)
        definitions = (None, None) if metric is None else (metric.from_.definition, metric.to.definition)
        sides = [
            Side(one.version, self.history.position_of, definition, at)
            for one, definition, at in zip(both, definitions, afters, strict=True)
        ]
        comparison = self._comparison(sides, query.limit, reads)
        more = any(side.more or side.next is not None for side in sides)
        position = _BETWEEN.join(side.after or "" for side in sides) if more else None
        cursor = to_cursor(fingerprint, position)
        return Difference(from_, to, comparison, cursor, metric, dict(_incomplete(jobs)))

    def _compared(self, query: DiffQuery, reads: PaidReads) -> list[AggregateVersion]:
        stored = {found.version.replay_id: found for found in self._named(query, *query.named.values())}
        unknown = {name: replay_id for name, replay_id in query.named.items() if replay_id not in stored}
        if unknown:
            raise _no_version(query, **unknown)
        explained = [self._explained(stored[replay_id]) for replay_id in (query.from_, query.to)]
        if query.metric is None:
            return [found for found, _ in explained]
        own = PaidReads(self.concurrently, VALUES_US)
        versions = self.metrics.valued(explained, query.metric, own)
        reads.pay(VALUES_US - own.left_us)
        return versions

    def _explained(self, stored: AggregateVersion) -> tuple[AggregateVersion, bool]:
        """A version with the metrics that its replay pins, and whether that is settled. It is read if it pins some."""
        job = None if stored.packed is None else self.replays.get(stored.version.replay_id)
        return self.metrics.of(stored, job), job is not None and job.settled

    def _named(self, query: AggregatesQuery, *replay_ids: str) -> list[AggregateVersion]:
        return self.history.named(query.entity_id, Day(query.day), replay_ids, query.calendar)

    def _comparison(self, sides: list[Side], limit: int, reads: PaidReads) -> Comparison:
        found = Comparison()
        while found.differences < limit:
            lagging = [side for side in sides if side.lags]
            try:
                pages = reads(lambda side: self._page(side.version, side.metric, side.after, ROWS_A_READ), lagging)
            except ReadsSpent:
                break
            for side, page in zip(lagging, pages, strict=True):
                side.take_in(page)
            if not any(side.lags for side in sides) and not found.add(*sides):
                break
        return found


def _positions(both: str | None) -> list[str | None]:
    if both is None:
        return [None, None]
    positions = both.split(_BETWEEN)
    if len(positions) != len(("from", "to")):
        raise invalid_cursor()
    return [position or None for position in positions]


def _incomplete(jobs: Mapping[str, ReplayJob | None]) -> Iterator[tuple[str, str]]:
    for side, job in jobs.items():
        if job is not None and job.public_state is not JobState.COMPLETE:
            yield side, next(unprocessed(job))


def _no_version(query: AggregatesQuery, **replay_ids: str) -> NotFound:
    names = " and ".join(replay_ids.values())
    faults = [Fault(field, "names no version of this entity and day") for field in replay_ids]
    return NotFound(f"This entity's aggregate of {query.day} has no version {names}.", faults)
