"""Whatever the size of a day, a request about it is answered before its time is over, at any latency of AWS."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import selection
from chalicelib.aws.event_index import DynamoEventIndex
from chalicelib.domain import read_budget
from chalicelib.domain.preview import ConfirmationNeeded
from chalicelib.domain.replay_job import ReplayJob
from chalicelib.domain.replay_request import Asker, ReplayRequest
from chalicelib.preview import PreviewReplay
from chalicelib.replay import RequestReplay
from tests.unit.in_memory import Jobs, Queues, at, no_pause
from tests.unit.large_tables import Invocation, LargeTables

SOMEBODY = Asker("somebody")
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
    "limited": {"limit": 9_999_999},
}


@pytest.fixture
def fifty_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Invocation:
    """A request of which each row that is read counts as fifty, and as many fewer are read at a time."""
    monkeypatch.setattr(read_budget, "ROW_US", 50 * read_budget.ROW_US)
    for name in ("ROWS_A_READ", "FEWEST_ROWS_A_READ", "ROWS_OF_A_DAY"):
        monkeypatch.setattr(selection, name, getattr(selection, name) // 50)
    return Invocation(a_row=50)


def index_of(tables: LargeTables) -> DynamoEventIndex:
    return DynamoEventIndex(tables, "events", no_pause, tables.invocation.concurrently)  # type: ignore[arg-type]  # a fake


def preview_of(tables: LargeTables, shards: int = 4) -> PreviewReplay:
    return PreviewReplay(index_of(tables), shards, 10, 5, at(), tables.invocation.concurrently)


@pytest.mark.parametrize("shards", [4, 64])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("chosen", SELECTIONS.values(), ids=SELECTIONS)
def test_a_preview_of_ten_million_events_a_day_is_answered_in_time(
    fifty_at_a_time: Invocation, chosen: dict[str, Any], options: dict[str, Any], shards: int
) -> None:
    tables = LargeTables(fifty_at_a_time, 10_000_000)

    told = preview_of(tables, shards)(ReplayRequest.model_validate(chosen | options))

    fifty_at_a_time.assert_answered(CALLS_BESIDE)
    assert not told.exact


def test_a_preview_reads_rows_as_they_are_in_time() -> None:
    invocation = Invocation()

    told = preview_of(LargeTables(invocation, 10_000_000))(ReplayRequest.model_validate(ENTITY_DAY | FILTERED))

    invocation.assert_answered(CALLS_BESIDE)
    assert told.messages > 100_000, "enough to confirm what is as large as must be confirmed"


@pytest.mark.parametrize("later_arrivals", [0, 2, 1_000])
@pytest.mark.parametrize("chosen", [ENTITY_DAY, TYPE_DAY], ids=["entity", "type"])
def test_a_preview_with_later_arrivals_is_answered_in_time(chosen: dict[str, Any], later_arrivals: int) -> None:
    invocation = Invocation()
    tables = LargeTables(invocation, 10_000_000, later_arrivals)

    told = preview_of(tables)(ReplayRequest.model_validate({**chosen, "include_duplicates": True}))

    invocation.assert_answered(CALLS_BESIDE)
    assert (told.messages > 0, told.exact) == (True, False)


@pytest.mark.parametrize("chosen", [ENTITY_DAY, ENTITY_MONTH, TYPE_DAY, TYPE_MONTH])
def test_a_large_replay_is_refused_with_a_number_that_confirms_it(
    fifty_at_a_time: Invocation, chosen: dict[str, Any]
) -> None:
    def ask(invocation: Invocation, **confirm: int) -> ReplayJob:
        preview = preview_of(LargeTables(invocation, 10_000_000))
        asked = ReplayRequest.model_validate({**chosen, **confirm})
        return RequestReplay(Jobs(), Queues(), preview, 100_000, 4, 5, at(), str)(asked, SOMEBODY)

    with pytest.raises(ConfirmationNeeded) as refused:
        ask(fifty_at_a_time)
    fifty_at_a_time.assert_answered(CALLS_BESIDE)
    told = refused.value.preview
    job = ask(Invocation(a_row=50), confirm=told.messages)

    assert (told.messages > 100_000, told.exact) == (True, False)
    assert job.request.confirm == told.messages
