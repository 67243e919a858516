"""Every row fits into DynamoDB, however long the names it is made of, and every transaction of such rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aggregates.aggregate import Aggregate, Version, aggregate_of, merge
from chalicelib.aggregates.dynamodb_rows import outcome_row, version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.aggregates.transactions import message_bytes, version_bytes, written_together
from chalicelib.aws.dynamodb import Item, from_item
from chalicelib.core.timestamps import Day, Instant
from chalicelib.events import dynamodb_rows as events_dynamodb_rows
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from chalicelib.metrics.contribution import Contributed, Contribution, Group, Skipped
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.metrics.exact_number import Exact, exact
from chalicelib.metrics.json_pointer import Reason
from chalicelib.metrics.metric_state import NAMES_BYTES, REST, GroupState
from chalicelib.replays import dynamodb_rows as replays_dynamodb_rows
from chalicelib.replays.chosen_metrics import MAX_METRICS
from chalicelib.replays.filters import MAX_EVENT_IDS, MAX_NAMES
from chalicelib.replays.job import Cursor, ReplayJob, told_failure
from chalicelib.replays.messages import Duplicate
from chalicelib.replays.request import ReplayRequest
from tests.unit.definitions_in_memory import defined

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ROW = 400_000
TRANSACTION = 4_000_000

TIME = Instant("2026-11-21T10:00:00.123456789Z")
HASH = "f" * 64
ENTITY = "#" * 341
"""Three bytes each in a key; an entity has at most 1,024 there."""
TYPE = "#" * 123
SOURCE = "#" * 128
REPLAY = "r" * 256
REQUEST = "#" * 170
REPEATED = Duplicate(ingest_time=TIME, request_id=REQUEST, position=9_999)
ARN = "arn:aws:sts::123456789012:assumed-role/" + "r" * 2_048


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
def size_of(item: Item) -> int:
    """The bytes of an item, at most."""
    return sum(len(name.encode()) + _of_value(value) for name, value in item.items())


def _of_value(typed: Mapping[str, Any]) -> int:
    [(kind, value)] = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return len(value) // 2 + 2
        case "L":
            return 3 + sum(1 + _of_value(each) for each in value)
        case "M":
            return 3 + len(value) + size_of(value)
        case _:
            return 1


def input_of_type(number: int) -> Input:
    return Input(TIME, f"{number:064x}", f"{TYPE}{number:05d}", HASH)


def aggregate_of_types(numbers: Iterable[int]) -> Aggregate:
    return aggregate_of(map(input_of_type, numbers))


def test_a_version_of_ten_thousand_types_fits_into_a_row() -> None:
    aggregate = Aggregate()
    for begin in range(0, 10_000, 1_000):
        aggregate = merge(aggregate, aggregate_of_types(range(begin, begin + 1_000)))

    row = version_row(NewRevision(Version(ENTITY, Day("2026-11-21"), REPLAY), aggregate, 10**9), TIME)

    assert aggregate.event_count == 10_000
    assert size_of(row) < ROW / 8


WIDEST = Exact(-(10**256 - 1), 128)
"""With as many digits on both sides of its point as all numbers that are added to a group have."""
LONGEST = Exact(-(10**128 - 1), 528)
"""With as many digits and as small an exponent as a number may have."""
OF_ALL_OTHERS = Exact(-(10**1_056 - 1), 528)
"""The sum of a number of the largest and one of the smallest exponent."""
MILLIONS = 10**7


def input_of_groups(number: int, definitions: Iterable[Definition], amount: Exact, width: int) -> Input:
    """An input of one more type and, of each definition, one more group, its name of this many bytes."""
    contributed: dict[str, Contributed] = {
        each.sha256: Contribution((f"{number:0{width}d}",), amount) for each in definitions
    }
    return replace(input_of_type(number), contributed=contributed)


def metrics_by_group(aggregate: str, **members: Any) -> list[Definition]:
    """As many as there may be."""
    by_group = {"aggregate": aggregate, "value": "/v", "group_by": ["/g"], **members}
    return [defined(name=f"m{number}", **by_group) for number in range(MAX_METRICS)]


def largest_version(aggregate: str, width: int) -> Item:
    """The row of as many metrics and groups as there may be, each group of ten million of the widest numbers."""
    metrics = metrics_by_group(aggregate)
    definitions = (*BUILT_IN, *metrics)
    amount = WIDEST if metrics[0].kind.grows else LONGEST
    one = aggregate_of((input_of_groups(number, metrics, amount, width) for number in range(200)), definitions)
    grown = {
        sha256: replace(state, groups={name: _grown(name, each) for name, each in state.groups.items()})
        for sha256, state in one.states.items()
    }
    return version_row(NewRevision(Version(ENTITY, Day("2026-11-21"), REPLAY), replace(one, states=grown), 10**9), TIME)


def _grown(group: Group, state: GroupState) -> GroupState:
    folded = state.folded
    if isinstance(folded, Exact):
        folded = OF_ALL_OTHERS if group == REST else folded
        folded = exact(folded.coefficient * MILLIONS, folded.scale)
    return GroupState(folded, state.inputs * MILLIONS)


@pytest.mark.parametrize("aggregate", ["sum", "avg", "min", "max"])
def test_a_version_of_all_metrics_there_may_be_with_the_widest_numbers_fits_into_a_row(aggregate: str) -> None:
    hundred = size_of(largest_version(aggregate, NAMES_BYTES // 100))
    few = size_of(largest_version(aggregate, 256))

    assert few < hundred < version_bytes((*BUILT_IN, *metrics_by_group(aggregate)))
    assert hundred < ROW
    units = 2 * -(-hundred // 1_024)  # a transaction takes two for each KB
    assert units <= 700


def test_a_version_of_metrics_without_groups_is_counted_as_large_as_it_is() -> None:
    metrics = metrics_by_group("sum", group_by=[])
    contributed = {each.sha256: Contribution((), OF_ALL_OTHERS) for each in metrics}
    inputs = [replace(input_of_type(number), contributed=contributed) for number in range(100)]
    aggregate = aggregate_of(inputs, (*BUILT_IN, *metrics))

    row = version_row(NewRevision(Version(ENTITY, Day("2026-11-21"), REPLAY), aggregate, 10**9), TIME)

    assert size_of(row) < version_bytes((*BUILT_IN, *metrics)) < ROW / 5


WORST: dict[str, Contributed] = {
    each.sha256: Skipped(Reason.EXPONENT_TOO_LARGE, "/" + "\u20ac" * 85)
    if number % 2
    else Contribution(("\u20ac" * 85, '"' * 256), LONGEST)
    for number, each in enumerate(metrics_by_group("sum"))
}


@pytest.mark.parametrize("contributed", [{}, WORST], ids=["nothing", "the longest texts"])
def test_the_row_of_a_message_is_counted_as_large_as_it_is(contributed: dict[str, Contributed]) -> None:
    event = replace(input_of_type(1), contributed=contributed)
    version = Version(ENTITY, Day("2026-11-21"), REPLAY)

    row = outcome_row(OutcomeRecord(version, event, Outcome.INPUT, MessageKey(TIME, HASH, REPEATED)))

    assert size_of(row) < message_bytes(event) < 5_000 + 1.1 * size_of(row)


@pytest.mark.parametrize("entities", [1, 40])
def test_messages_of_the_largest_versions_are_written_in_transactions_that_fit(entities: int) -> None:
    metrics = metrics_by_group("sum")
    widest = {each.sha256: Contribution((f"{'g' * 250}",), LONGEST) for each in metrics}
    records = [
        OutcomeRecord(
            Version(f"{ENTITY[5:]}{number % entities:05d}", Day("2026-11-21"), REPLAY),
            replace(input_of_type(number), contributed=widest),
            Outcome.INPUT,
            MessageKey(TIME, f"{number:064x}", REPEATED),
            (*BUILT_IN, *metrics),
        )
        for number in range(100)
    ]
    largest = size_of(largest_version("sum", NAMES_BYTES // 100))

    parts = list(written_together(records))

    sizes = [
        len({each.version for each in part}) * largest + sum(size_of(outcome_row(each)) for each in part)
        for part in parts
    ]
    assert max(sizes) < TRANSACTION
    assert sum(map(len, parts)) == 100


def test_a_transaction_of_as_many_versions_as_it_has_room_for_fits() -> None:
    records = [
        OutcomeRecord(
            Version(f"{ENTITY[5:]}{number:05d}", Day("2026-11-21"), REPLAY),
            input_of_type(number),
            Outcome.INPUT,
            MessageKey(TIME, HASH, REPEATED),
        )
        for number in range(100)
    ]
    aggregate = aggregate_of_types(range(200))

    sizes = [
        sum(
            size_of(outcome_row(each)) + size_of(version_row(NewRevision(each.version, aggregate, 10**9), TIME))
            for each in part
        )
        for part in written_together(records)
    ]

    assert len(sizes) == 3
    assert max(sizes) < TRANSACTION


def largest_request() -> ReplayRequest:
    chosen = {
        "sources": [f"{SOURCE[1:]}{number:02d}" for number in range(MAX_NAMES)],
        "event_types": [f"{TYPE}{number:02d}" for number in range(MAX_NAMES)],
        "event_ids": [f"{number:064x}" for number in range(MAX_EVENT_IDS)],
    }
    return ReplayRequest.model_validate(
        {
            "entity_id": ENTITY,
            "start_time": TIME,
            "end_time": "9999-12-31T24:00:00Z",
            "include": chosen,
            "exclude": chosen,
            "reason": "\x01" * 1_024,
        }
    )


JOB = ReplayJob(
    replay_id=REPLAY,
    request=largest_request(),
    requested_by=ARN,
    created_at=TIME,
    updated_at=TIME,
    shards=64,
    cursor=Cursor(after="#" * 1_024, day="#" * 1_024, found_to="#" * 1_024, duplicated=HASH, duplicates_to="#" * 1_024),
    cancelled_by=ARN,
    failure=told_failure(ValueError("x" * 1_000_000)),
)
LOCATION = RawLocation("b" * 63, "k" * 1_024, 10**9, 10**9)
EVENT = StoredEvent(HASH, SOURCE, TYPE, ENTITY, TIME, TIME, HASH, REQUEST, ARN, LOCATION)
ARRIVAL = Arrival(ArrivalKind.CONFLICT, HASH, TIME, REQUEST, 9_999, HASH, "r" * 256)


@pytest.mark.parametrize(
    "row",
    [
        replays_dynamodb_rows.request_row(JOB),
        replays_dynamodb_rows.job_row(JOB),
        events_dynamodb_rows.identity_row(EVENT, REQUEST, 10**10),
        events_dynamodb_rows.index_row(EVENT, 64, late_after_ms=0),
        events_dynamodb_rows.arrival_row(ARRIVAL),
    ],
    ids=["request", "job", "identity", "event", "arrival"],
)
def test_a_row_of_the_longest_names_fits(row: Item) -> None:
    assert size_of(row) < ROW / 2


def test_a_cursor_is_stored_under_names_that_no_release_changes() -> None:
    request, job = (from_item(row(JOB)) for row in (replays_dynamodb_rows.request_row, replays_dynamodb_rows.job_row))
    read = replays_dynamodb_rows.job_of([request, job])

    assert job["cursor"].keys() == {"finding", "group", "found_to", "day", "after", "repeating", "repeated_to"}
    assert read is not None
    assert read.cursor == JOB.cursor
