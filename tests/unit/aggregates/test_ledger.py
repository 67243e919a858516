"""The ledger: what is written together fits, belongs together, and says only what is new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import (
    Counts,
    Ledger,
    MessageKey,
    Outcome,
    OutcomeRecord,
    Snapshot,
    changes_to,
    outcomes_after,
)
from chalicelib.aggregates.transactions import by_version, written_together
from chalicelib.core.timestamps import Day, Instant
from chalicelib.replays.messages import Duplicate
from tests.unit import one_shot
from tests.unit.examples import INGESTED

TIME = Instant("2026-11-21T10:00:00.000000000Z")


def record(  # noqa: PLR0913  # what a record is made of
    number: int,
    outcome: Outcome = Outcome.INPUT,
    *,
    entity_id: str = "order-1",
    replay_id: str = "replay-1",
    of_job: bool = True,
    duplicate: Duplicate | None = None,
) -> OutcomeRecord:
    event = Input(TIME, f"{number:064x}", "paid", f"{number:064x}")
    version = Version(entity_id, Day("2026-11-21"), replay_id, of_job)
    return OutcomeRecord(version, event, outcome, MessageKey(TIME, event.event_id, duplicate))


records = st.lists(
    st.builds(
        record,
        st.integers(0, 60),
        st.sampled_from(Outcome),
        entity_id=st.sampled_from("abcdefgh"),
        replay_id=st.sampled_from(["replay-1", "replay-2"]),
    ),
    max_size=400,
)


@given(records)
def test_parts_hold_each_message_once_and_no_more_rows_than_a_transaction(asked: list[OutcomeRecord]) -> None:
    parts = list(written_together(asked))

    entries = [each.key for part in parts for each in part]
    assert sorted(map(repr, entries)) == sorted({repr(each.key) for each in asked})
    for part in parts:
        changes = changes_to(Ledger(), part)
        assert part
        assert len(changes.transitions) + len(changes.revisions) + len(changes.progress) <= 100


def test_a_hundred_inputs_of_one_version_are_two_parts() -> None:
    assert [len(part) for part in written_together(map(record, range(100)))] == [98, 2]


def test_inputs_of_no_job_leave_no_room_for_its_counter() -> None:
    assert [len(part) for part in written_together(record(n, of_job=False) for n in range(100))] == [99, 1]


def test_ten_inputs_of_ten_versions_are_one_part() -> None:
    [part] = written_together(record(n, entity_id=f"order-{n}") for n in range(10))

    assert len(by_version(part)) == 10


def test_messages_of_a_version_stay_together() -> None:
    mixed = [record(n, entity_id=f"order-{n % 3}") for n in range(12)]

    [part] = written_together(mixed)

    assert [each.version.entity_id for each in part] == ["order-0"] * 4 + ["order-1"] * 4 + ["order-2"] * 4


def test_a_later_arrival_has_an_entry_of_its_own() -> None:
    duplicates = [Duplicate(ingest_time=INGESTED, request_id="r", position=n) for n in range(2)]
    asked = [record(1), *(record(1, Outcome.DUPLICATE, duplicate=each) for each in duplicates)]

    changes = changes_to(Ledger(), asked)

    assert len({each.key for each in asked}) == 3
    assert [revised.aggregate.event_count for revised in changes.revisions] == [1]
    assert changes.progress == {"replay-1": Counts(processed=3)}


def test_what_is_recorded_already_is_not_written_again() -> None:
    asked = [record(1), record(2)]
    first = changes_to(Ledger(), asked)
    ledger = Ledger(
        {each.key: Outcome.INPUT for each in asked},
        {revised.version: Snapshot(revised.aggregate, 1) for revised in first.revisions},
    )

    again = changes_to(ledger, [*asked, record(3)])

    assert [each.record for each in again.transitions] == [record(3)]
    [revised] = again.revisions
    events = [record(n).event for n in (1, 2, 3)]
    assert (one_shot.said_by(revised.aggregate), revised.read_revision) == (one_shot.computed(events), 1)
    assert again.progress == {"replay-1": Counts(processed=1)}


def test_counts_that_do_not_change_are_not_written() -> None:
    one, other = record(1, Outcome.FAILED), record(2, Outcome.REDRIVEN)
    ledger = Ledger({one.key: Outcome.REDRIVEN, other.key: Outcome.FAILED})

    changes = changes_to(ledger, [one, other])

    assert len(changes.transitions) == 2
    assert changes.progress == {}


def test_a_bare_object_counts_for_no_job() -> None:
    assert changes_to(Ledger(), [record(1, of_job=False)]).progress == {}


@given(records, records)
def test_outcomes_are_what_is_written_over_what_was_read(
    before: list[OutcomeRecord], asked: list[OutcomeRecord]
) -> None:
    ledger = Ledger({each.key: each.outcome for each in before})
    [*parts] = written_together(asked)
    for part in parts:
        changes = changes_to(ledger, part)
        written = {each.record.key: each.record.outcome for each in changes.transitions}
        now = outcomes_after(ledger, part)

        assert {entry: outcome for entry, outcome in now.items() if entry in written} == written
        assert all(now[entry] == ledger.outcomes.get(entry) for entry in now.keys() - written.keys())
