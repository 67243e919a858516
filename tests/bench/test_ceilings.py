"""The ceilings that docs/scale.md names for ingest follow from rows, settings and the quotas of the model."""

from __future__ import annotations

import re

import pytest

from bench.meter import item_size, read_units, write_units
from bench.prices import NEW_TABLE_WRITES, PARTITION_READS, PARTITION_WRITES, TABLE_UNITS
from bench.scale import PAGE
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.dynamodb_rows import arrival_row, identity_row, index_row
from chalicelib.ingest.request import MAX_BYTES, MAX_EVENTS
from chalicelib.runtime.settings import Settings
from infra.merge import FUNCTIONS, load
from tests.unit.examples import INGESTED, an_event, stored

EVENT = stored(an_event())
SHARDS = Settings().type_day_shards
INDEX_UNITS = write_units(item_size(index_row(EVENT, SHARDS, 0)))
IDENTITY = item_size(identity_row(EVENT, "r" * 36, None))
ARRIVAL = arrival_row(Arrival(ArrivalKind.DUPLICATE, EVENT.event_id, INGESTED, "r" * 36, 999, EVENT.content_sha256))
IN_A_TRANSACTION = 2

CEILINGS = {
    "new events of one entity": PARTITION_WRITES / (IN_A_TRANSACTION * INDEX_UNITS),
    "new events of a source, type and day": PARTITION_WRITES * SHARDS / INDEX_UNITS,
    "late events of a source, type and day of arrival": PARTITION_WRITES * SHARDS / INDEX_UNITS,
    "sends of one known event": PARTITION_READS / read_units(IDENTITY, consistent=False),
    "recorded duplicates of one event": PARTITION_WRITES / write_units(item_size(ARRIVAL)),
    "new events of a new stage": NEW_TABLE_WRITES / (IN_A_TRANSACTION * INDEX_UNITS),
    "new events in all": TABLE_UNITS / (IN_A_TRANSACTION * INDEX_UNITS),
    "requests to a route": load(FUNCTIONS)["Parameters"]["ThrottleRate"]["Default"],
    "bytes in a request, unpacked": MAX_BYTES,
    "events in a request": MAX_EVENTS,
    "time of a request": load(FUNCTIONS)["Resources"]["IngestHandler"]["Properties"]["Timeout"],
}


@pytest.mark.parametrize("what", CEILINGS)
def test_a_ceiling_is_what_rows_settings_and_quotas_make_it(what: str) -> None:
    [number] = re.findall(rf"^\| {what} \| ([\d,]+)", PAGE.read_text(), re.MULTILINE)

    assert int(number.replace(",", "")) == CEILINGS[what]
