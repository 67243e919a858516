"""Later sends of a known identity change nothing of the first, and every one of them is recorded."""

from __future__ import annotations

import pytest

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import NDJSON, Application
from tests.functional.events import Json, as_ndjson, paid, paid_several
from tests.functional.storage import Row, Storage, assert_holds


def firsts(storage: Storage) -> tuple[list[Row], list[Row], dict[str, bytes]]:
    """What is stored of the first sends."""
    return storage.index(), storage.identities(), storage.objects("raw/")


@pytest.mark.parametrize("key", [None, "payment-1"])
def test_a_duplicate_changes_nothing_of_the_first(application: Application, storage: Storage, key: str | None) -> None:
    application.accept(paid(idempotency_key=key))
    before = firsts(storage)

    application.ingest(paid(idempotency_key=key))
    application.ingest([paid(idempotency_key=key)] * 2)

    assert firsts(storage) == before


def test_a_conflict_changes_nothing_of_the_first(application: Application, storage: Storage) -> None:
    application.accept(paid(1, idempotency_key="payment-1"))
    before = firsts(storage)

    for other in (
        paid(2, idempotency_key="payment-1"),
        paid(1, idempotency_key="payment-1", entity_id="order-2"),
        paid(1, idempotency_key="payment-1", payload={"number": 1.5}),
        paid(1, idempotency_key="payment-1", event_type="order.refunded"),
    ):
        assert application.ingest(other).status_code == 409

    assert firsts(storage) == before


def test_a_duplicate_days_later_is_still_one(
    application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = application.accept(paid())
    before = firsts(storage)
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.000000000Z"))

    again = application.ingest(paid())

    assert again.json_body == {**first, "status": "DUPLICATE"}
    assert firsts(storage) == before
    assert [row["ingest_time"] for row in storage.arrivals()] == ["2043-01-01T00:00:00.000000000Z"]


def test_arrivals_are_recorded_with_their_request_and_place_in_it(application: Application, storage: Storage) -> None:
    first = application.accept(paid())

    application.ingest([paid(2), paid(), paid()])

    arrivals = storage.arrivals()
    assert [row["position"] for row in arrivals] == [1, 2]
    assert {row["event_id"] for row in arrivals} == {first["event_id"]}
    assert {row["kind"] for row in arrivals} == {"DUPLICATE"}
    assert {row["content_sha256"] for row in arrivals} == {first["content_sha256"]}
    assert len({(row["request_id"], row["ingest_time"]) for row in arrivals}) == 1


def test_the_arrival_of_a_conflict_says_what_it_was_and_where_it_is_kept(
    application: Application, storage: Storage
) -> None:
    first = application.accept(paid(1, idempotency_key="payment-1"))

    problem = application.ingest(paid(2, idempotency_key="payment-1")).json_body

    [arrival] = storage.arrivals()
    assert arrival["kind"] == "CONFLICT"
    assert arrival["rejected_id"] == problem["rejected_id"]
    assert arrival["content_sha256"] != first["content_sha256"]
    assert arrival["content_sha256"] in problem["errors"][0]["message"]


def test_more_arrivals_than_one_write_holds_are_all_recorded(application: Application, storage: Storage) -> None:
    application.accept(paid())

    application.ingest([paid()] * 60)

    assert sorted(row["position"] for row in storage.arrivals()) == list(range(60))


def test_each_send_of_a_batch_that_is_known_is_recorded_for_its_own_event(
    application: Application, storage: Storage
) -> None:
    results = application.accept_all(paid_several(3))

    application.ingest(as_ndjson(paid_several(3)), NDJSON)

    positions = {row["event_id"]: row["position"] for row in storage.arrivals()}
    assert positions == {result["event_id"]: position for position, result in enumerate(results)}


def test_the_first_of_a_key_in_a_batch_wins(application: Application, storage: Storage) -> None:
    one, other = (paid(number, idempotency_key="payment-1") for number in (1, 2))

    application.ingest([other, one, {**paid(3)}])

    assert_holds(storage, other, paid(3))


def test_an_event_without_a_key_is_not_the_one_that_was_sent_with_a_key(
    application: Application, storage: Storage
) -> None:
    keyed: Json = paid(idempotency_key="payment-1")
    application.accept(keyed)

    application.accept(paid())

    assert_holds(storage, keyed, paid())


def test_other_content_never_shares_a_raw_object(application: Application, storage: Storage) -> None:
    application.accept(paid(1, idempotency_key="payment-1", payload="one"))
    before = storage.objects("raw/")

    application.ingest(paid(1, idempotency_key="payment-1", payload="other"))

    assert storage.objects("raw/") == before
