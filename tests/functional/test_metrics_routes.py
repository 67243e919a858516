"""Definitions of metrics: applied once, kept for good beside the raw events, found by name and by hash."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.core.errors import IntegrityFailure, NotFound
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant
from chalicelib.metrics.catalogue import MAX_NAMES, Change, State
from chalicelib.metrics.definition import BUILT_IN, definition_of
from chalicelib.runtime import replay_wiring, system
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import Json
from tests.functional.operators import an_operator
from tests.functional.storage import Storage
from tests.functional.wire import Killed, Wire, answer_lost, killed_after, killed_before, preceded_by

MONDAY, TUESDAY, FRIDAY = (Instant(f"2026-11-{day}T12:00:00.000000000Z") for day in (23, 24, 27))
REVENUE: Json = {
    "source": "payments/northpay",
    "where": [{"path": "/currency", "equals": "EUR"}],
    "aggregate": "sum",
    "value": "/amount",
}
NET = REVENUE | {"value": "/net"}
JSON = {"content-type": "application/json"}


def at(monkeypatch: pytest.MonkeyPatch, now: Instant) -> None:
    monkeypatch.setattr(system, "now", lambda: now)


def put(application: Application, name: str, definition: Any) -> HTTPResponse:
    sent = definition if isinstance(definition, bytes) else json.dumps(definition).encode()
    return application.call("PUT", f"/metrics/{name}", JSON, sent)


def defined(application: Application, name: str, definition: Json) -> Json:
    response = put(application, name, definition)
    assert response.status_code == 200, response.body
    answer: Json = response.json_body
    return answer


def retired(application: Application, name: str) -> Json:
    response = application.call("DELETE", f"/metrics/{name}", JSON)
    assert response.status_code == 200, response.body
    answer: Json = response.json_body
    return answer


def hash_of(name: str, definition: Json) -> str:
    return definition_of(parse(json.dumps(definition | {"name": name}))).sha256


def listed(application: Application, **query: str) -> list[tuple[str, str]]:
    items: list[Json] = application.get("/metrics", **query).json_body["items"]
    return [(item["name"], item["state"]) for item in items]


def active(_: Application) -> list[str]:
    """The names that a replay computes, as another process finds them."""
    replay_wiring.definitions.cache_clear()
    return [definition.name for definition in replay_wiring.definitions().active()]


def test_a_definition_is_answered_with_its_hash_and_found_by_name_and_by_hash(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    answer = defined(application, "revenue", REVENUE)

    assert answer == {
        "name": "revenue",
        "state": "ACTIVE",
        "built_in": False,
        "definition_sha256": hash_of("revenue", REVENUE),
        "definition": REVENUE | {"name": "revenue", "time_zone": "UTC"},
        "changed_at": MONDAY,
        "changed_by": "local",
        "changed": True,
    }
    assert application.get("/metrics/revenue").json_body["definition"] == answer["definition"]
    replay_wiring.definitions.cache_clear()
    [found] = replay_wiring.definitions().by_hash([answer["definition_sha256"]])
    assert found.canonical == json.dumps(answer["definition"], sort_keys=True, separators=(",", ":"))


def test_the_same_definition_again_changes_and_writes_nothing(application: Application, storage: Storage) -> None:
    first = defined(application, "revenue", REVENUE)
    before = storage.everything()

    again = defined(application, "revenue", {**REVENUE, "name": "revenue", "on_missing": "skip"})

    assert again == first | {"changed": False}
    assert storage.everything() == before


def test_a_name_has_its_newest_definition_and_remembers_the_others(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    for now, definition in ((MONDAY, REVENUE), (TUESDAY, NET)):
        at(monkeypatch, now)
        defined(application, "revenue", definition)
    at(monkeypatch, FRIDAY)
    retired(application, "revenue")

    found = application.get("/metrics/revenue").json_body

    assert (found["state"], found["definition_sha256"]) == ("RETIRED", hash_of("revenue", NET))
    assert [(each["definition_sha256"], each["defined_at"], each["retired_at"]) for each in found["versions"]] == [
        (hash_of("revenue", NET), TUESDAY, FRIDAY),
        (hash_of("revenue", REVENUE), MONDAY, None),
    ]


def test_each_change_is_kept_once_beside_the_raw_events_with_the_definition_that_its_hash_says(
    application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    defined(application, "revenue", REVENUE)
    at(monkeypatch, TUESDAY)
    retired(application, "revenue")

    records = storage.objects("metrics/")

    assert [*records] == [f"metrics/name=revenue/{number:012d}.json" for number in (1, 2)]
    for record, state in zip(map(json.loads, records.values()), ("ACTIVE", "RETIRED"), strict=True):
        assert (record["v"], record["name"], record["state"], record["by"]) == (1, "revenue", state, "local")
        canonical = json.dumps(record["definition"], sort_keys=True, separators=(",", ":"))
        assert record["definition_sha256"] == sha256(canonical.encode()).hexdigest() == hash_of("revenue", REVENUE)


def test_numbers_of_a_definition_are_kept_and_answered_as_they_were_written(application: Application) -> None:
    definition = (
        b'{"aggregate":"count","where":[{"path":"/rate","equals":1.10},{"path":"/id","equals":9007199254740993}]}'
    )

    answer = put(application, "odd", definition)

    assert answer.status_code == 200
    for body in (answer.body, application.get("/metrics/odd").body, application.get("/metrics").body):
        assert b'"equals":1.10' in body
        assert b'"equals":9007199254740993' in body


def test_what_is_retired_is_computed_no_more_until_it_is_defined_again(application: Application) -> None:
    defined(application, "revenue", REVENUE)
    defined(application, "fees", NET)
    assert active(application) == ["daily_event_count", "fees", "revenue"]

    assert retired(application, "revenue")["changed"]
    assert not retired(application, "revenue")["changed"]
    assert active(application) == ["daily_event_count", "fees"]
    assert listed(application) == [("daily_event_count", "ACTIVE"), ("fees", "ACTIVE"), ("revenue", "RETIRED")]

    assert defined(application, "revenue", REVENUE)["changed"]
    assert active(application) == ["daily_event_count", "fees", "revenue"]
    assert len(application.get("/metrics/revenue").json_body["versions"]) == 2


def test_pages_together_have_every_metric_once(application: Application) -> None:
    for number in range(5):
        defined(application, f"m{number}", REVENUE)
    found: list[tuple[str, str]] = []
    query = {"limit": "2"}
    while True:
        page = application.get("/metrics", **query).json_body
        found += [(item["name"], item["state"]) for item in page["items"]]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]

    assert [name for name, _ in found] == ["daily_event_count", *(f"m{number}" for number in range(5))]


def test_what_is_built_in_is_listed_and_stays_as_it_is(application: Application, storage: Storage) -> None:
    found = application.get("/metrics/daily_event_count").json_body

    assert (found["built_in"], found["definition_sha256"]) == (True, BUILT_IN[0].sha256)
    assert (found["changed_at"], found["versions"]) == (None, [])
    assert put(application, "daily_event_count", REVENUE).status_code == 409
    assert application.call("DELETE", "/metrics/daily_event_count", JSON).status_code == 409
    assert storage.objects("metrics/") == {}


def test_a_definition_that_is_wrong_is_refused_with_every_fault_and_nothing_is_kept(
    application: Application, storage: Storage
) -> None:
    before = storage.everything()

    refused = put(application, "revenue", {"name": "turnover", "aggregate": "sum", "value": "amount", "colour": 1})

    assert refused.status_code == 400
    assert {fault["field"] for fault in refused.json_body["errors"]} == {"name", "value", "colour"}
    assert storage.everything() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"aggregate":"count","x":NaN}', b"[" * 70_000])
def test_what_is_no_definition_is_refused(application: Application, body: bytes) -> None:
    assert put(application, "revenue", body).status_code == 400


@pytest.mark.parametrize("name", ["Revenue", "re-venue", "r" * 65, "1st"])
def test_a_name_that_no_metric_can_have_is_refused(application: Application, name: str) -> None:
    assert put(application, name, {"aggregate": "count"}).status_code == 400
    assert application.get(f"/metrics/{name}").status_code == 404
    assert application.call("DELETE", f"/metrics/{name}", JSON).status_code == 404


@pytest.mark.parametrize("query", [{"limit": "0"}, {"cursor": "AAAA"}, {"name": "revenue"}])
def test_a_question_about_metrics_that_makes_no_sense_is_refused(
    application: Application, query: dict[str, str]
) -> None:
    assert application.get("/metrics", **query).status_code == 400


def test_no_more_than_twenty_metrics_are_active(application: Application) -> None:
    for number in range(20):
        defined(application, f"m{number:02d}", REVENUE)

    assert put(application, "one_more", REVENUE).status_code == 409
    assert defined(application, "m00", NET)["changed"]
    retired(application, "m01")
    assert defined(application, "one_more", REVENUE)["changed"]


def test_no_more_names_are_kept_than_a_request_for_a_replay_reads(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.metrics.use_cases.MAX_NAMES", 3)
    for number in range(3):
        defined(application, f"m{number}", REVENUE)
        retired(application, f"m{number}")

    refused = put(application, "one_more", REVENUE)

    assert refused.status_code == 409
    assert "Define one of the retired names again" in refused.json_body["detail"]
    assert defined(application, "m1", NET)["changed"]


def test_active_metrics_of_many_retired_names_are_read_in_two_queries(application: Application, wire: Wire) -> None:
    defined(application, "zz_last", REVENUE)
    for number in range(MAX_NAMES - 1):
        retired_one = definition_of(parse(json.dumps(REVENUE | {"name": f"m{number:03d}"})))
        replay_wiring.definitions().change(Change(State.RETIRED, retired_one, MONDAY, "local", 1), None)
    wire.mend()

    assert active(application) == ["daily_event_count", "zz_last"]
    assert wire.count() == {"Query": 2}


def put_dies_after_its_record(application: Application, wire: Wire) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        put(application, "revenue", REVENUE)
    assert application.get("/metrics/revenue").status_code == 404


def test_if_the_function_dies_before_the_name_changes_the_request_can_be_sent_again(
    application: Application, storage: Storage, wire: Wire
) -> None:
    put_dies_after_its_record(application, wire)

    assert defined(application, "revenue", REVENUE)["definition_sha256"] == hash_of("revenue", REVENUE)
    assert len(storage.objects("metrics/")) == 1


@pytest.mark.parametrize("operation", ["PutObject", "TransactWriteItems"])
def test_if_an_answer_is_lost_the_request_can_be_sent_again(
    application: Application, wire: Wire, operation: str
) -> None:
    wire.disturb(answer_lost, operation)
    put(application, "revenue", REVENUE)

    defined(application, "revenue", REVENUE)

    found = application.get("/metrics/revenue").json_body
    assert (found["definition_sha256"], len(found["versions"])) == (hash_of("revenue", REVENUE), 1)


def lose_metrics(storage: Storage) -> None:
    for row in storage.rows("REPLAYS_TABLE"):
        if row["PK"].startswith("METRIC#"):
            key = {name: {"S": row[name]} for name in ("PK", "SK")}
            clients.dynamodb().delete_item(TableName=SETTINGS["REPLAYS_TABLE"], Key=key)
    replay_wiring.definitions.cache_clear()


def test_a_rebuild_writes_metrics_again_from_the_records_of_their_changes(
    application: Application, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for now, definition in ((MONDAY, REVENUE), (TUESDAY, NET)):
        at(monkeypatch, now)
        defined(application, "revenue", definition)
        defined(application, "fees", definition)
    at(monkeypatch, FRIDAY)
    retired(application, "fees")
    before = storage.rows("REPLAYS_TABLE")
    lose_metrics(storage)

    code, _, _ = an_operator(tmp_path).rebuild()

    assert (code, storage.rows("REPLAYS_TABLE")) == (0, before)
    assert active(application) == ["daily_event_count", "revenue"]


def test_a_rebuild_leaves_metrics_that_are_there_and_lists_records_that_were_changed(
    application: Application, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    defined(application, "revenue", REVENUE)
    before = storage.rows("REPLAYS_TABLE")
    key = "metrics/name=revenue/000000000001.json"
    storage.overwrite(key, b"/amount", b"/amoumt")

    code, found, _ = an_operator(tmp_path).rebuild()

    assert (code, [(each["difference"], each["s3_key"]) for each in found]) == (1, [("record-changed", key)])
    assert storage.rows("REPLAYS_TABLE") == before
    lose_metrics(storage)
    (tmp_path / "retrace/config.toml").unlink()
    (tmp_path / "retrace").rmdir()
    an_operator(tmp_path).rebuild()
    assert application.get("/metrics/revenue").status_code == 404


@pytest.fixture
def require_rebuildable(application: Application, storage: Storage, tmp_path: Path) -> Callable[[], None]:
    """Requires that a rebuild writes the rows that the table of replays had."""

    def require() -> None:
        rows, found = storage.rows("REPLAYS_TABLE"), application.get("/metrics/revenue").json_body
        lose_metrics(storage)
        code, _, _ = an_operator(tmp_path).rebuild()
        assert (code, application.get("/metrics/revenue").json_body) == (0, found)
        assert storage.rows("REPLAYS_TABLE") == rows

    return require


OPERATIONS = ("GetItem", "PutObject", "TransactWriteItems")
"""The calls of a change of a name, in their order."""


def begun(application: Application, change: str) -> int:
    """Send a change once, whatever becomes of it."""
    if change.startswith("DELETE"):
        return application.call("DELETE", "/metrics/revenue", JSON).status_code
    return put(application, "revenue", REVENUE).status_code


CHANGES = ("PUT of a new name", "PUT", "DELETE")


@pytest.mark.parametrize("case", [*product(CHANGES, OPERATIONS)], ids=", ".join)
def test_of_changes_at_once_the_table_has_all_and_a_rebuild_writes_what_it_has(
    application: Application,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    require_rebuildable: Callable[[], None],
    case: tuple[str, str],
) -> None:
    change, operation = case
    at(monkeypatch, TUESDAY)
    if change != "PUT of a new name":
        defined(application, "revenue", REVENUE | {"value": "/gross"})

    def another_on_monday() -> None:
        at(monkeypatch, MONDAY)
        defined(application, "revenue", NET)
        at(monkeypatch, TUESDAY)

    wire.disturb(preceded_by(another_on_monday), operation)
    status = begun(application, change)

    versions = application.get("/metrics/revenue").json_body["versions"]
    assert (status, hash_of("revenue", NET) in [each["definition_sha256"] for each in versions]) == (200, True)
    require_rebuildable()


@pytest.mark.parametrize("case", [*product(CHANGES, OPERATIONS, ("before", "after"))], ids=", ".join)
def test_a_change_whose_function_died_is_made_by_the_next_or_never(
    application: Application,
    wire: Wire,
    require_rebuildable: Callable[[], None],
    case: tuple[str, str, str],
) -> None:
    change, operation, moment = case
    if change != "PUT of a new name":
        defined(application, "revenue", REVENUE | {"value": "/gross"})
    wire.disturb(killed_before if moment == "before" else killed_after, operation)
    with pytest.raises(Killed):
        begun(application, change)

    defined(application, "revenue", NET)

    found = application.get("/metrics/revenue").json_body
    assert (found["state"], found["definition_sha256"]) == ("ACTIVE", hash_of("revenue", NET))
    require_rebuildable()


def test_a_rebuild_completes_a_new_metric_whose_function_died_after_its_record(
    application: Application, wire: Wire, tmp_path: Path
) -> None:
    put_dies_after_its_record(application, wire)

    code, _, _ = an_operator(tmp_path).rebuild()

    found = application.get("/metrics/revenue").json_body
    assert (code, found["definition_sha256"], len(found["versions"])) == (0, hash_of("revenue", REVENUE), 1)


def test_of_two_metrics_defined_at_once_one_may_be_too_many_and_replays_say_what_to_do(
    application: Application, wire: Wire
) -> None:
    for number in range(19):
        defined(application, f"m{number:02d}", REVENUE)
    wire.disturb(preceded_by(lambda: defined(application, "meanwhile", REVENUE)), "PutObject")
    defined(application, "one_more", REVENUE)
    whole_day = {"entity_id": "order-1", "start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}

    refused = application.request_replay(whole_day)

    assert (refused.status_code, refused.json_body["errors"]) == (
        400,
        [
            {
                "field": "metrics",
                "message": "are 21, as many as are active, and a replay computes 20: retire some, or name some",
            }
        ],
    )
    retired(application, "meanwhile")
    assert application.request_replay(whole_day).status_code == 202


def test_of_changes_that_keep_coming_first_one_is_told_to_try_again(application: Application, wire: Wire) -> None:
    values, begun_within = iter("abcdefgh"), Counter[str]()

    def another_first() -> None:
        begun_within["another"] += 1
        if begun_within["another"] == 1:
            defined(application, "revenue", NET | {"value": f"/{next(values)}"})
        begun_within["another"] -= 1

    wire.disturb(preceded_by(another_first), "PutObject", times=100)

    refused = put(application, "revenue", REVENUE)

    assert (refused.status_code, next(values)) == (503, "e")
    wire.mend()
    assert defined(application, "revenue", REVENUE)["changed"]


def test_definitions_without_a_name_are_kept_and_found_by_hash_alone(application: Application) -> None:
    draft = definition_of(parse('{"name":"draft","aggregate":"count","source":"shop"}'))
    replay_wiring.definitions().keep([draft])
    replay_wiring.definitions.cache_clear()

    assert replay_wiring.definitions().by_hash([draft.sha256, BUILT_IN[0].sha256]) == [draft, BUILT_IN[0]]
    assert active(application) == ["daily_event_count"]
    with pytest.raises(NotFound):
        replay_wiring.definitions().by_hash(["0" * 64])


def test_a_definition_that_was_changed_in_its_row_is_not_used(application: Application, storage: Storage) -> None:
    known = defined(application, "revenue", REVENUE)["definition_sha256"]
    other = definition_of(parse('{"name":"revenue","aggregate":"count"}'))
    storage.put("REPLAYS_TABLE", {"PK": f"METRIC#{known}", "SK": "DEFINITION", "definition": other.canonical})
    replay_wiring.definitions.cache_clear()

    with pytest.raises(IntegrityFailure, match=other.sha256):
        replay_wiring.definitions().by_hash([known])
