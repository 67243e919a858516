"""A metric by 10,000 currencies in the tables: the version's row stays small, its sum exact, and answers say so.

The ledger in memory folds the inputs: moto copies its tables for each of a hundred transactions, which takes too long.
"""

from __future__ import annotations

from fractions import Fraction

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.dynamodb_rows import version_key, version_row
from chalicelib.aggregates.ledger import NewRevision
from chalicelib.core.timestamps import Day
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.runtime import replay_wiring
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import DAY
from tests.functional.test_metrics_of_replays import WHOLE_DAY, accept, amounts, define
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
