"""After the tables are lost: which of several raw lines of one identity gets the rows, and what cannot be told."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chalicelib.core.timestamps import Instant, shifted
from chalicelib.runtime import system
from retrace.checking.checkpoint import Checkpoint
from retrace.checking.deployment import RowSettings
from retrace.checking.rebuilding import Rebuilding
from retrace.checking.restoring import Restore
from retrace.checking.stores import RawBucket, Stores, Tables
from retrace.progress import Counting
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.operators import Operator, an_operator, lose_tables
from tests.functional.storage import Storage, assert_holds
from tests.functional.wire import Killed, Wire, killed_after, preceded_by

_SECOND = 1_000_000_000


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return an_operator(tmp_path)


@pytest.fixture(autouse=True)
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is received a second after the one before, long before the operator looks."""
    ticks = iter(range(1_000))
    begin = Instant("2026-11-22T08:30:00.000000000Z")
    monkeypatch.setattr(system, "now", lambda: shifted(begin, next(ticks) * _SECOND))


def content(number: int) -> Json:
    """One of several contents of one identity; the time, and so the index row, is another."""
    return paid(number, idempotency_key="payment-1")


def refused_after_a_race(application: Application, wire: Wire) -> None:
    """The second content is stored first and refused, as the first one's rows are written in between."""
    wire.disturb(preceded_by(lambda: application.accept(content(1))), "TransactWriteItems")
    assert application.ingest(content(2)).status_code == 409


def stored_and_never_answered(application: Application, wire: Wire, number: int) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest(content(number))


def place(row: Any) -> Json:
    return {
        "s3_key": row["s3_key"],
        "s3_offset": int(row["s3_offset"]),
        "content_sha256": row["content_sha256"],
        "ingest_time": row["ingest_time"],
    }


def test_content_that_was_refused_in_a_race_does_not_take_the_place_of_what_was_accepted(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    refused_after_a_race(application, wire)
    before = storage.index()
    assert len(storage.objects("raw/")) == 2
    lose_tables()

    code, listed, summary = operator.rebuild()

    assert (code, listed, operator.audit()) == (0, [], [])
    assert summary == {"objects": 2, "written": 1, "present": 0, "repeated": 1, "conflicting": 1, "undecided": 0}
    assert storage.index() == before
    assert_holds(storage, content(1))


def test_content_that_was_stored_before_its_function_ended_and_refused_later_is_not_chosen(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    assert application.ingest([content(2), paid(9)]).json_body["counts"]["conflict"] == 1
    before = storage.index()
    lose_tables()

    code, listed, _ = operator.rebuild()

    assert (code, listed) == (0, [])
    assert storage.index() == before


def test_a_marker_of_an_audit_keeps_what_was_accepted_over_what_was_never_answered(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    before = storage.index()

    assert operator.audit() == [("line-superseded", "with --repair")]
    assert storage.objects("superseded/") == {}
    assert operator.audit("--repair") == [("line-superseded", "done")]
    assert operator.audit() == []
    [marker] = map(json.loads, storage.objects("superseded/").values())
    assert marker["first"] == place(before[0])
    lose_tables()
    code, listed, _ = operator.rebuild()

    assert (code, listed) == (0, [])
    assert storage.index() == before
    assert operator.audit() == []


def test_a_marker_also_tells_the_line_where_the_content_is_the_same(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest([content(1), paid(7)])
    application.accept(content(1))
    application.accept(paid(7))
    before = storage.index()
    assert operator.audit("--repair") == [("line-superseded", "done")] * 2
    lose_tables()

    assert operator.rebuild()[2]["repeated"] == 2
    assert storage.index() == before


def test_without_record_and_marker_the_earlier_line_is_chosen_and_the_other_is_listed_at_each_rebuild(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    accepted = place(storage.index()[0])
    lose_tables()

    code, [found], summary = operator.rebuild()

    [chosen] = storage.index()
    assert (code, summary["undecided"]) == (1, 1)
    assert found["difference"] == "content-undecided"
    assert found["event_id"] == chosen["event_id"]
    assert found["chosen"] == place(chosen)
    assert {name: found[name] for name in accepted} == accepted != found["chosen"]
    assert "taken in first" in found["detail"]
    assert "docs/operations.md#undecided-content" in found["remedy"]
    again, [still], _ = operator.rebuild()
    assert (again, still["chosen"]) == (1, found["chosen"])


def test_the_choice_of_a_rebuild_is_settled_only_on_demand(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    lose_tables()
    operator.rebuild()

    assert operator.audit("--repair") == [("content-undecided", "no")]
    assert storage.objects("superseded/") == {}
    assert operator.audit("--repair", "--settle") == [("line-superseded", "done")]
    assert operator.rebuild()[:2] == (0, [])


def test_the_other_content_gets_the_rows_once_they_are_deleted_and_a_marker_names_it(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    before = storage.index()
    lose_tables()
    _, [found], _ = operator.rebuild()
    first = {name: found[name] for name in found["chosen"]}
    marker = {"event_id": found["event_id"], "superseded": found["chosen"], "first": first}
    chosen = found["chosen"]
    key = f"superseded/{chosen['s3_key'].removeprefix('raw/').removesuffix('.ndjson')}/{chosen['s3_offset']}.json"
    clients.s3().put_object(
        Bucket=SETTINGS["RAW_BUCKET"],
        Key=key,
        Body=json.dumps(marker | {"found_at": "2026-11-22T09:00:00.000000000Z"}),
        IfNoneMatch="*",
    )
    lose_tables()

    assert operator.audit("--repair") == [("raw-not-indexed", "done")]
    assert storage.index() == before


def test_a_repair_does_not_choose_between_contents(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    lose_tables()

    assert operator.audit("--repair") == [("raw-not-indexed", "no")]
    assert storage.index() == []


def test_rows_that_hold_refused_content_are_listed_and_stay(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    refused_after_a_race(application, wire)
    records = storage.objects("rejected/")
    lose_tables()
    for key in records:
        storage.lose(key)
    operator.rebuild()  # nothing tells it
    [wrong] = storage.index()
    for key, record in records.items():
        clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key, Body=record)

    code, [found], _ = operator.rebuild()

    assert (code, found["difference"], found["chosen"]) == (1, "content-undecided", place(wrong))
    assert next(iter(records)) in found["detail"]
    assert storage.index() == [wrong]


def test_of_two_records_that_contradict_each_other_the_older_decides_and_the_line_that_lost_is_listed(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    refused_after_a_race(application, wire)
    before = storage.index()
    [(key, record)] = storage.objects("rejected/").items()
    lose_tables()
    storage.lose(key)
    operator.rebuild()  # nothing tells it, so the wrong content has the rows
    wrong = place(storage.index()[0])
    assert application.ingest(content(1)).status_code == 409
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key, Body=record)
    lose_tables()

    code, [found], _ = operator.rebuild()

    assert (code, found["difference"], found["chosen"]) == (1, "content-undecided", place(before[0]))
    assert {name: found[name] for name in wrong} == wrong
    assert storage.index() == before


def test_a_rebuild_that_goes_on_lists_again_what_it_listed_and_nothing_twice(
    application: Application, wire: Wire, operator: Operator
) -> None:
    stored_and_never_answered(application, wire, 2)
    application.accept(content(1))
    lose_tables()
    stores = Stores(
        RawBucket(clients.s3(), SETTINGS["RAW_BUCKET"]),
        Tables(clients.dynamodb(), SETTINGS["EVENTS_TABLE"], SETTINGS["DEDUPE_TABLE"], SETTINGS["AGGREGATES_TABLE"]),
    )
    listed = []
    for finished in (False, True):
        kept = Checkpoint(operator.directory / "checkpoint", {})
        progress = Counting(Console(file=io.StringIO()), "Rebuilding")
        listed.append(list(Rebuilding(stores, kept, Restore(stores.tables, RowSettings(4, 3_600, 0)), progress).run()))
        kept.close(finished=finished)

    assert len(listed[0]) == 1
    assert listed[1] == listed[0]


def test_where_the_accepted_line_is_gone_refused_content_gets_no_rows_and_is_listed(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    refused_after_a_race(application, wire)
    [accepted] = storage.index()
    lose_tables()
    storage.lose(accepted["s3_key"])

    code, [found], _ = operator.rebuild()

    assert (code, found["difference"], found["chosen"]) == (1, "first-missing", place(accepted))
    assert storage.index() == []


def test_where_the_accepted_line_is_gone_another_of_the_same_content_gets_the_rows(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest([content(1), paid(7)])
    application.accept(content(1))
    [accepted] = storage.index()
    operator.audit("--repair")
    lose_tables()
    storage.lose(accepted["s3_key"])

    code, listed, _ = operator.rebuild()

    assert (code, listed) == (0, [])
    assert_holds(storage, content(1), paid(7))


def test_a_record_that_was_changed_is_listed_and_decides_nothing(
    application: Application, wire: Wire, storage: Storage, operator: Operator
) -> None:
    refused_after_a_race(application, wire)
    lose_tables()
    [key] = storage.objects("rejected/")
    storage.overwrite(key, b"payment-1", b"payment-2")

    code, listed, _ = operator.rebuild()

    assert code == 1
    assert [each["difference"] for each in listed] == ["record-changed", "content-undecided"]
    assert listed[0]["s3_key"] == key


def test_of_quarantine_only_conflicts_are_read(application: Application, operator: Operator, storage: Storage) -> None:
    for refused in ({"source": 1}, {"source": 2}, content(1), content(2)):
        application.ingest(refused)
    others = [key for key in storage.objects("rejected/") if not key.endswith(".conflict.json")]
    assert len(others) == 2
    for key in others:
        storage.overwrite(key, b"status", b"STATUS")

    assert operator.rebuild()[:2] == (0, [])


def test_an_identity_that_had_expired_before_it_was_used_again_is_decided_by_its_own_records(
    application: Application,
    storage: Storage,
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = application.accept(content(1))
    assert application.ingest(content(2)).status_code == 409
    storage.forget(first["event_id"])
    monkeypatch.setattr(system, "now", lambda: Instant("2026-11-25T08:30:00.000000000Z"))
    application.accept(content(2))
    before = storage.index()
    assert len(before) == 2
    lose_tables()

    code, [*listed, _] = operator.run(
        "check", "rebuild", "--identity-ttl-days", "2", "--checkpoint", str(operator.directory / "checkpoint")
    )

    assert (code, listed) == (0, [])
    assert storage.index() == before
