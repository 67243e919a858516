"""The transaction, not the look-up, decides who was first."""

from __future__ import annotations

import pytest

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.storage import Row, Storage, assert_holds, assert_sound
from tests.functional.wire import ALWAYS, Wire, none_found, preceded_by


@pytest.mark.parametrize("operation", ["PutObject", "TransactWriteItems"])
def test_an_event_that_another_request_wrote_in_between_is_a_duplicate_of_that_one(
    application: Application, storage: Storage, wire: Wire, operation: str
) -> None:
    winners: list[Json] = []
    wire.disturb(preceded_by(lambda: winners.append(application.accept(paid()))), operation)

    response = application.ingest(paid())

    assert response.status_code == 200
    assert response.json_body == {**winners[0], "status": "DUPLICATE"}
    assert len(storage.arrivals()) == 1
    assert_holds(storage, paid())


def test_other_content_that_another_request_wrote_in_between_is_a_conflict_with_it(
    application: Application, storage: Storage, wire: Wire
) -> None:
    first, second = (paid(number, idempotency_key="payment-1") for number in (1, 2))
    wire.disturb(preceded_by(lambda: application.accept(first)), "TransactWriteItems")

    response = application.ingest(second)

    [row] = storage.index()
    assert response.status_code == 409
    assert response.json_body["event_id"] == row["event_id"]
    assert storage.quarantined(response.json_body["rejected_id"])["status"] == "CONFLICT"
    assert [arrival["kind"] for arrival in storage.arrivals()] == ["CONFLICT"]
    assert_holds(storage, first)


def test_of_a_batch_only_what_another_request_wrote_in_between_is_known(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(preceded_by(lambda: application.accept(paid(2))), "TransactWriteItems")

    response = application.ingest([paid(1), paid(2), paid(3), paid(2)])

    statuses = [result["status"] for result in response.json_body["results"]]
    assert statuses == ["ACCEPTED", "DUPLICATE", "ACCEPTED", "DUPLICATE"]
    assert sorted(row["position"] for row in storage.arrivals()) == [1, 3]
    assert_holds(storage, paid(1), paid(2), paid(3))


def test_two_batches_that_overlap_at_the_same_time_accept_each_event_once(
    application: Application, storage: Storage, wire: Wire
) -> None:
    inner: list[Json] = []
    wire.disturb(
        preceded_by(lambda: inner.append(application.ingest([paid(2), paid(3)]).json_body["counts"])),
        "TransactWriteItems",
    )

    outer = application.ingest([paid(1), paid(2)]).json_body["counts"]

    assert outer["accepted"] + inner[0]["accepted"] == 3
    assert_holds(storage, paid(1), paid(2), paid(3))


def test_a_batch_that_loses_one_event_after_another_still_takes_in_the_rest(
    application: Application, storage: Storage, wire: Wire
) -> None:
    others = iter(range(1, 13))
    running = False

    def another_request() -> None:
        nonlocal running
        number = None if running else next(others, None)
        if number is not None:
            running = True
            application.accept(paid(number))
            running = False

    wire.disturb(preceded_by(another_request), "TransactWriteItems", times=ALWAYS)

    counts = application.ingest([paid(number) for number in range(1, 21)]).json_body["counts"]

    assert (counts["accepted"], counts["duplicate"]) == (8, 12)
    assert_holds(storage, *(paid(number) for number in range(1, 21)))


def test_a_look_up_that_misses_a_recent_event_is_put_right_by_the_transaction(
    application: Application, storage: Storage, wire: Wire
) -> None:
    first = application.accept(paid())
    wire.disturb(none_found, "BatchGetItem")

    again = application.ingest(paid())

    assert again.json_body == {**first, "status": "DUPLICATE"}
    assert_holds(storage, paid())


def test_a_loser_leaves_the_winners_rows_as_they_are(application: Application, storage: Storage, wire: Wire) -> None:
    rows: list[tuple[list[Row], list[Row]]] = []

    def win() -> None:
        application.accept(paid())
        rows.append((storage.index(), storage.identities()))

    wire.disturb(preceded_by(win), "TransactWriteItems")
    application.ingest([paid(), paid(2)])

    index, identities = rows[0]
    assert index[0] in storage.index()
    assert identities[0] in storage.identities()
    assert_sound(storage)


# Identities may expire before their events do


def test_an_event_whose_identity_expired_is_still_a_duplicate_and_its_identity_restored(
    application: Application, storage: Storage
) -> None:
    first = application.accept(paid())
    index = storage.index()
    storage.forget(first["event_id"])

    again = application.ingest(paid())

    assert again.status_code == 200
    assert again.json_body == {**first, "status": "DUPLICATE"}
    assert storage.index() == index
    assert_holds(storage, paid())


def test_other_content_under_an_expired_key_at_the_same_place_is_still_a_conflict(
    application: Application, storage: Storage
) -> None:
    first = application.accept(paid(idempotency_key="payment-1"))
    storage.forget(first["event_id"])

    response = application.ingest(paid(idempotency_key="payment-1", payload="other"))

    assert response.status_code == 409
    assert_holds(storage, paid(idempotency_key="payment-1"))


def test_an_expired_identity_in_a_batch_does_not_keep_the_others_out(
    application: Application, storage: Storage
) -> None:
    first = application.accept(paid(1))
    storage.forget(first["event_id"])

    response = application.ingest([paid(1), paid(2), paid(1)])

    assert [result["status"] for result in response.json_body["results"]] == ["DUPLICATE", "ACCEPTED", "DUPLICATE"]
    assert_holds(storage, paid(1), paid(2))


def test_identities_do_not_expire_by_themselves(application: Application, storage: Storage) -> None:
    application.accept(paid())

    assert "expires_at" not in storage.identities()[0]


A_WEEK_S = 7 * 86_400
NEW_YEAR_2043_S = 2_303_683_200


@pytest.fixture
def lifetime_of_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identities expire after a week."""
    monkeypatch.setenv("DEDUPE_TTL_DAYS", "7")


def test_identities_expire_after_the_lifetime_that_is_set(
    lifetime_of_a_week: None, application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.999999999Z"))

    application.accept(paid())

    assert storage.identities()[0]["expires_at"] == NEW_YEAR_2043_S + A_WEEK_S


def test_a_restored_identity_lives_as_long_as_a_new_one(
    lifetime_of_a_week: None, application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = application.accept(paid())
    storage.forget(first["event_id"])
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.000000000Z"))

    application.ingest(paid())

    assert storage.identities()[0]["expires_at"] == NEW_YEAR_2043_S + A_WEEK_S
