"""Logs are JSON with ids and never a payload; metrics are CloudWatch EMF in the namespace Retrace."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import SETTINGS
from tests.functional import ledger
from tests.functional.application import Application, message
from tests.functional.conftest import Logs
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Wire, one_left_unwritten, throttled

SECRET = "4111-1111-1111-1111"
WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}

Metrics = Callable[[], dict[str, list[float]]]


@pytest.fixture
def emitted(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Json]]:
    """The EMF documents written since the last look."""

    def look() -> list[Json]:
        lines = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
        return [json.loads(line) for line in lines]

    return look


@pytest.fixture
def metrics(emitted: Callable[[], list[Json]]) -> Metrics:
    """The values of each metric since the last look."""

    def look() -> dict[str, list[float]]:
        values: dict[str, list[float]] = defaultdict(list)
        for document in emitted():
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for metric in directive["Metrics"]:
                    values[metric["Name"]] += document[metric["Name"]]
        return dict(values)

    return look


# Metrics


def test_metrics_are_emf_in_the_namespace_retrace_by_the_service_of_a_stage_alone(
    application: Application, emitted: Callable[[], list[Json]]
) -> None:
    application.accept(paid())

    [document] = emitted()
    [directive] = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Retrace"
    assert directive["Dimensions"] == [["service"]]
    assert document["service"] == "retrace-test"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "IngestAcceptedCount": "Count",
        "IngestLagMs": "Milliseconds",
    }


def test_a_batch_is_measured_by_what_became_of_its_events(application: Application, metrics: Metrics) -> None:
    first = application.accept(paid(1, idempotency_key="k"))
    assert metrics() == {"IngestAcceptedCount": [1], "IngestLagMs": [first["ingest_lag_ms"]]}

    answer = application.ingest(
        [paid(1, idempotency_key="k"), paid(2, idempotency_key="k"), paid(3), paid(4), paid(3), {}, 1, None]
    ).json_body

    measured = metrics()
    lags = [result["ingest_lag_ms"] for result in answer["results"] if result["status"] == "ACCEPTED"]
    assert measured.pop("IngestLagMs") == lags
    assert measured == {
        "IngestAcceptedCount": [2],
        "DuplicateCount": [2],
        "ConflictCount": [1],
        "RejectedCount": [3],
    }


def test_the_lag_of_an_event_of_the_future_is_not_measured(application: Application, metrics: Metrics) -> None:
    application.accept(paid(event_time="9999-12-31T00:00:00Z"))

    assert metrics() == {"IngestAcceptedCount": [1]}


def test_more_lags_than_one_document_holds_are_all_measured(application: Application, metrics: Metrics) -> None:
    application.accept_all(paid_several(101))

    measured = metrics()
    assert sum(measured["IngestAcceptedCount"]) == 101
    assert len(measured["IngestLagMs"]) == 101


def test_a_dry_run_measures_nothing(application: Application, metrics: Metrics) -> None:
    application.ingest([paid(), {}], query="?dry_run=true")

    assert metrics() == {}


def test_what_was_not_acknowledged_is_not_measured(application: Application, metrics: Metrics, wire: Wire) -> None:
    wire.disturb(throttled, "TransactWriteItems", times=ALWAYS)

    application.ingest(paid())

    assert metrics() == {}


def test_arrivals_that_dynamodb_does_not_take_are_measured_and_logged_with_their_events(
    application: Application, metrics: Metrics, logs: Logs, wire: Wire
) -> None:
    """A batch of 25 takes 24, and the one that is left is throttled: DynamoDB fails calls of which it takes nothing."""
    hot, *others = application.accept_all(paid_several(25))
    metrics()
    wire.disturb(one_left_unwritten, "BatchWriteItem")
    wire.disturb(throttled, "BatchWriteItem", times=ALWAYS)

    answer = application.ingest(paid_several(25))

    assert answer.json_body["counts"]["duplicate"] == 25
    assert metrics() == {"DuplicateCount": [25], "UnrecordedArrivalCount": [1]}
    [line] = logs.lines("arrivals were not recorded")
    assert (line["level"], line["arrivals"], line["event_ids"]) == ("WARNING", 1, [hot["event_id"]])
    assert {row["event_id"] for row in Storage().arrivals()} == {other["event_id"] for other in others}


def test_replays_are_measured_when_they_are_asked_for_planned_and_processed(
    application: Application, metrics: Metrics
) -> None:
    application.accept_all(paid_several(3))
    metrics()

    application.requested(**WHOLE_DAY)
    requested = metrics()
    application.plan()
    planned = metrics()
    application.process(application.messages.taken())

    assert requested == {"ReplayRequestedCount": [1]}
    assert planned == {"ReplayMessageCount": [3]}
    assert metrics() == {"ProcessorMessageCount": [3], "AggregateWriteCount": [1]}


@pytest.mark.usefixtures("partial_responses")
def test_messages_that_failed_are_measured_and_apart_those_whose_raw_event_was_changed(
    application: Application, storage: Storage, metrics: Metrics
) -> None:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    tampered = message({**messages[0].members, "content_sha256": "0" * 64})
    metrics()

    application.process([tampered, *messages[1:], message("{")])

    assert metrics() == {
        "ProcessorMessageCount": [4],
        "ProcessorErrorCount": [2],
        "IntegrityFailureCount": [1],
        "AggregateWriteCount": [1],
    }


def test_a_batch_that_fails_the_invocation_is_measured_too(application: Application, metrics: Metrics) -> None:
    with pytest.raises(Exception, match="1 of 1 messages failed"):
        application.process([message("{")])

    assert metrics() == {"ProcessorMessageCount": [1], "ProcessorErrorCount": [1]}


def test_messages_that_were_counted_before_write_no_aggregate(application: Application, metrics: Metrics) -> None:
    application.accept(paid())
    _, messages = application.planned(**WHOLE_DAY)
    application.process(messages)
    metrics()

    application.process(messages)

    assert metrics() == {"ProcessorMessageCount": [1]}


def test_messages_of_a_cancelled_replay_are_measured_as_dropped(application: Application, metrics: Metrics) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    ledger.cancel(replay_id)
    metrics()

    application.process(messages)

    assert metrics() == {"ProcessorMessageCount": [3], "ReplayDroppedCount": [2]}


def test_messages_that_become_dead_letters_are_measured(application: Application, metrics: Metrics) -> None:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    metrics()

    application.give_up_on([*messages, message("{")])

    assert metrics() == {"DeadLetterCount": [3]}


def test_a_raw_event_that_is_missing_or_was_changed_is_counted_for_each_reader(
    application: Application, storage: Storage, metrics: Metrics
) -> None:
    lost, changed = application.accept(paid(1)), application.accept(paid(2))
    _, messages = application.planned(**WHOLE_DAY)
    storage.lose(lost["s3_key"])
    storage.overwrite(changed["s3_key"], b'"number": 2', b'"number": 3')
    metrics()

    for result in (lost, changed):
        application.get(f"/events/{result['event_id']}/raw")
        assert metrics()["IntegrityFailureCount"] == [1]
    with pytest.raises(Exception, match="2 of 2 messages failed"):
        application.process(messages)
    assert metrics()["IntegrityFailureCount"] == [2]


# Logs


def test_an_ingest_is_logged_with_its_request_and_events(application: Application, logs: Logs) -> None:
    results = application.accept_all(paid_several(2))
    application.ingest({}, query="?dry_run=true")

    taken_in, foretold = logs.lines("ingest")
    assert taken_in["level"] == "INFO"
    assert taken_in["service"] == "retrace-test"
    assert taken_in["request_id"]
    assert taken_in["sent_by"] == "local"
    assert taken_in["event_ids"] == [result["event_id"] for result in results]
    assert taken_in["counts"] == {"accepted": 2, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert (taken_in["dry_run"], foretold["dry_run"]) == (False, True)
    assert foretold["counts"]["rejected"] == 1


def test_a_replay_is_logged_with_its_id_at_each_step(application: Application, logs: Logs) -> None:
    application.accept(paid())

    replay_id = application.replayed(**WHOLE_DAY)

    [requested], planned = logs.lines("replay requested"), logs.lines("replay planned")
    assert (requested["replay_id"], requested["requested_by"]) == (replay_id, "local")
    assert {entry["replay_id"] for entry in planned} == {replay_id}
    assert sum(entry["sent"] for entry in planned) == 1


def test_a_request_that_failed_is_logged_with_its_cause(application: Application, wire: Wire, logs: Logs) -> None:
    wire.disturb(throttled, "PutObject", times=ALWAYS)

    application.ingest(paid())

    [entry] = logs.lines("request failed")
    assert entry["level"] == "ERROR"
    assert entry["exception_name"] == "TryAgain"
    assert "SlowDown" in entry["exception"]


def test_a_message_that_failed_is_logged_with_its_id_and_why(application: Application, logs: Logs) -> None:
    wrong = message({"s3_bucket": SETTINGS["RAW_BUCKET"], "s3_key": "raw/gone.ndjson"})
    with pytest.raises(Exception, match="1 of 1 messages failed"):
        application.process([wrong])

    [entry] = logs.lines("message failed")
    assert entry["message_id"] == wrong.message_id
    assert "raw/gone.ndjson" in entry["reason"]


def everything_that_goes_wrong(application: Application, storage: Storage, wire: Wire) -> None:
    """Each way in which a payload could come near a log."""
    result = application.accept(paid(payload=SECRET, idempotency_key="k"))
    application.ingest(paid(payload=SECRET, idempotency_key="k"))
    application.ingest(paid(payload=f"{SECRET}-other", idempotency_key="k"))
    application.ingest(paid(payload=SECRET, event_type=[SECRET]))
    application.ingest(b'{"payload": "' + SECRET.encode())
    application.ingest(paid(payload=SECRET), query="?dry_run=true")
    application.replayed(**WHOLE_DAY)
    wire.disturb(throttled, times=20)
    application.ingest(paid(2, payload=SECRET))
    wire.mend()
    _, [found] = application.planned(**WHOLE_DAY)
    for before, after in (
        (SECRET.encode(), SECRET[::-1].encode()),
        (b'"event_type": "order.paid"', as_json({"event_type": [SECRET]})[1:-1]),
        (b'"payload"', b"payload"),
    ):
        storage.overwrite(result["s3_key"], before, after)
        application.get(f"/events/{result['event_id']}/raw")
        with_failures(application, found.body)
        with_failures(
            application,
            json.dumps({**found.members, "s3_length": found.members["s3_length"] + len(after) - len(before)}),
        )
        with_failures(application, json.dumps({"s3_bucket": result["s3_bucket"], "s3_key": result["s3_key"]}))
    application.give_up_on([found, message(SECRET)])
    for body in (SECRET, json.dumps([SECRET]), json.dumps({**found.members, "entity_id": [SECRET]})):
        with_failures(application, body)
    with_failures(application, json.dumps({"s3_bucket": "b", "s3_key": "k", "payload": SECRET}))


def with_failures(application: Application, body: str) -> Any:
    """Process a message that may fail."""
    return application.process([message(body)])


@pytest.mark.usefixtures("partial_responses")
def test_whatever_goes_wrong_no_payload_is_logged(
    application: Application, storage: Storage, wire: Wire, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:

    everything_that_goes_wrong(application, storage, wire)

    assert len(logs.lines("message failed")) > 10
    assert len(logs.lines("request failed")) > 3
    written = logs.text + "".join(capsys.readouterr())
    assert SECRET not in written
    assert SECRET[::-1] not in written


@pytest.mark.usefixtures("partial_responses")
def test_every_line_that_is_logged_is_json(application: Application, storage: Storage, wire: Wire, logs: Logs) -> None:

    everything_that_goes_wrong(application, storage, wire)

    entries: list[Json] = [json.loads(line) for line in logs.text.splitlines()]
    assert len(entries) > 20
    assert {"level", "message", "timestamp", "service"} <= set.intersection(*(set(entry) for entry in entries))
