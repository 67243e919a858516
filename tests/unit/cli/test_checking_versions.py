"""Versions of aggregates: any single edit of a version or of its inputs is found, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Version, aggregate_of
from chalicelib.aggregates.dynamodb_rows import outcome_row, partition_of_inputs, version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Day, Instant
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.checking.versions import check_version, version_of_partition

Row = dict[str, Any]

_DAY = Day("2026-11-21")
_VERSION = Version("order #1%", _DAY, "019aa2c4-8f6e-7cc2-a1f3-5d4b1c7f2a10")
_NOW = Instant("2026-11-22T00:00:00.000000000Z")


@dataclass
class Stored:
    """A version, the rows of its messages, and the events that raw lines know."""

    row: Row | None
    entries: list[Row]
    events: list[Input]
    version: Version = _VERSION

    def differences(self) -> list[Difference]:
        return check_version(self.version, self.row, self.entries, {event.key: event for event in self.events})


@st.composite
def stored(draw: st.DrawFn) -> Stored:
    """Consistent versions, some of whose messages came to another end; one event of the day is no input."""
    number = draw(st.integers(1, 14))
    events = [an_input(each) for each in range(number + 1)]
    row = from_item(version_row(NewRevision(_VERSION, aggregate_of(events[:-1]), 0), _NOW))
    entries = [entry(event, Outcome.INPUT) for event in events[:-1]]
    other = draw(st.sampled_from([Outcome.FAILED, Outcome.REDRIVEN, Outcome.DROPPED, None]))
    return Stored(row, entries if other is None else [*entries, entry(events[-1], other)], events)


def an_input(number: int) -> Input:
    event_time = Instant(f"{_DAY}T09:00:{number:02d}.000000000Z")
    return Input(event_time, f"{number:064x}", "paid" if number % 3 else "placed", f"{number + 99:064x}")


def entry(event: Input, outcome: Outcome) -> Row:
    key = MessageKey(event.event_time, event.event_id)
    return from_item(outcome_row(OutcomeRecord(_VERSION, event, outcome, key)))


@given(stored())
def test_a_version_that_follows_from_its_inputs_has_no_differences(found: Stored) -> None:
    assert found.differences() == []


@given(stored(), st.data())
def test_any_edited_field_of_a_version_is_found_and_named(found: Stored, data: st.DataObject) -> None:
    assert found.row is not None
    name = data.draw(st.sampled_from(sorted(found.row.keys() - {"PK", "SK", "computed_at", "revision"})))
    before = found.row[name]
    found.row[name] = data.draw((st.integers() | st.text() | st.none()).filter(lambda other: other != before))

    [difference] = found.differences()

    assert (difference.kind, difference.fields) == (Kind.VERSION_DIFFERS, (name,))


@given(stored(), st.data())
def test_any_edited_field_of_an_input_is_found_once(found: Stored, data: st.DataObject) -> None:
    row = found.entries[data.draw(st.integers(0, len(found.events) - 2))]
    name = data.draw(st.sampled_from(["event_id", "event_time", "event_type", "content_sha256"]))
    row[name] = "edited"

    [difference] = found.differences()

    assert (difference.kind, difference.fields) == (Kind.INPUT_DIFFERS, (name,))


@given(stored(), st.data())
def test_an_input_that_is_gone_or_became_none_makes_the_version_differ(found: Stored, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(found.events) - 2))
    if data.draw(st.booleans()):
        del found.entries[number]
    else:
        found.entries[number]["outcome"] = data.draw(st.sampled_from(["FAILED", "DUPLICATE", "nothing known"]))

    [difference] = found.differences()

    assert difference.kind is Kind.VERSION_DIFFERS
    assert {"event_count", "metrics", "inputs_hash", "state"} <= set(difference.fields)


@given(stored(), st.data())
def test_an_input_that_nothing_knows_is_found(found: Stored, data: st.DataObject) -> None:
    unknown = found.events.pop(data.draw(st.integers(0, len(found.events) - 2)))

    [difference] = found.differences()

    assert (difference.kind, difference.event_id) == (Kind.INPUT_UNKNOWN, unknown.event_id)


@given(stored())
def test_inputs_without_their_version_are_found(found: Stored) -> None:
    found.row = None

    assert [difference.kind for difference in found.differences()] == [Kind.VERSION_MISSING]


def test_messages_that_came_to_no_input_need_no_version() -> None:
    assert Stored(None, [entry(an_input(1), Outcome.FAILED)], []).differences() == []


def test_a_version_of_a_bare_object_may_count_lines_that_lost_against_others() -> None:
    version = Version("order #1%", _DAY, "object-1", of_job=False)
    row = from_item(version_row(NewRevision(version, aggregate_of([an_input(1)]), 0), _NOW))

    assert Stored(row, [entry(an_input(1), Outcome.INPUT)], [], version).differences() == []


@pytest.mark.parametrize("entity", ["order", "a#b%23", "%"])
def test_a_version_is_told_by_the_partition_of_its_messages(entity: str) -> None:
    version = Version(entity, _DAY, "r#1")

    assert version_of_partition(partition_of_inputs(version)) == version
    assert version_of_partition("EVENT#1") is None
