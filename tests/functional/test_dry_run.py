"""POST /ingest?dry_run=true: what would become of a request, and nothing written."""

from __future__ import annotations

import pytest

from tests.functional.application import Application
from tests.functional.events import paid
from tests.functional.storage import Storage
from tests.functional.wire import Wire

DRY = "?dry_run=true&results=all"


def test_a_dry_run_foretells_each_result_and_writes_nothing(application: Application, storage: Storage) -> None:
    application.accept_all([paid(1), paid(2, idempotency_key="k")])
    batch = [paid(1), paid(3), paid(4, idempotency_key="k"), {}, paid(3)]
    before = storage.everything()

    foretold = application.ingest(batch, query=DRY)

    assert storage.everything() == before
    assert foretold.status_code == 200
    assert [result["status"] for result in foretold.json_body["results"]] == [
        "DUPLICATE",
        "ACCEPTED",
        "CONFLICT",
        "REJECTED",
        "DUPLICATE",
    ]
    assert foretold.json_body["counts"] == application.ingest(batch).json_body["counts"]


def test_a_dry_run_only_reads(application: Application, wire: Wire) -> None:
    application.ingest([paid(), {}], query=DRY)

    assert wire.calls == ["BatchGetItem"]


def test_a_dry_run_tells_the_identity_and_place_that_the_event_then_gets(application: Application) -> None:
    foretold = application.ingest(paid(), query=DRY)

    result = application.accept(paid())
    assert foretold.status_code == 200
    same = ("status", "event_id", "content_sha256", "s3_bucket", "s3_key")
    assert {name: foretold.json_body[name] for name in same} == {name: result[name] for name in same}


@pytest.mark.parametrize(
    ("event", "status"), [(paid(1, idempotency_key="k"), 200), (paid(2, idempotency_key="k"), 409), ({}, 400)]
)
def test_a_dry_run_is_answered_as_the_request_would_be(
    application: Application, storage: Storage, event: object, status: int
) -> None:
    application.accept(paid(1, idempotency_key="k"))
    before = storage.everything()

    foretold = application.ingest(event, query=DRY)

    assert foretold.status_code == status
    assert foretold.json_body.get("rejected_id") is None
    assert storage.everything() == before


def test_dry_run_false_takes_in(application: Application, storage: Storage) -> None:
    assert application.ingest(paid(), query="?dry_run=false").status_code == 201
    assert len(storage.index()) == 1


@pytest.mark.parametrize("value", ["maybe", "2", "", "yes", "1", "True"])
def test_dry_run_is_true_or_false(application: Application, storage: Storage, value: str) -> None:
    response = application.ingest(paid(), query=f"?dry_run={value}")

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == ["dry_run"]
    assert storage.objects() == {}
