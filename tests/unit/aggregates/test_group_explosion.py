"""A metric by 10,000 currencies: the version's row stays small, sums stay exact, and it says what is folded."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from chalicelib.aggregates.aggregate import Version, definitions_in
from chalicelib.aggregates.asked_metric import MetricChange
from chalicelib.aggregates.dynamodb_rows import aggregate_of_row, version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Day, Instant
from chalicelib.metrics.contribution import Contribution
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import exact
from chalicelib.metrics.metric_state import MetricState
from chalicelib.processing.recorder import RecordInLedger
from tests.unit.definitions_in_memory import defined
from tests.unit.examples import INGESTED
from tests.unit.in_memory import at, no_pause
from tests.unit.ledger_in_memory import Aggregates
from tests.unit.test_row_sizes import size_of

REVENUE = defined(name="revenue", aggregate="sum", value="/amount", group_by=["/currency"])
DEFINITIONS = definitions_in("UTC", [REVENUE])
CURRENCIES = 10_000
VERSION = Version("order-1", Day("2026-11-28"), "a-replay")
TIME = Instant("2026-11-28T10:00:00.000000000Z")


def records(version: Version = VERSION, definition: Definition = REVENUE) -> Iterator[OutcomeRecord]:
    """An input in each currency, the n-th of n hundredths."""
    for number in range(CURRENCIES):
        event_id = f"{number:064x}"
        contributed = {definition.sha256: Contribution((f"C{number:05}",), exact(number, 2))}
        event = Input(TIME, event_id, "order.paid", "ab" * 32, contributed)
        definitions = definitions_in("UTC", [definition])
        yield OutcomeRecord(version, event, Outcome.INPUT, MessageKey(TIME, event_id, None), definitions)


def test_of_ten_thousand_groups_a_hundred_are_listed_and_the_rest_is_folded_exactly() -> None:
    every, ledger = list(records()), Aggregates()
    Random(1).shuffle(every)

    recorded = RecordInLedger(ledger, at(), no_pause).record(every)
    row = version_row(NewRevision(VERSION, ledger.versions_written[VERSION].aggregate, 1), INGESTED)

    assert (recorded.failures, len(ledger.entries)) == ({}, CURRENCIES)
    assert size_of(row) < 8_000
    stored = aggregate_of_row(from_item(row), DEFINITIONS).states[REVENUE.sha256]
    rest, *listed = stored.members
    assert [each["value"] for each in listed[:3]] == ["0", "0.01", "0.02"]
    assert (len(listed), rest["group"], rest["folds_groups"]) == (100, {}, True)
    assert (rest["inputs"], rest["value"]) == (CURRENCIES - 100, str(exact(sum(range(100, CURRENCIES)), 2)))
    assert not any("folds_groups" in each for each in listed)
    change = MetricChange(MetricState(REVENUE), stored, inputs_differ=True)
    assert change.delta == exact(sum(range(CURRENCIES)), 2)
    assert [str(each.delta) for each in change.groups if not each.group] == [rest["value"]]
