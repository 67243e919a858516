"""Whatever the size of a day, a request about it is answered before its time is over, at any latency of AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.aggregates import newest_versions, tracing
from chalicelib.aggregates import stored_metrics as values
from chalicelib.aggregates import use_cases as aggregates_use_cases
from chalicelib.aggregates.dynamodb_history import DynamoAggregateHistory
from chalicelib.aggregates.ports import INPUTS_A_LOOK_UP
from chalicelib.aggregates.queries import DiffQuery, InputsQuery, VersionsQuery
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.aggregates.tracing import TraceVersions
from chalicelib.aggregates.use_cases import InvestigateAggregates
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item
from chalicelib.core import read_budget
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.read_budget import PaidReads
from chalicelib.core.timestamps import Instant
from chalicelib.events import raw_lines
from chalicelib.events.dynamodb_index import DynamoEventIndex
from chalicelib.events.dynamodb_rows import index_row
from chalicelib.events.index_pages import LateDayPartition, Page
from chalicelib.events.raw_objects import RawLocation
from chalicelib.metrics.metric_state import REST, GroupState, MetricState
from chalicelib.replays import origins, selection
from chalicelib.replays.destinations import destinations_in
from chalicelib.replays.job import JobState, ReplayJob, Requester
from chalicelib.replays.pinning import PinMetrics
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.preview_report import ConfirmationNeeded
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.use_cases import RequestReplay
from chalicelib.search import late, late_arrivals
from chalicelib.search.gaps import FindGaps
from chalicelib.search.late import FindLate
from chalicelib.search.late_arrivals import LateArrivals
from chalicelib.search.queries import (
    EventsQuery,
    FreshnessQuery,
    GapsQuery,
    LateQuery,
    LateSummaryQuery,
    SourcesQuery,
    StaleQuery,
)
from chalicelib.search.sources import CheckFreshness, ListSources
from chalicelib.search.stale import FindStale
from chalicelib.search.use_cases import InvestigateEvent, SearchEvents
from tests.copied_project import ROOT
from tests.unit.aggregates.values_in_memory import stored_metrics
from tests.unit.definitions_in_memory import DefinitionsInMemory, defined
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.in_memory import Bucket, Jobs, Queues, Rows, SourcesInMemory, at, no_pause, origins_of
from tests.unit.large_tables import DAYS, Invocation, LargeTables, replay_id

SOMEBODY = Requester("somebody")
NO_METRICS = DefinitionsInMemory()
CALLS_BESIDE = 8
"""Of a replay's request: its key, its place in the order, its job, and the messages that have it planned."""

ENTITY_DAY = {"entity_id": "order-1007", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
ENTITY_MONTH = {**ENTITY_DAY, "start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}
TYPE_DAY = {"source": "shop/checkout", "event_type": "order.paid", "day": "2026-11-21"}
TYPE_MONTH = {"source": "shop/checkout", "event_type": "order.paid", "start_day": "2026-11-01", "end_day": "2026-11-30"}
TYPE_YEARS = {**TYPE_MONTH, "start_day": "2020-01-01", "end_day": "2029-12-31"}
SELECTIONS = {
    "an entity's day": ENTITY_DAY,
    "an entity's month": ENTITY_MONTH,
    "a type's day": TYPE_DAY,
    "a type's month": TYPE_MONTH,
    "ten years of a type": TYPE_YEARS,
}
FILTERED = {"include": {"event_types": ["order.paid"]}}
OPTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "filtered": FILTERED,
    "filtered to nothing": {"include": {"event_types": ["order.other"]}},
    "whole days": {"whole_days": True},
    "limited": {"max_messages": 9_999_999},
}


@pytest.fixture
def fifty_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Invocation:
    """A request of which each row that is read counts as fifty, and as many fewer are read at a time."""
    monkeypatch.setattr(read_budget, "ROW_US", 50 * read_budget.ROW_US)
    for module, name in (
        (origins, "ROWS_A_READ"),
        (origins, "FEWEST_ROWS_A_READ"),
        (selection, "ROWS_OF_A_DAY"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) // 50)
    return Invocation(a_row=50)


def history_of(tables: LargeTables) -> DynamoAggregateHistory:
    return DynamoAggregateHistory(tables, "aggregates", no_pause)  # type: ignore[arg-type]  # a fake


def index_of(tables: LargeTables | SilentTables) -> DynamoEventIndex:
    return DynamoEventIndex(tables, "events", no_pause, tables.invocation.concurrently)  # type: ignore[arg-type]  # a fake


def no_metrics(tables: LargeTables) -> StoredMetrics:
    return stored_metrics(history_of(tables))


def investigation(tables: LargeTables, replays: Jobs, invocation: Invocation) -> InvestigateAggregates:
    return InvestigateAggregates(
        history_of(tables), index_of(tables), replays, no_metrics(tables), invocation.concurrently
    )


def preview_of(tables: LargeTables, shards: int = 4) -> PreviewReplay:
    return PreviewReplay(origins_of(index_of(tables)), shards, 10, 5, at(), tables.invocation.concurrently, STAGE)


@pytest.mark.parametrize("shards", [4, 64])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("chosen", SELECTIONS.values(), ids=SELECTIONS)
def test_a_preview_of_ten_million_events_a_day_is_answered_in_time(
    fifty_at_a_time: Invocation, chosen: dict[str, Any], options: dict[str, Any], shards: int
) -> None:
    tables = LargeTables(fifty_at_a_time, 10_000_000)

    told = preview_of(tables, shards).count_messages(ReplayRequest.model_validate(chosen | options))

    fifty_at_a_time.assert_answered(CALLS_BESIDE)
    assert not told.exact


def test_a_preview_reads_rows_as_they_are_in_time() -> None:
    invocation = Invocation()

    told = preview_of(LargeTables(invocation, 10_000_000)).count_messages(
        ReplayRequest.model_validate(ENTITY_DAY | FILTERED)
    )

    invocation.assert_answered(CALLS_BESIDE)
    assert told.messages > 100_000, "enough to confirm what is as large as must be confirmed"


@pytest.mark.parametrize("later_arrivals", [0, 2, 1_000])
@pytest.mark.parametrize("chosen", [ENTITY_DAY, TYPE_DAY], ids=["entity", "type"])
def test_a_preview_with_later_arrivals_is_answered_in_time(chosen: dict[str, Any], later_arrivals: int) -> None:
    invocation = Invocation()
    tables = LargeTables(invocation, 10_000_000, later_arrivals)

    told = preview_of(tables).count_messages(ReplayRequest.model_validate({**chosen, "include_duplicates": True}))

    invocation.assert_answered(CALLS_BESIDE)
    assert (told.messages > 0, told.exact) == (True, False)


STAGE = destinations_in('{"aggregates": {"arn": "arn"}}')


@pytest.mark.parametrize("chosen", [ENTITY_DAY, ENTITY_MONTH, TYPE_DAY, TYPE_MONTH])
def test_a_large_replay_is_refused_with_a_number_that_confirms_it(
    fifty_at_a_time: Invocation, chosen: dict[str, Any]
) -> None:
    def ask(invocation: Invocation, **confirm: int) -> ReplayJob:
        preview = preview_of(LargeTables(invocation, 10_000_000))
        asked = ReplayRequest.model_validate({**chosen, **confirm})
        return RequestReplay(
            Jobs(), Queues(), preview, 100_000, 4, 5, at(), str, PinMetrics(NO_METRICS), STAGE
        ).request(asked, SOMEBODY)

    with pytest.raises(ConfirmationNeeded) as refused:
        ask(fifty_at_a_time)
    fifty_at_a_time.assert_answered(CALLS_BESIDE)
    told = refused.value.preview
    job = ask(Invocation(a_row=50), confirm=told.messages)

    assert (told.messages > 100_000, told.exact) == (True, False)
    assert job.request.confirm == told.messages


@dataclass
class Replays(Jobs):
    """A replay for each id, each of the same request and in the same state."""

    invocation: Invocation = field(default_factory=Invocation)
    request: dict[str, Any] = field(default_factory=dict)
    state: JobState = JobState.SENT

    def get(self, replay_id: str) -> ReplayJob:
        self.invocation.call(1)
        request = ReplayRequest.model_validate(self.request)
        job = ReplayJob(replay_id, request, "somebody", INGESTED, INGESTED, 4, self.state)
        return replace(job, sent=10_000_000, processed=10_000_000)


DAY = {"entity_id": "order-1007", "day": DAYS[0]}
FIRST_DAY = {**ENTITY_DAY, "start_time": f"{DAYS[0]}T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"}
STANDINGS = {
    "complete": (FIRST_DAY, JobState.SENT),
    "complete by type": ({**TYPE_DAY, "day": DAYS[0]}, JobState.SENT),
    "running": (FIRST_DAY, JobState.SENDING),
}


@pytest.fixture
def fifty_events_at_a_time(monkeypatch: pytest.MonkeyPatch, fifty_at_a_time: Invocation) -> Invocation:
    """The same for questions about aggregates."""
    for asking in (aggregates_use_cases, tracing):
        monkeypatch.setattr(asking, "ROWS_A_READ", asking.ROWS_A_READ // 50)
    monkeypatch.setattr(values, "ROWS_A_READ", values.ROWS_A_READ // 50)
    for name in ("COMPUTING_US", "ROW_US"):
        monkeypatch.setattr(values, name, 50 * getattr(values, name))
    monkeypatch.setattr(newest_versions, "INPUTS_A_LOOK_UP", INPUTS_A_LOOK_UP // 50)
    monkeypatch.setattr(aggregates_use_cases, "LOOK_US", 50 * read_budget.LOOK_US)
    return fifty_at_a_time


@pytest.mark.parametrize("limit", [1, 20, 100])
@pytest.mark.parametrize(("request_", "state"), STANDINGS.values(), ids=STANDINGS)
def test_versions_of_a_day_of_ten_million_events_are_answered_in_time(
    fifty_events_at_a_time: Invocation, request_: dict[str, Any], state: JobState, limit: int
) -> None:
    invocation = fifty_events_at_a_time
    tables = LargeTables(invocation, 10_000_000, versions=5_000)
    replays = Replays(invocation=invocation, request=request_, state=state)
    investigate = InvestigateAggregates(
        history_of(tables), index_of(tables), replays, no_metrics(tables), invocation.concurrently
    )

    found = investigate.investigate(VersionsQuery.model_validate({**DAY, "limit": limit}))

    invocation.assert_answered()
    assert [account.status.stored.version.replay_id for account in found.accounts] == [
        replay_id(4_999 - number) for number in range(limit)
    ]
    assert (found.exact, found.cursor is not None) == (False, True)


def test_a_complete_day_of_half_a_million_events_is_counted_to_its_end(fifty_events_at_a_time: Invocation) -> None:
    invocation = fifty_events_at_a_time
    tables = LargeTables(invocation, 500_000, versions=1)
    replays = Replays(invocation=invocation, request=FIRST_DAY)
    investigate = InvestigateAggregates(
        history_of(tables), index_of(tables), replays, no_metrics(tables), invocation.concurrently
    )

    found = investigate.investigate(VersionsQuery.model_validate(DAY))

    invocation.assert_answered()
    assert found.exact


@pytest.mark.parametrize("of_to", ["inputs", "no inputs"])
@pytest.mark.parametrize("of_from", ["inputs", "no inputs"])
def test_two_versions_of_ten_million_inputs_are_compared_page_by_page_each_in_time(
    fifty_events_at_a_time: Invocation, of_from: str, of_to: str
) -> None:
    sides = [keys.inputs("order-1007", DAYS[0], replay_id(number)) for number in range(2)]
    without = [side for side, holds in zip(sides, (of_from, of_to), strict=True) if holds == "no inputs"]
    asked = {**DAY, "from": replay_id(0), "to": replay_id(1), "limit": 1_000}
    after: list[str | None] = [None]
    for _ in range(3):
        invocation = Invocation(a_row=50)
        tables = LargeTables(invocation, 10_000_000, versions=2, without_inputs=frozenset(without))
        compare = TraceVersions(history_of(tables), Jobs(), no_metrics(tables), invocation.concurrently).difference
        after.append(compare(DiffQuery.model_validate({**asked, "cursor": after[-1]})).cursor)
        invocation.assert_answered()

    assert None not in after[1:]
    assert len(set(after)) == len(after), "each page goes on"


def test_a_page_of_inputs_is_answered_in_time_whatever_the_version() -> None:
    invocation = Invocation()
    tables = LargeTables(invocation, 10_000_000, versions=1)

    asked = InputsQuery.model_validate({**DAY, "replay_id": replay_id(0), "limit": 1_000})
    found = TraceVersions(history_of(tables), Jobs(), no_metrics(tables), invocation.concurrently).inputs(asked)

    invocation.assert_answered()
    assert (len(found.inputs), found.cursor is not None) == (1_000, True)


LATER, EARLIER = Instant("2027-01-01T00:00:00.000000000Z"), Instant("2026-10-01T00:00:00.000000000Z")
WINDOWS = {
    "a month of hours": {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z", "unit": "hour"},
    "a year of days": {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z", "unit": "day"},
}
OF_ENTITY, OF_TYPE = {"entity_id": "order-1007"}, {"source": "shop/checkout", "event_type": "order.paid"}


def arrived(at_: Instant) -> Item:
    """The row of each event, all of which arrived at once; rows that are ahead pass no filter."""
    return index_row(stored(an_event(), at_), 4, 3_600_000)


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("chosen", [OF_ENTITY, OF_TYPE], ids=["entity", "type"])
def test_gaps_among_ten_million_events_a_day_are_answered_in_time(
    chosen: dict[str, str], window: dict[str, str]
) -> None:
    invocation = Invocation()
    index = index_of(LargeTables(invocation, 10_000_000, row=arrived(LATER)))

    find = FindGaps(SourcesInMemory(), index, 4, at(LATER), invocation.concurrently)
    found = find.find(GapsQuery.model_validate(chosen | window))

    invocation.assert_answered()
    assert [gap.start[:10] for gap in found.gaps] == ([] if window["unit"] == "hour" else ["2026-01-01", "2026-12-01"])


@pytest.mark.parametrize("chosen", [OF_ENTITY, OF_TYPE], ids=["entity", "type"])
@pytest.mark.parametrize("shards", [4, 64])
def test_gaps_among_millions_of_events_that_are_ahead_are_refused_in_time(chosen: dict[str, str], shards: int) -> None:
    invocation = Invocation()
    index = index_of(LargeTables(invocation, 10_000_000, passes=False, row=arrived(EARLIER)))

    find = FindGaps(SourcesInMemory(), index, shards, at(LATER), invocation.concurrently)
    with pytest.raises(InvalidRequest, match="too large to read in one request"):
        find.find(GapsQuery.model_validate({**chosen, "day": DAYS[0]}))

    invocation.assert_answered()


@pytest.mark.parametrize("shards", [4, 64])
@pytest.mark.parametrize("now", [Instant("2026-11-30T12:00:00.000000000Z"), LATER], ids=["ahead", "long ago"])
def test_freshness_is_answered_in_time_however_far_back_or_ahead_events_are(now: Instant, shards: int) -> None:
    invocation = Invocation()
    index = index_of(LargeTables(invocation, 10_000_000, passes=False, row=arrived(EARLIER)))
    asked = FreshnessQuery.model_validate({**OF_TYPE, "look_back_days": 366, "max_age_s": 60})

    found = CheckFreshness(index, shards, at(now), invocation.concurrently).check(asked)

    invocation.assert_answered()
    assert (found.newest, found.fresh) == (None, False)
    assert found.looked_back_to > "2025-12-31", "no further than it came"


@dataclass
class SilentTables:
    """An index without an event."""

    invocation: Invocation

    def query(self, **_: Any) -> Item:
        self.invocation.call()
        return {"Items": []}


@pytest.mark.parametrize("shards", [4, 64])
def test_sources_are_answered_in_time_however_many_are_silent(shards: int) -> None:
    invocation = Invocation()
    index = index_of(SilentTables(invocation))
    sources = SourcesInMemory({("shop", f"type-{number}"): EARLIER for number in range(1_000)})
    asked = SourcesQuery(look_back_days=366, limit=1_000)

    found = ListSources(sources, index, shards, at(LATER), invocation.concurrently).page(asked)

    invocation.assert_answered()
    assert len(found.found) == 1_000
    assert found.last_seen == {}
    assert found.looked_back_to >= "2027-01-01", "no further than it came"


@pytest.mark.parametrize("more", [{}, {"min_lag_ms": 1}, {"status": "DUPLICATE"}], ids=["all", "late", "duplicates"])
@pytest.mark.parametrize("chosen", [OF_ENTITY, OF_TYPE], ids=["entity", "type"])
@pytest.mark.parametrize("shards", [4, 64])
def test_a_page_of_events_is_answered_in_time(chosen: dict[str, Any], shards: int, more: dict[str, Any]) -> None:
    invocation = Invocation()
    index = index_of(LargeTables(invocation, 10_000_000, passes=False))
    asked = EventsQuery.model_validate({**chosen, "day": DAYS[0], "limit": 1_000, **more})

    found = SearchEvents(Rows(), index, shards, Bucket(), invocation.concurrently).search(asked)

    invocation.assert_answered()
    assert found.cursor is not None


def test_a_page_of_a_type_reads_little_more_than_it_shows() -> None:
    invocation = Invocation()
    asked = EventsQuery.model_validate({**OF_TYPE, "day": DAYS[0], "limit": 1_000})

    found = SearchEvents(
        Rows(), index_of(LargeTables(invocation, 10_000_000)), 4, Bucket(), invocation.concurrently
    ).search(asked)

    assert len(found.events) == 1_000
    assert invocation.rows < 1_250


class ObjectOfEach(Bucket):
    """A raw bucket in which each event has its own object, so that each read is a call."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__()
        self.invocation = invocation

    def read(self, location: RawLocation) -> bytes:
        self.invocation.call(rows=1)
        return b""


@pytest.mark.parametrize("chosen", [OF_ENTITY, OF_TYPE], ids=["entity", "type"])
@pytest.mark.parametrize("shards", [4, 64])
def test_a_page_with_the_texts_of_events_is_answered_in_time(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, Any], shards: int
) -> None:
    monkeypatch.setattr(raw_lines, "GAP_BYTES", -1_000_000)
    invocation = Invocation()
    index = index_of(LargeTables(invocation, 10_000_000))
    asked = EventsQuery.model_validate({**chosen, "day": DAYS[0], "limit": 1_000, "include": "event"})

    found = SearchEvents(Rows(), index, shards, ObjectOfEach(invocation), invocation.concurrently).search(asked)

    invocation.assert_answered()
    assert found.lines is not None
    assert len(found.lines) == len(found.events) > 0


@pytest.fixture
def ten_late_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row that is read counts as ten, and as many fewer are read at a time."""
    monkeypatch.setattr(read_budget, "ROW_US", 10 * read_budget.ROW_US)
    for module, name in (
        (newest_versions, "ROWS_OF_A_DAY"),
        (newest_versions, "INPUTS_A_LOOK_UP"),
        (late_arrivals, "ROWS_AT_ONCE"),
        (late_arrivals, "FEWEST_ROWS_A_READ"),
        (late, "ROWS_A_READ"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) // 10)


def late_among(invocation: Invocation, sources: int, shards: int) -> FindLate:
    """A million late arrivals in each shard of each source."""
    known = SourcesInMemory({(f"shop-{number}", "order.paid"): EARLIER for number in range(sources)})
    index = index_of(LargeTables(invocation, 10_000_000))
    return FindLate(LateArrivals(known, index, shards), invocation.concurrently)


@pytest.mark.parametrize("sources", [1, 3, 1_000])
@pytest.mark.parametrize("shards", [4, 64])
def test_a_page_of_late_arrivals_is_answered_in_time_and_full(shards: int, sources: int) -> None:
    invocation = Invocation()
    asked = {"start_time": f"{DAYS[0]}T00:00:00Z", "end_time": "2026-12-01T00:00:00Z", "limit": 1_000}

    found = late_among(invocation, sources, shards).page(LateQuery.model_validate(asked))

    invocation.assert_answered()
    assert (len(found.events), found.cursor is not None) == (1_000, True)


@pytest.mark.parametrize("sources", [1, 3, 1_000])
@pytest.mark.parametrize("shards", [4, 64])
@pytest.mark.usefixtures("ten_late_at_a_time")
def test_late_arrivals_are_counted_in_time_as_far_as_reads_go(shards: int, sources: int) -> None:
    invocation = Invocation(a_row=10)
    asked = LateSummaryQuery.model_validate({"day": DAYS[0]})

    found = late_among(invocation, sources, shards).summary(asked)

    invocation.assert_answered()
    assert found.cursor is not None
    assert sum(group.events for group in found.groups) > 5_000


@dataclass
class OneOfEachDay:
    """The index of large days in which each late event is of an entity of its own."""

    index: DynamoEventIndex

    def __getattr__(self, name: str) -> Any:
        return getattr(self.index, name)

    def late(self, partition: LateDayPartition, *asked: Any) -> Page:
        page = self.index.late(partition, *asked)
        rows = [replace(row, event=replace(row.event, entity_id=f"{partition}{row.sort_key}")) for row in page.rows]
        return Page(tuple(rows), page.read_to)


@pytest.mark.parametrize(("request_", "state"), STANDINGS.values(), ids=STANDINGS)
@pytest.mark.parametrize("versions", [0, 1])
@pytest.mark.usefixtures("ten_late_at_a_time")
def test_stale_days_are_looked_for_in_time_and_each_page_goes_on(
    request_: dict[str, Any], state: JobState, versions: int
) -> None:
    asked = {"day": DAYS[0], "limit": 1_000}
    after: list[str | None] = [None]
    for _ in range(2):
        invocation = Invocation(a_row=10)
        tables = LargeTables(invocation, 10_000_000, versions=versions)
        index: Any = OneOfEachDay(index_of(tables))
        arrivals = LateArrivals(SourcesInMemory({("shop", f"t{n}"): EARLIER for n in range(9)}), index, 4)
        replays = Replays(invocation=invocation, request=request_, state=state)
        find = FindStale(arrivals, history_of(tables), index, replays, invocation.concurrently)

        after.append(find.find(StaleQuery.model_validate({**asked, "cursor": after[-1]})).cursor)

        invocation.assert_answered()

    assert None not in after[1:]
    assert after[1] != after[2]


def test_an_event_of_a_day_of_thousands_of_versions_is_shown_in_time() -> None:
    invocation = Invocation()
    tables, rows, event = LargeTables(invocation, 10_000_000, versions=5_000), Rows(), stored(an_event())
    rows.admit([event], "request", INGESTED)
    show = InvestigateEvent(rows, index_of(tables), Bucket(), history_of(tables), invocation.concurrently)

    shown = show.history(event.event_id)

    invocation.assert_answered()
    assert (len(shown.aggregates), shown.more_aggregates) == (1_000, True)


def documented(request: str) -> list[int]:
    """The numbers of rows that docs/scale.md says a request reads at most."""
    lines = (ROOT / "docs" / "scale.md").read_text().splitlines()
    [row] = [line.split("|") for line in lines if line.startswith(f"| {request} |")]
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]+", row[2])]


def rounded(read: int) -> Any:
    """As docs round: to two digits, and rather down."""
    return pytest.approx(read, rel=0.04)


class TestRowsThatDocsNameAreThoseOfTheBudget:
    @pytest.mark.parametrize(
        ("request_", "chosen"),
        [("events of an entity", [ENTITY_DAY]), ("events of a type", [TYPE_DAY, TYPE_MONTH])],
    )
    def test_that_a_preview_counts(
        self, fifty_at_a_time: Invocation, request_: str, chosen: list[dict[str, Any]]
    ) -> None:
        counted = [
            preview_of(LargeTables(replace(fifty_at_a_time), 10_000_000)).count_messages(
                ReplayRequest.model_validate(each)
            )
            for each in chosen
        ]

        said = documented(f"preview, {request_}")[: len(chosen)]
        assert said == [rounded(preview.messages) for preview in counted]

    @pytest.mark.parametrize("chosen", [ENTITY_DAY, TYPE_DAY])
    def test_that_a_filtered_preview_reads(self, fifty_at_a_time: Invocation, chosen: dict[str, Any]) -> None:
        asked = ReplayRequest.model_validate(chosen | FILTERED)
        told = preview_of(LargeTables(fifty_at_a_time, 10_000_000)).count_messages(asked)

        assert documented("preview with filters, `max_messages` or whole days") == [rounded(50 * told.messages)]

    def test_that_a_diff_compares(self, fifty_events_at_a_time: Invocation) -> None:
        tables = LargeTables(fifty_events_at_a_time, 10_000_000, versions=2)
        asked = DiffQuery.model_validate({**DAY, "from": replay_id(0), "to": replay_id(1)})
        found = TraceVersions(
            history_of(tables), Jobs(), no_metrics(tables), fifty_events_at_a_time.concurrently
        ).difference(asked)

        assert documented("`GET /aggregates/diff`") == [rounded(50 * found.comparison.shared)]

    @pytest.mark.parametrize(("more", "exact"), [(1, True), (1.04, False)])
    def test_that_versions_of_a_whole_day_count(
        self, fifty_events_at_a_time: Invocation, more: float, *, exact: bool
    ) -> None:
        invocation = fifty_events_at_a_time
        [rows] = documented("`GET /aggregates`, versions of the whole day")
        tables = LargeTables(invocation, int(rows * more), versions=1)
        replays = Replays(invocation=invocation, request=FIRST_DAY)
        investigate = InvestigateAggregates(
            history_of(tables), index_of(tables), replays, no_metrics(tables), invocation.concurrently
        )

        assert investigate.investigate(VersionsQuery.model_validate(DAY)).exact is exact

    @pytest.mark.parametrize(("more", "known"), [(1, True), (1.04, False)])
    def test_that_a_metric_of_all_inputs_is_computed_from(
        self, fifty_events_at_a_time: Invocation, more: float, *, known: bool
    ) -> None:
        invocation = fifty_events_at_a_time
        [rows] = documented("`GET /aggregates`, a metric of all inputs")
        inputs = int(rows * more) // 50
        tables = LargeTables(invocation, inputs, versions=1)
        version = history_of(tables).versions("order-1007", DAYS[0], None, 1).versions[0]
        median = defined(name="median", aggregate="percentile", percentile=50, value="/amount")
        state = MetricState(median, {REST: GroupState(None, inputs)})
        aggregate = replace(version.aggregate, event_count=inputs, states={median.sha256: state})
        stored = replace(version, aggregate=aggregate)

        [found] = no_metrics(tables).valued(
            [(stored, False)], "median", PaidReads(invocation.concurrently, aggregates_use_cases.VALUES_US)
        )

        invocation.assert_answered()
        [told] = found.aggregate.metrics
        assert ("needs all" not in told["unknown_because"]) is known
