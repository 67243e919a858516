"""A metric by 10,000 currencies in the tables: the version's row stays small, its sum exact, and answers say so.

The ledger in memory folds 10,000 inputs: moto copies its tables for each of a hundred transactions, which takes long.
Two hundred go through route, planner and processor. `make soak` sends 10,000 there, on MiniStack.
"""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random

import pytest

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.dynamodb_rows import version_key, version_row
from chalicelib.aggregates.ledger import NewRevision
from chalicelib.core.pagination import chunked
from chalicelib.core.timestamps import Day
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.runtime import replay_wiring
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, SetSetting
from tests.functional.emulators import Emulator, MiniStack
from tests.functional.events import DAY, paid
from tests.functional.test_metrics_of_replays import WHOLE_DAY, accept, amounts, define
from tests.sizes import is_full
from tests.unit.aggregates.test_group_explosion import CURRENCIES, records
from tests.unit.examples import INGESTED
from tests.unit.in_memory import at, no_pause
from tests.unit.ledger_in_memory import Aggregates
from tests.unit.test_row_sizes import size_of

BY_CURRENCY = {"aggregate": "sum", "value": "/amount", "group_by": ["/currency"]}


def test_ten_thousand_groups_are_a_small_row_an_exact_sum_and_an_answer_that_says_what_is_folded(
    application: Application,
) -> None:
    sha256 = define(application, "revenue", BY_CURRENCY)
    accept(application, *amounts("0"))
    version = Version("order-1", Day(DAY), application.replayed(**WHOLE_DAY))
    [definition] = replay_wiring.definitions().by_hash([sha256])
    ledger = Aggregates()
    RecordInLedger(ledger, at(), no_pause).record(list(records(version, definition)))

    folded = version_row(NewRevision(version, ledger.versions_written[version].aggregate, 1), INGESTED)
    clients.dynamodb().put_item(TableName=SETTINGS["AGGREGATES_TABLE"], Item=folded)

    key = version_key(version)
    row = clients.dynamodb().get_item(TableName=SETTINGS["AGGREGATES_TABLE"], Key=key, ConsistentRead=True)["Item"]
    answer = application.get("/aggregates", entity_id="order-1", day=DAY, metric="revenue").json_body
    rest, *listed = answer["versions"][0]["metrics"]
    assert (row["event_count"], size_of(row) < 8_000) == ({"N": str(CURRENCIES)}, True)
    assert (len(listed), rest["group"], rest["folds_groups"], rest["inputs"]) == (100, {}, True, CURRENCIES - 100)
    assert sum(Fraction(each["value"]) for each in (rest, *listed)) == Fraction(sum(range(CURRENCIES)), 100)


@pytest.fixture
def twenty_thousand_in_flight(set_setting: SetSetting) -> None:
    """All messages are planned before the first is processed."""
    set_setting("MAX_IN_FLIGHT", "20000")


@pytest.mark.sized
@pytest.mark.usefixtures("twenty_thousand_in_flight")
def test_groups_of_a_replay_beyond_a_hundred_are_folded_exactly_in_its_version_and_total(
    application: Application, emulator: Emulator, seed: int
) -> None:
    count = 10_000 if is_full() and isinstance(emulator, MiniStack) else 200
    define(application, "revenue", BY_CURRENCY | {"source": "shop/checkout", "event_types": ["order.paid"]})
    currencies = [f"C{number:05}" for number in range(count)]
    sold = [paid(number, payload={"amount": number, "currency": name}) for number, name in enumerate(currencies, 1)]
    for part in chunked(sold, 100):
        accept(application, *(json.dumps(each).encode() for each in part))
    replay_id, messages = application.planned(source="shop/checkout", event_type="order.paid", day=DAY)
    assert len(messages) == count
    Random(seed).shuffle(messages)
    for batch in [*chunked(messages, 100), messages[:100]]:
        assert application.process(batch) == {"batchItemFailures": []}

    [version] = application.versions("order-1", DAY)
    total = application.get("/metrics/revenue/values", start_day=DAY, end_day=DAY, limit="1000").json_body
    over_all = application.get("/metrics/revenue/values", start_day=DAY, end_day=DAY, by="day").json_body
    for rest, *listed in (version["metrics"][1:], total["values"]):
        assert [each["group"]["/currency"] for each in listed] == currencies[:100]
        assert [each["value"] for each in listed] == [str(number) for number in range(1, 101)]
        assert (rest["group"], rest["folds_groups"], rest["inputs"]) == ({}, True, count - 100)
        assert int(rest["value"]) == sum(range(101, count + 1))
    assert [(each["value"], each["inputs"]) for each in over_all["values"]] == [(str(sum(range(count + 1))), count)]
    assert {each["replay_id"] for each in total["values"]} == {replay_id}
