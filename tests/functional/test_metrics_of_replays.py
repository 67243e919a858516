"""Metrics of replays, as users see them: pinned at the request, exact in versions, shown with the replay."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from bench.meter import item_size
from chalicelib.aggregates.aggregate import Version, aggregate_of
from chalicelib.aggregates.dynamodb_rows import version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.core.errors import MessagesFailed
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Day, Instant
from chalicelib.metrics.contribution import Contribution
from chalicelib.metrics.definition import BUILT_IN, definition_of
from chalicelib.metrics.exact_number import Exact
from chalicelib.runtime import consumer_wiring
from tests.conftest import SETTINGS
from tests.functional import clients, ledger
from tests.functional.application import Application
from tests.functional.events import DAY, NEXT_DAY, Json, paid
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Attempt, Wire, fails_with

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
REVENUE: Json = {"aggregate": "sum", "value": "/amount", "group_by": ["/currency"]}
LARGEST: Json = {"aggregate": "max", "value": "/amount"}
JSON = {"content-type": "application/json"}


def define(application: Application, name: str, definition: Json) -> str:
    """Define a metric; answers the hash of its definition."""
    response = application.call("PUT", f"/metrics/{name}", JSON, json.dumps(definition).encode())
    assert response.status_code == 200, response.body
    sha256: str = response.json_body["definition_sha256"]
    return sha256


def sha256_of(name: str, definition: Json) -> str:
    return definition_of(parse(json.dumps(definition | {"name": name}))).sha256


def amounts(*literals: str, currency: str = "EUR") -> list[bytes]:
    """Events with amounts as they are written."""
    return [
        json.dumps(paid(number, payload="P")).replace('"P"', f'{{"amount":{literal},"currency":"{currency}"}}').encode()
        for number, literal in enumerate(literals, 1)
    ]


def accept(application: Application, *events: bytes) -> list[Json]:
    sent = b"[" + b",".join(events) + b"]"
    answer = application.ingest(sent).json_body
    assert answer["counts"]["accepted"] == len(events)
    results: list[Json] = answer["results"]
    return results


def metrics_of(application: Application, replay_id: str) -> list[Json]:
    [version] = [each for each in application.versions("order-1", DAY) if each["replay_id"] == replay_id]
    metrics: list[Json] = version["metrics"]
    return metrics


def values(metrics: list[Json]) -> list[tuple[str, Any, str | None]]:
    return [(each["name"], each["group"], each["value"]) for each in metrics]


def test_a_replay_computes_all_active_metrics_and_its_version_has_them_with_exact_values(
    application: Application,
) -> None:
    revenue, largest = define(application, "revenue", REVENUE), define(application, "largest", LARGEST)
    results = accept(application, *amounts("1.10", str(2**103), "-0.30"))

    replay_id = application.replayed(**WHOLE_DAY)

    named = {"name": "revenue", "definition_sha256": revenue}
    assert metrics_of(application, replay_id)[1:] == [
        {
            "name": "largest",
            "definition_sha256": largest,
            "group": {},
            "value": str(2**103),
            "inputs": 3,
            "skipped": 0,
            "event_id": results[1]["event_id"],
        },
        named | {"group": {}, "value": None, "inputs": 0, "skipped": 0},
        named | {"group": {"/currency": "EUR"}, "value": f"{2**103}.8", "inputs": 3, "skipped": 0},
    ]
    assert application.job(replay_id)["metrics"] == [{"name": "largest", "definition_sha256": largest}, named]


def test_a_replay_keeps_the_definitions_of_its_request_whatever_names_become(application: Application) -> None:
    before = define(application, "largest", LARGEST)
    accept(application, *amounts("1.10"))
    replay_id, messages = application.planned(**WHOLE_DAY)
    define(application, "largest", LARGEST | {"aggregate": "min"})
    application.call("DELETE", "/metrics/largest", JSON)

    application.process(messages)

    assert [each["definition_sha256"] for each in metrics_of(application, replay_id)[1:]] == [before]
    later = application.replayed(**WHOLE_DAY)
    assert [each["name"] for each in metrics_of(application, later)] == ["daily_event_count"]
    assert "metrics" not in application.job(later)


def test_a_request_chooses_metrics_by_name_and_none_by_an_empty_list(application: Application) -> None:
    define(application, "revenue", REVENUE)
    define(application, "largest", LARGEST)
    accept(application, *amounts("1.10"))

    chosen = application.replayed(**WHOLE_DAY, metrics=["largest"])
    none = application.replayed(**WHOLE_DAY, metrics=[])

    assert [each["name"] for each in metrics_of(application, chosen)] == ["daily_event_count", "largest"]
    assert [each["name"] for each in metrics_of(application, none)] == ["daily_event_count"]


def test_unknown_names_and_wrong_definitions_are_refused_with_every_fault(application: Application) -> None:
    define(application, "largest", LARGEST)
    unknown = application.request_replay({**WHOLE_DAY, "metrics": ["largest", "nowhere"]})
    wrong = application.request_replay(
        {**WHOLE_DAY, "rate": -1, "metrics": [{"name": "x", "aggregate": "sum", "value": "amount", "colour": "red"}]}
    )

    assert (unknown.status_code, wrong.status_code) == (400, 400)
    assert unknown.json_body["errors"] == [
        {"field": "metrics.1", "message": "names no metric. GET /metrics lists them"}
    ]
    assert {each["field"] for each in wrong.json_body["errors"]} == {"rate", "metrics.0.value", "metrics.0.colour"}


def test_a_preview_shows_the_metrics_that_are_chosen_and_keeps_nothing(
    application: Application, storage: Storage
) -> None:
    largest = define(application, "largest", LARGEST)
    before = storage.everything()

    chosen = application.preview({**WHOLE_DAY, "metrics": ["largest", {"name": "draft", **LARGEST}]}).json_body

    assert chosen["metrics"] == [
        {"name": "largest", "definition_sha256": largest},
        {"name": "draft", "definition_sha256": sha256_of("draft", LARGEST)},
    ]
    assert "metrics" not in application.preview(WHOLE_DAY).json_body
    assert storage.everything() == before


def test_a_what_if_is_listed_as_one_and_never_the_newest_version(application: Application) -> None:
    accept(application, *amounts("1.10", "2.20"))
    real = application.replayed(**WHOLE_DAY)

    what_if = application.replayed(**WHOLE_DAY, metrics=[{"name": "draft", **REVENUE}])

    newest, other = application.versions("order-1", DAY)
    assert (newest["replay_id"], other["replay_id"]) == (real, what_if)
    assert (other["what_if"], "what_if" in newest) == (True, False)
    assert values(other["metrics"])[1:] == [("draft", {}, None), ("draft", {"/currency": "EUR"}, "3.3")]
    assert application.job(what_if)["what_if"] is True
    assert application.job(what_if)["request"]["metrics"] == [
        {"name": "draft", "definition_sha256": sha256_of("draft", REVENUE)}
    ]
    difference = application.get(
        "/aggregates/diff", entity_id="order-1", day=DAY, **{"from": real, "to": what_if}
    ).json_body
    assert difference["counts"] == {"only_in_from": 0, "only_in_to": 0, "changed": 0, "shared": 2}
    assert values(difference["to"]["metrics"]) == values(other["metrics"])


def test_late_arrivals_are_those_of_the_newest_version_that_is_no_what_if(application: Application) -> None:
    accept(application, *amounts("1.10"))
    application.replayed(**WHOLE_DAY, metrics=[{"name": "draft", **REVENUE}])

    answer = application.get("/aggregates", entity_id="order-1", day=DAY).json_body

    assert (len(answer["versions"]), answer["late_arrivals"]) == (1, 0)


def test_a_message_that_lacks_what_a_metric_must_have_becomes_a_dead_letter_with_the_reason(
    application: Application,
) -> None:
    define(application, "strict", LARGEST | {"on_missing": "fail"})
    accept(application, *amounts("null"))
    replay_id, messages = application.planned(**WHOLE_DAY)
    with pytest.raises(MessagesFailed):
        application.process(messages)

    application.give_up_on(messages)

    [attributes] = application.dead.attributes()
    assert attributes["failure"] == "metric"
    assert attributes["reason"].startswith("The metric strict needs a value of the event")
    assert application.job(replay_id)["failed"] == 1


@pytest.mark.parametrize("named", [["revenue"], None])
def test_redelivery_and_batches_of_any_size_change_no_digit(application: Application, named: list[str] | None) -> None:
    define(application, "revenue", REVENUE)
    accept(application, *amounts(*(f"{n}.0{n}" for n in range(1, 8)), "true"))
    request = WHOLE_DAY if named is None else {**WHOLE_DAY, "metrics": named}
    replay_id, messages = application.planned(**request)

    for batch in (messages[:1], messages[3:], messages, messages[:5]):
        application.process(batch)

    [_, rest, euros] = metrics_of(application, replay_id)
    assert (rest["skipped"], euros["value"], euros["inputs"]) == (1, "28.28", 7)
    assert application.job(replay_id)["state"] == "COMPLETE"


def test_rows_name_definitions_shortly_and_inputs_keep_what_they_contributed(
    application: Application, storage: Storage
) -> None:
    revenue = define(application, "revenue", REVENUE)
    accept(application, *amounts("1.10", '"x"'))
    replay_id = application.replayed(**WHOLE_DAY)

    rows = sorted(ledger.entries(storage, replay_id), key=lambda row: str(row["SK"]))
    assert [row["c"] for row in rows] == [{revenue[:8]: ["1.1", "EUR"]}, {revenue[:8]: {"not_a_number": "/amount"}}]


PARIS, NEW_YORK, KOLKATA = "Europe/Paris", "America/New_York", "Asia/Kolkata"


@pytest.mark.parametrize(
    ("calendar", "day", "start", "end"),
    [
        (PARIS, "2023-03-26", "2023-03-25T23:00:00", "2023-03-26T22:00:00"),  # 23 hours
        (PARIS, "2023-10-29", "2023-10-28T22:00:00", "2023-10-29T23:00:00"),  # 25 hours
        (NEW_YORK, "2023-03-12", "2023-03-12T05:00:00", "2023-03-13T04:00:00"),
        (NEW_YORK, "2023-11-05", "2023-11-05T04:00:00", "2023-11-06T05:00:00"),
        (KOLKATA, "2023-06-30", "2023-06-29T18:30:00", "2023-06-30T18:30:00"),
    ],
)
def test_a_day_of_a_calendar_has_the_events_of_its_real_window(
    application: Application, calendar: str, day: str, start: str, end: str
) -> None:
    define(application, "local_sum", {"aggregate": "sum", "value": "/n", "time_zone": calendar})
    inside = [f"{start}.000000000Z", f"{_second_before(end)}.999999999Z"]
    times = [*inside, f"{_second_before(start)}.999999999Z", f"{end}.000000000Z"]
    application.accept_all([paid(event_time=time, payload={"n": 10**n}) for n, time in enumerate(times)])

    replay_id = application.replayed(entity_id="order-1", start_time=f"{start}Z", end_time=f"{end}Z")

    answer = application.get("/aggregates", entity_id="order-1", day=day, calendar=calendar).json_body
    [version] = answer["versions"]
    assert (version["calendar"], version["window_start"], version["window_end"]) == (
        calendar,
        f"{start}.000000000Z",
        f"{end}.000000000Z",
    )
    assert values(version["metrics"]) == [("local_sum", {}, "11")]
    assert (version["complete"], version["arrived_since"], version["event_count"]) == (True, 0, 2)
    of_version = {"entity_id": "order-1", "day": day, "calendar": calendar, "replay_id": replay_id}
    assert [each["event_time"] for each in application.get("/aggregates/inputs", **of_version).json_body["items"]] == (
        sorted(inside)
    )


def _second_before(time: str) -> str:
    return (datetime.fromisoformat(time) - timedelta(seconds=1)).isoformat()


def test_a_preview_says_which_days_of_other_calendars_will_be_partial_and_their_windows(
    application: Application,
) -> None:
    define(application, "local", LARGEST | {"time_zone": PARIS})
    accept(application, *amounts("1"))

    utc_day = application.preview(WHOLE_DAY).json_body
    [first, second] = utc_day["partial_days"][0]["days"]
    window = {name: first[name] for name in ("start_time", "end_time")}
    whole = application.preview({"entity_id": "order-1", **window}).json_body

    assert (utc_day["partial_days"][0]["calendar"], first["day"], second["day"]) == (PARIS, DAY, NEXT_DAY)
    assert "partial_days" not in whole
    application.replayed(entity_id="order-1", **window)
    [version] = application.get("/aggregates", entity_id="order-1", day=DAY, calendar=PARIS).json_body["versions"]
    assert version["complete"] is True


def test_what_arrives_later_is_counted_in_the_days_of_each_calendar(application: Application) -> None:
    define(application, "local", {"aggregate": "count", "where": [{"path": "/n", "exists": True}], "time_zone": PARIS})
    application.accept(paid(event_time=f"{DAY}T10:00:00Z", payload={"n": 1}))
    application.replayed(entity_id="order-1", start_time="2023-06-29T00:00:00Z", end_time="2023-07-02T00:00:00Z")
    application.accept(paid(event_time=f"{DAY}T22:30:00Z", payload={"n": 2}))  # half past midnight in Paris

    def late(day: str, **query: str) -> Any:
        return application.get("/aggregates", entity_id="order-1", day=day, **query).json_body["late_arrivals"]

    assert (late(DAY), late(DAY, calendar=PARIS)) == (1, 0)


def test_an_unknown_calendar_is_refused(application: Application) -> None:
    response = application.get("/aggregates", entity_id="order-1", day=DAY, calendar="Europe/Pari")

    assert response.status_code == 400
    assert [each["field"] for each in response.json_body["errors"]] == ["calendar"]


def with_bytes(typed: dict[str, Any]) -> dict[str, Any]:
    """A value of DynamoDB as its client was given it."""
    return {"B": b64decode(typed["B"])} if set(typed) == {"B"} else typed


def four_megabytes_at_most(attempt: Attempt) -> AWSResponse:
    """As DynamoDB has it; moto and DynamoDB Local take transactions of any size.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    body: Any = attempt.request.body
    actions = json.loads(body, object_hook=with_bytes)["TransactItems"]
    size = sum(item_size(action["Put"]["Item"]) for action in actions if "Put" in action)
    return fails_with(400, "ValidationException")(attempt) if size > 4 * 1_024 * 1_024 else attempt.delivered()


def test_versions_of_the_largest_size_are_written_by_transactions_that_dynamodb_takes(aws: None, wire: Wire) -> None:
    by_group = {"aggregate": "sum", "value": "/v", "group_by": ["/g"]}
    metrics = [definition_of(parse(json.dumps({"name": f"m{number}", **by_group}))) for number in range(20)]
    widest = Exact(10**256 - 1, 128)
    inputs = [
        Input(
            Instant(f"{DAY}T10:00:00.000000000Z"),
            f"{number:064x}",
            "t",
            "f" * 64,
            {each.sha256: Contribution((f"{number:036d}",), widest) for each in metrics},
        )
        for number in range(101)
    ]
    definitions = (*BUILT_IN, *metrics)
    largest = aggregate_of(inputs[:100], definitions)
    versions = [Version(f"order-{number}", Day(DAY), "replay", of_job=False) for number in range(14)]
    for version in versions:
        row = version_row(NewRevision(version, largest, 0), inputs[0].event_time)
        assert item_size(row) > 300_000
        clients.dynamodb().put_item(TableName=SETTINGS["AGGREGATES_TABLE"], Item=row)
    wire.disturb(four_megabytes_at_most, "TransactWriteItems", times=ALWAYS)

    recorded = consumer_wiring.record().record(
        [
            OutcomeRecord(version, inputs[100], Outcome.INPUT, MessageKey(*inputs[100].key), definitions)
            for version in versions
        ]
    )

    assert (len(recorded.outcomes), recorded.failures) == (14, {})
    assert wire.count()["TransactWriteItems"] == 2
