"""GET /events?source=&idempotency_key=: whether the event with a producer's own key arrived."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.functional.application import Application
from tests.functional.events import paid
from tests.functional.wire import Attempt, Wire

SOURCE = paid()["source"]
CLOUDEVENT = {"specversion": "1.0", "id": "evt ü/7", "source": SOURCE, "type": "order.paid", "subject": "order-1"}


def by_key(application: Application, key: str, source: str = SOURCE, **more: str) -> list[dict[str, Any]]:
    answer = application.get("/events", source=source, idempotency_key=key, **more)
    assert answer.status_code == 200, answer.json_body
    assert answer.json_body["cursor"] is None
    return list(answer.json_body["items"])


def test_an_event_is_found_by_its_source_and_key(application: Application) -> None:
    accepted = application.accept(paid(1, idempotency_key="payment-1"))
    application.accept(paid(2, idempotency_key="payment-2"))
    application.accept(paid(1, source="shop/other", idempotency_key="payment-1"))

    [found] = by_key(application, "payment-1")
    [listed] = [
        item
        for item in application.get("/events", entity_id=paid(1)["entity_id"]).json_body["items"]
        if item["event_id"] == accepted["event_id"]
    ]

    assert found == listed


def test_the_key_of_a_cloudevent_is_its_id(application: Application) -> None:
    accepted = application.ingest(CLOUDEVENT, "application/cloudevents+json").json_body

    [found] = by_key(application, "evt ü/7")

    assert found["event_id"] == accepted["event_id"]


@pytest.mark.parametrize(("key", "source"), [("payment-2", SOURCE), ("payment-1", "shop/other")])
def test_a_key_that_its_source_never_sent_is_an_empty_list(application: Application, key: str, source: str) -> None:
    application.accept(paid(1, idempotency_key="payment-1"))

    assert by_key(application, key, source) == []


def test_an_event_is_found_by_its_key_together_with_its_text(application: Application) -> None:
    sent = paid(1, idempotency_key="payment-1")
    application.accept(sent)

    [found] = by_key(application, "payment-1", include="event")

    assert found["event"] == sent


def test_an_event_is_found_by_its_key_with_one_consistent_read_and_as_soon_as_it_is_accepted(
    application: Application, wire: Wire
) -> None:
    application.accept(paid(1, idempotency_key="payment-1"))
    reads: list[Attempt] = []

    def noted(attempt: Attempt) -> AWSResponse:
        reads.append(attempt)
        return attempt.delivered()

    wire.calls.clear()
    wire.disturb(noted, "BatchGetItem")

    by_key(application, "payment-1")

    assert wire.calls == ["BatchGetItem"]
    assert [table["ConsistentRead"] for read in reads for table in read.members["RequestItems"].values()] == [True]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ({"idempotency_key": "k"}, "source", "is missing; a key identifies an event together with its source"),
        ({"source": "s", "idempotency_key": ""}, "idempotency_key", "must not be empty"),
        ({"source": "s", "idempotency_key": "k" * 513}, "idempotency_key", "is 513 bytes: at most 512 are allowed"),
        *(
            ({"source": "s", "idempotency_key": "k", name: value}, name, "cannot be combined with idempotency_key")
            for name, value in {
                "entity_id": "e",
                "event_type": "t",
                "day": "2026-11-21",
                "start_time": "2026-11-21T00:00:00Z",
                "end_time": "2026-11-21T00:00:00Z",
                "min_lag_ms": "1",
                "status": "CONFLICT",
                "cursor": "x",
            }.items()
        ),
    ],
)
def test_a_key_is_asked_for_with_its_source_and_with_nothing_that_filters(
    application: Application, query: dict[str, str], field: str, message: str
) -> None:
    answer = application.get("/events", **query)

    assert (answer.status_code, answer.json_body["errors"]) == (400, [{"field": field, "message": message}])
