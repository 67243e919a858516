"""`retrace check verify` computes metrics from raw events again, and finds any digit that was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws.dynamodb import to_item
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import DAY, NEXT_DAY, Json, paid
from tests.functional.operators import Operator, an_operator
from tests.functional.recomputed import as_stored
from tests.functional.storage import Storage
from tests.functional.test_metrics_of_replays import LARGEST, REVENUE, accept, amounts, define
from tests.functional.test_values_of_all import BUYERS, MEDIAN, asked

WINDOW = {"entity_id": "order-1", "start_time": "2023-06-29T00:00:00Z", "end_time": "2023-07-02T00:00:00Z"}


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return an_operator(tmp_path)


@pytest.fixture
def replay_id(application: Application) -> str:
    """A replay with metrics of two calendars over three events, one of which a metric skips."""
    define(application, "revenue", REVENUE)
    define(application, "largest", LARGEST | {"time_zone": "Europe/Paris"})
    accept(application, *amounts("1.10", "2.20", "true"))
    return application.replayed(**WINDOW)


def found(operator: Operator, *arguments: str) -> list[tuple[str, list[str]]]:
    code, differences = operator.run("check", "verify", *arguments)
    assert code == bool(differences)
    return [(each["difference"], list(each["fields"])) for each in differences]


def change(row: Json, name: str, value: Any) -> None:
    clients.dynamodb().update_item(
        TableName=SETTINGS["AGGREGATES_TABLE"],
        Key={"PK": {"S": row["PK"]}, "SK": {"S": row["SK"]}},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )


def rows(storage: Storage, replay_id: str, name: str, calendar: str) -> list[Json]:
    """Rows of a version of a calendar that have this."""
    every = storage.rows("AGGREGATES_TABLE")
    return [row for row in every if name in row and f"#{calendar}#" in f"{row['PK']}#{row['SK']}" and replay_id]


def test_sound_metrics_of_all_calendars_are_verified(operator: Operator, replay_id: str) -> None:
    assert found(operator, "order-1", DAY) == []
    assert found(operator, "--replay", replay_id) == []


def test_a_what_if_is_verified_by_the_definition_of_its_request(
    application: Application, operator: Operator, storage: Storage, replay_id: str
) -> None:
    what_if = application.replayed(**WINDOW, metrics=[{"name": "revenue", "aggregate": "sum", "value": "/amount"}])
    assert found(operator, "--replay", what_if) == []
    [row] = [row for row in rows(storage, replay_id, "m", "UTC") if what_if in str(row["SK"])]
    [name] = row["m"]

    change(row, "m", {"M": {name: {"L": [{"L": [{"B": as_stored("3.4")}, {"N": "2"}, {"N": "1"}]}]}}})

    assert found(operator, "--replay", what_if) == [("version-differs", ["m"])]
    assert found(operator, "--replay", replay_id) == []


@pytest.mark.parametrize("calendar", ["UTC", "Europe/Paris"])
def test_a_changed_digit_of_a_value_is_found(
    operator: Operator, storage: Storage, replay_id: str, calendar: str
) -> None:
    [row] = rows(storage, replay_id, "m", calendar)
    [name] = row["m"]
    value = {"B": as_stored("3.4" if calendar == "UTC" else "2.3")}
    changed = {"UTC": [value, {"N": "2"}, {"N": "0"}, {"S": "EUR"}], "Europe/Paris": [value]}[calendar]
    change(row, "m", {"M": {name: {"L": [{"L": changed}]}}})

    for arguments in (("order-1", DAY), ("--replay", replay_id)):
        assert found(operator, *arguments) == [("version-differs", ["m"])]


@pytest.mark.parametrize("calendar", ["UTC", "Europe/Paris"])
def test_a_changed_digit_of_a_contribution_is_found(
    operator: Operator, storage: Storage, replay_id: str, calendar: str
) -> None:
    row = min(rows(storage, replay_id, "c", calendar), key=lambda row: str(row["SK"]))
    [name] = row["c"]
    group = [{"S": "EUR"}] if calendar == "UTC" else []
    change(row, "c", {"M": {name: {"L": [{"S": "1.11"}, *group]}}})

    for arguments in (("order-1", DAY), ("--replay", replay_id)):
        assert found(operator, *arguments) == [("input-differs", ["c"])]


def test_a_value_and_a_contribution_that_were_changed_alike_are_found(
    operator: Operator, storage: Storage, replay_id: str
) -> None:
    row = sorted(rows(storage, replay_id, "c", "Europe/Paris"), key=lambda row: str(row["SK"]))[1]
    [name] = row["c"]
    change(row, "c", {"M": {name: {"L": [{"S": "9.9"}]}}})
    [version] = rows(storage, replay_id, "m", "Europe/Paris")
    event_id = bytes.fromhex(str(row["event_id"]))
    forged = [{"L": [{"B": as_stored("9.9")}, {"B": event_id}]}, {"N": "2"}, {"N": "1"}]
    change(version, "m", {"M": {name: {"L": [{"L": forged}]}}})

    assert ("input-differs", ["c"]) in found(operator, "order-1", DAY)


def test_a_definition_that_was_lost_is_told(
    operator: Operator, application: Application, storage: Storage, replay_id: str
) -> None:
    for row in storage.rows("REPLAYS_TABLE"):
        if row["SK"] == "DEFINITION":
            clients.dynamodb().delete_item(
                TableName=SETTINGS["REPLAYS_TABLE"], Key={"PK": {"S": row["PK"]}, "SK": {"S": row["SK"]}}
            )

    code, differences = operator.run("check", "verify", "order-1", DAY)

    assert (code, differences) == (1, [])


@pytest.fixture
def totals_of(application: Application) -> str:
    """A replay of two entities' events, whose totals of two calendars are kept."""
    define(application, "revenue", REVENUE)
    define(application, "largest", LARGEST | {"time_zone": "Europe/Paris"})
    accept(application, *amounts("1.10", "2.20"))
    application.accept(paid(7, entity_id="order-2", payload={"amount": 7, "currency": "EUR"}))
    window = {"start_time": "2023-06-29T00:00:00Z", "end_time": "2023-07-02T00:00:00Z"}
    replay_id = application.replayed(source="shop/checkout", event_type="order.paid", **window)
    for name in ("revenue", "largest"):
        answer = application.get(f"/metrics/{name}/values", start_day=DAY, end_day=DAY).json_body
        assert answer["values"][-1]["versions"] == 2
    return replay_id


def kept_total(storage: Storage, calendar: str) -> Json:
    every = [row for row in storage.rows("AGGREGATES_TABLE") if str(row["PK"]).startswith("TOTALS#")]
    [row] = [row for row in every if f"#{calendar}#" in row["SK"]]
    return row


def test_a_kept_total_is_verified_with_its_replay(operator: Operator, storage: Storage, totals_of: str) -> None:
    assert kept_total(storage, "UTC")["versions"] == 2

    assert found(operator, "--replay", totals_of) == []


@pytest.mark.parametrize("calendar", ["UTC", "Europe/Paris"])
def test_a_changed_digit_of_a_kept_total_is_found(
    operator: Operator, storage: Storage, totals_of: str, calendar: str
) -> None:
    row = kept_total(storage, calendar)
    [name] = row["m"]
    group = {"UTC": [{"S": "EUR"}], "Europe/Paris": []}[calendar]
    event = bytes(row["m"][name][0][0][1]) if calendar != "UTC" else b""
    value: Json = {"B": as_stored("10.4")} if calendar == "UTC" else {"L": [{"B": as_stored("8")}, {"B": event}]}
    change(row, "m", {"M": {name: {"L": [{"L": [value, {"N": "3"}, {"N": "0"}, *group]}]}}})

    assert found(operator, "--replay", totals_of) == [("total-differs", ["m"])]


def test_a_difference_of_a_total_names_its_metrics(operator: Operator, storage: Storage, totals_of: str) -> None:
    change(kept_total(storage, "UTC"), "m", {"M": {}})

    _, [difference] = operator.run("check", "verify", "--replay", totals_of)

    assert (difference["fields"], difference["detail"]) == (["m"], "revenue")


@pytest.fixture
def values_of(application: Application) -> str:
    """A replay with two metrics that need all inputs, whose values are kept."""
    define(application, "buyers", BUYERS)
    define(application, "median", MEDIAN | {"time_zone": "Europe/Paris"})
    accept(application, *amounts("1.10", "2.20", "7"))
    replay_id = application.replayed(**WINDOW)
    assert asked(application, "buyers") == [("3", None)]
    assert asked(application, "median", calendar="Europe/Paris") == [("2.2", None)]
    return replay_id


def kept_values(storage: Storage, calendar: str) -> Json:
    every = [row for row in storage.rows("AGGREGATES_TABLE") if str(row["PK"]).startswith("VALUES#")]
    [row] = [row for row in every if f"#{calendar}#" in row["PK"]]
    return row


def test_kept_values_of_all_inputs_are_verified(operator: Operator, values_of: str) -> None:
    assert found(operator, "order-1", DAY) == []
    assert found(operator, "--replay", values_of) == []


@pytest.mark.parametrize(
    "case",
    [
        ("buyers", ["3", "EUR"], ["4", "EUR"]),
        ("buyers", ["3", "EUR"], ["3", "EUS"]),
        ("median", ["2.2"], ["2.1"]),
    ],
)
def test_a_changed_digit_of_kept_values_is_found_and_named(
    operator: Operator, storage: Storage, values_of: str, case: tuple[str, list[str], list[str]]
) -> None:
    name, computed, changed = case
    row = kept_values(storage, "UTC" if name == "buyers" else "Europe/Paris")
    change(row, "values", {"L": [{"L": [{"S": text} for text in changed]}]})

    for arguments in (("order-1", DAY), ("--replay", values_of), ("--prefix", "raw/")):
        code, [difference] = operator.run("check", "verify", *arguments)
        assert (code, difference["difference"]) == (1, "values-differ")
        assert difference["detail"] == f"{name} is {json.dumps([computed])}, not {json.dumps([changed])}"


def test_kept_values_of_other_inputs_are_not_compared(
    operator: Operator, application: Application, storage: Storage, values_of: str
) -> None:
    row = kept_values(storage, "UTC")
    forged = row | {"SK": f"{row['SK'][:-4]}beef", "values": [["9", "EUR"]]}
    clients.dynamodb().put_item(TableName=SETTINGS["AGGREGATES_TABLE"], Item=to_item(forged))

    assert found(operator, "order-1", DAY) == []
    assert asked(application, "buyers") == [("3", None)]


def test_a_changed_count_of_versions_is_found(operator: Operator, storage: Storage, totals_of: str) -> None:
    change(kept_total(storage, "UTC"), "versions", {"N": "3"})

    assert found(operator, "--replay", totals_of) == [("total-differs", ["versions"])]


def test_a_total_that_its_replay_has_outgrown_is_not_compared(
    operator: Operator, storage: Storage, totals_of: str
) -> None:
    row = kept_total(storage, "UTC")
    change(row, "versions", {"N": "1"})
    change(row, "processed", {"N": "2"})

    assert found(operator, "--replay", totals_of) == []


NEXT_DAY_IN_PARIS = ("order-1", NEXT_DAY, "--calendar", "Europe/Paris")


@pytest.fixture
def only_in_paris(application: Application) -> str:
    """A replay whose versions of the next day are only those of Paris: it is half past midnight there."""
    define(application, "largest", LARGEST | {"time_zone": "Europe/Paris"})
    application.accept(paid(event_time=f"{DAY}T22:30:00Z", payload={"amount": 7}))
    return application.replayed(**WINDOW)


def test_a_day_that_only_another_calendar_has_versions_of_is_verified(
    operator: Operator, only_in_paris: str, storage: Storage
) -> None:
    assert found(operator, *NEXT_DAY_IN_PARIS) == []
    [row] = [each for each in rows(storage, only_in_paris, "m", "Europe/Paris") if f"#{NEXT_DAY}#" in each["SK"]]
    change(row, "event_count", {"N": "2"})

    assert found(operator, *NEXT_DAY_IN_PARIS) == [("version-differs", ["event_count"])]
    assert found(operator, "order-1", NEXT_DAY) == []


def test_a_day_without_versions_names_the_calendars_that_have_some(operator: Operator, only_in_paris: str) -> None:
    said = operator.told("check", "verify", "order-1", NEXT_DAY)
    in_paris = operator.told("check", "verify", "order-1", NEXT_DAY, "--calendar", "Europe/Paris")

    command = f"retrace check verify order-1 {NEXT_DAY} --calendar Europe/Paris"
    assert f"The day has versions in the calendar Europe/Paris. Verify them: {command}" in said
    assert "Verified: 1 events, 1 aggregates." in in_paris
    assert "The day has versions" not in in_paris


def test_a_time_zone_that_is_none_names_near_ones(operator: Operator, only_in_paris: str) -> None:
    assert "Did you mean Europe/Paris" in operator.told("check", "verify", "order-1", DAY, "--calendar", "Europe/Pari")
