"""A retry storm over real HTTP: one event, thousands of times, by fifty clients at once.

At full size all 10,000 sends are requests of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from bench.meter import item_size
from embedded.client import Api
from tests.e2e.deployed import Deployed
from tests.sizes import is_full

pytestmark = pytest.mark.soak

CLIENTS = 50
COPIES = [1] * 200 if is_full() else [1, 1, 1, 1, 100]
"""How often each client sends the event: in so many requests, each with so many copies."""
SENDS = CLIENTS * sum(COPIES)

# Each request that is under way at once is a process of the emulator's, as it is one of Lambda's.
AT_ONCE = CLIENTS if is_full() else 6

SOURCE = "e2e/floods"
EVENT = {
    "source": SOURCE,
    "event_type": "order.paid",
    "entity_id": "order-1",
    "event_time": "2026-11-21T12:00:00Z",
    "payload": {"padding": "x" * 2_000},
    "idempotency_key": "pay-1",
}
MAX_ROW_BYTES = 512
"""What a duplicate may write, however large its event is."""


@dataclass(frozen=True)
class Client:
    """A producer that has lost its head."""

    api: Api

    def storm(self) -> list[dict[str, Any]]:
        """The result of each send."""
        return [result for copies in COPIES for result in self._sent(copies)]

    def _sent(self, copies: int) -> Iterator[dict[str, Any]]:
        body = json.dumps(EVENT if copies == 1 else [EVENT] * copies).encode()
        answer = self.api.call(
            "POST", "/ingest", query={"results": "all"}, body=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status in {200, 201}, answer.data
        yield from [answer.json()] if copies == 1 else answer.json()["results"]


def _at_once(clients: Sequence[Client]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(len(clients)) as threads:
        return [result for results in threads.map(Client.storm, clients) for result in results]


def test_one_event_sent_by_fifty_clients_at_once_is_accepted_once_and_costs_a_small_row_each_time(
    deployed: Deployed,
) -> None:
    results = _at_once([Client(Api(deployed.stack, timeout=300, connections=AT_ONCE))] * CLIENTS)

    assert Counter(result["status"] for result in results) == {"ACCEPTED": 1, "DUPLICATE": SENDS - 1}
    [accepted] = [result for result in results if result["status"] == "ACCEPTED"]
    pointed_at = {(result["event_id"], result["s3_key"], result["ingest_time"]) for result in results}
    assert pointed_at == {(accepted["event_id"], accepted["s3_key"], accepted["ingest_time"])}

    rows = deployed.rows(deployed.stack.events_table)
    [index] = [row for row in rows if row["PK"]["S"] == "ENTITY#order-1" and row["source"]["S"] == SOURCE]
    [identity] = [
        row for row in deployed.rows(deployed.stack.dedupe_table) if row["event_id"]["S"] == accepted["event_id"]
    ]
    assert index["ingest_time"] == identity["ingest_time"] == {"S": accepted["ingest_time"]}
    arrivals = [row for row in rows if row["PK"]["S"] == f"EVENT#{accepted['event_id']}"]
    assert len(arrivals) == SENDS - 1
    assert max(map(item_size, arrivals)) <= MAX_ROW_BYTES
    listed = partial(deployed.admin.s3.list_object_versions, Bucket=deployed.stack.raw_bucket)
    [version] = listed(Prefix="raw/source=e2e%2Ffloods/")["Versions"]
    assert version["Key"] == accepted["s3_key"]
