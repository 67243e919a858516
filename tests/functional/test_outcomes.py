"""Outcomes that consumers report: each message counts once, and the replay is complete exactly when all are settled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.errors import TryAgain
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.replays import commit_batch
from chalicelib.replays.tasks import RECEIVES
from chalicelib.runtime import system
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import JSON, Application, Message, Queue
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, paid, paid_several
from tests.functional.operators import an_operator
from tests.functional.storage import Storage
from tests.functional.test_metric_values import OF_DAY, values_of
from tests.functional.wire import Effect, Wire, killed_after, killed_before, never_arrives

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
STRANGER = "0" * 64


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", 2)


def report(application: Application, replay_id: str, outcomes: Any) -> Any:
    body = outcomes if isinstance(outcomes, bytes) else as_json({"outcomes": outcomes})
    return application.call("POST", f"/replay/{replay_id}/outcomes", {"content-type": JSON}, body)


def of(outcome: str, messages: Iterable[Json], **more: str) -> list[Json]:
    """The same outcome of each message."""
    named = ("event_id", "duplicate")
    return [{name: each[name] for name in named if name in each} | {"outcome": outcome} | more for each in messages]


def sent_to_billing(application: Application, count: int, **request: Any) -> tuple[str, list[Json]]:
    """A replay of so many events that went to billing, and its messages."""
    application.accept_all([paid(number) for number in range(1, count + 1)])
    replay_id = application.requested_and_planned(**WHOLE_DAY, destination="billing", **request)
    return replay_id, [each.members for each in application.billing.taken()]


def counts(application: Application, replay_id: str) -> tuple[str, int, int, int]:
    job = application.job(replay_id)
    return job["state"], job["sent"], job["processed"], job["failed"]


def test_a_replay_is_complete_exactly_when_each_message_is_reported(reporting: Application) -> None:
    replay_id, messages = sent_to_billing(reporting, 5)
    assert counts(reporting, replay_id) == ("SENT", 5, 0, 0)

    first = report(reporting, replay_id, of("done", messages[:3]))
    assert first.json_body == {
        "replay_id": replay_id,
        "state": "SENT",
        "sent": 5,
        "processed": 3,
        "failed": 0,
        "recorded": 3,
        "never_sent": [],
    }
    report(reporting, replay_id, of("done", messages[3:4]))
    assert counts(reporting, replay_id) == ("SENT", 5, 4, 0)
    report(reporting, replay_id, of("failed", messages[4:], reason="no such account"))

    assert counts(reporting, replay_id) == ("COMPLETE", 5, 4, 1)
    advice = "1 message failed, as the consumer of billing reported. It may report them done later."
    assert reporting.job(replay_id)["advice"] == advice
    assert reporting.job(replay_id)["dead_letters_until"] is None
    assert reporting.versions("order-1", DAY) == []


def test_preview_confirmation_and_job_say_what_the_destination_costs_and_reports_of_it(
    reporting: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIRM_ABOVE", "2")
    system.settings.cache_clear()
    reporting.accept_all([paid(number) for number in range(1, 4)])
    asked = {**WHOLE_DAY, "destination": "billing"}

    preview = reporting.preview(asked).json_body
    unconfirmed = reporting.request_replay(asked).json_body["preview"]
    requested = reporting.request_replay(asked | {"confirm": 3}).json_body
    reporting.plan()
    sent = reporting.job(requested["replay_id"])
    to_others = [reporting.preview(WHOLE_DAY | {"destination": each}).json_body for each in ("aggregates", "ordered")]

    told = [(each["estimated_cost_usd"], each["estimated_reports_usd"]) for each in (preview, unconfirmed, *to_others)]
    assert [each["destination"] for each in (preview, unconfirmed, sent)] == ["billing"] * 3
    assert told == [(0.0001, 0.0001), (0.0001, 0.0001), (0.0001, 0), (0.0001, 0)]
    assert [requested["estimated_cost_usd"], sent["estimated_cost_usd"]] == [0, 0.0001]


def test_a_report_again_counts_nothing_and_done_is_final(reporting: Application) -> None:
    replay_id, messages = sent_to_billing(reporting, 3)

    for outcome in ("failed", "failed", "done", "failed", "done"):
        report(reporting, replay_id, of(outcome, messages[:1]))
    both = of("done", messages[1:2]) + of("failed", messages[1:2])
    answer = report(reporting, replay_id, both).json_body

    assert answer["recorded"] == 1
    assert counts(reporting, replay_id) == ("SENT", 3, 2, 0)


def test_the_reason_of_the_last_failure_is_kept_and_counts_nothing(reporting: Application, storage: Storage) -> None:
    replay_id, messages = sent_to_billing(reporting, 1)

    for reason in ("no network", "no such account"):
        report(reporting, replay_id, of("failed", messages, reason=reason))
    report(reporting, replay_id, of("failed", messages))

    reasons = [row["reason"] for row in storage.rows("AGGREGATES_TABLE") if row.get("reason")]
    assert (reasons, counts(reporting, replay_id)) == (["no such account"], ("COMPLETE", 1, 0, 1))


def test_what_was_never_sent_is_told_and_counts_nothing(reporting: Application) -> None:
    replay_id, messages = sent_to_billing(reporting, 2, exclude={"min_lag_ms": 10**12})
    later = reporting.accept(paid(9))["event_id"]

    answer = report(reporting, replay_id, of("done", [{"event_id": STRANGER}, {"event_id": later}, messages[0]]))

    told = [{"event_id": each} for each in (STRANGER, later)]
    assert (answer.status_code, answer.json_body["recorded"], answer.json_body["never_sent"]) == (200, 1, told)
    assert counts(reporting, replay_id) == ("SENT", 2, 1, 0)


def test_each_arrival_of_an_event_is_reported_apart(reporting: Application) -> None:
    reporting.ingest(paid(1))
    reporting.ingest(paid(1))
    replay_id = reporting.requested_and_planned(**WHOLE_DAY, destination="billing", include_duplicates=True)
    messages = [each.members for each in reporting.billing.taken()]
    assert sorted("duplicate" in each for each in messages) == [False, True]

    report(reporting, replay_id, of("done", [each for each in messages if "duplicate" in each]))
    assert counts(reporting, replay_id) == ("SENT", 2, 1, 0)
    report(reporting, replay_id, of("done", [each for each in messages if "duplicate" not in each]))

    assert counts(reporting, replay_id) == ("COMPLETE", 2, 2, 0)


@pytest.mark.parametrize("destination", ["aggregates", "billing"])
def test_a_destination_that_takes_no_reports_refuses_them(application: Application, destination: str) -> None:
    application.accept(paid())
    replay_id = application.requested_and_planned(**WHOLE_DAY, destination=destination)

    refused = report(application, replay_id, of("done", [{"event_id": STRANGER}]))

    assert refused.status_code == 409
    assert refused.json_body["detail"] == (
        f"Replay {replay_id} was sent to {destination}, which takes no reports. "
        "Set `reports: true` in destinations.yaml, deploy, and request a new replay."
    )


@pytest.mark.parametrize("ingest_time", ["2026-99-99T99:99:99.999999999Z", "0000-00-00T00:00:00.000000000Z"])
def test_a_report_about_an_arrival_at_no_real_time_is_of_what_was_never_sent(
    reporting: Application, ingest_time: str
) -> None:
    replay_id, [message] = sent_to_billing(reporting, 1)
    arrival = {"ingest_time": ingest_time, "request_id": "any#%", "position": 0}

    answer = report(reporting, replay_id, of("done", [message | {"duplicate": arrival}])).json_body

    assert (answer["recorded"], len(answer["never_sent"])) == (0, 1)


def test_a_consumer_reports_on_a_cancelled_replay_what_it_did_with_its_messages(reporting: Application) -> None:
    replay_id, messages = sent_to_billing(reporting, 3)
    cancelled = reporting.call("POST", f"/replay/{replay_id}/cancel").json_body
    assert (cancelled["state"], cancelled["may_change_until"]) == ("CANCELLED", None)

    answer = report(reporting, replay_id, of("done", messages[:2])).json_body

    assert (answer["state"], answer["recorded"]) == ("CANCELLED", 2)
    assert counts(reporting, replay_id) == ("CANCELLED", 3, 2, 0)


def test_a_complete_replay_to_a_consumer_makes_no_total(reporting: Application) -> None:
    reporting.accept_all(paid_several(3))
    computed = reporting.replayed(**OF_DAY)
    replay_id = reporting.requested_and_planned(**OF_DAY, destination="billing")
    report(reporting, replay_id, of("done", [each.members for each in reporting.billing.taken()]))

    [value] = values_of(reporting, "daily_event_count")["values"]
    named = reporting.get("/metrics/daily_event_count/values", start_day=DAY, end_day=DAY, replay_id=replay_id)

    assert counts(reporting, replay_id) == ("COMPLETE", 3, 3, 0)
    assert (value["replay_id"], value["value"]) == (computed, "3")
    assert (named.status_code, named.json_body["detail"]) == (
        404,
        f"The replay {replay_id} was sent to billing, so it computed nothing.",
    )


def test_a_redrive_sends_back_what_was_reported_failed_or_not_at_all_and_takes_off_what_is_done(
    reporting: Application,
) -> None:
    replay_id, messages = sent_to_billing(reporting, 3)
    for each in messages:
        reporting.dead_of_billing.send(json.dumps(each))
    report(reporting, replay_id, of("done", messages[:1]) + of("failed", messages[1:2]))
    assert counts(reporting, replay_id) == ("SENT", 3, 1, 1)

    assert reporting.call("POST", f"/replay/{replay_id}/redrive").status_code == 202
    [task] = reporting.jobs.taken()
    reporting.call_planner(task)

    back = [found.members["event_id"] for found in reporting.billing.taken()]
    assert sorted(back) == sorted(each["event_id"] for each in messages[1:])
    assert counts(reporting, replay_id) == ("SENT", 3, 1, 0)
    reporting.dead_of_billing.a_minute_later()
    assert reporting.dead_of_billing.taken() == []
    report(reporting, replay_id, of("done", messages[1:]))
    assert counts(reporting, replay_id) == ("COMPLETE", 3, 3, 0)


def hours_ago(replay_id: str, hours: int) -> None:
    """Let the last outcome of a replay, and what its planner did last, be so long ago."""
    rows = clients.dynamodb().scan(TableName=SETTINGS["REPLAYS_TABLE"], ConsistentRead=True)["Items"]
    for row in rows:
        for name in {"updated_at", "counted_at"} & row.keys():
            if row["PK"]["S"] == f"REPLAY#{replay_id}":
                then = shifted(Instant(row[name]["S"]), -hours * 3_600 * 1_000_000_000)
                clients.dynamodb().put_item(TableName=SETTINGS["REPLAYS_TABLE"], Item=row | {name: {"S": then}})


def test_a_replay_of_which_nothing_is_heard_for_hours_says_so_and_what_to_do(reporting: Application) -> None:
    replay_id, messages = sent_to_billing(reporting, 3)
    report(reporting, replay_id, of("done", messages[:1]))
    assert reporting.job(replay_id)["advice"] is None

    hours_ago(replay_id, 3)

    said = (
        "2 messages sent to billing, and none reported for 3 hours. See whether its consumer runs, and look at the dead"
        f" letters of billing: POST /replay/{replay_id}/redrive sends those of this replay back. Or cancel it,"
        ' and replay only what is missing ("only": "unprocessed").'
    )
    assert reporting.job(replay_id)["advice"] == said
    assert reporting.get("/replay").json_body["items"][0]["advice"] == said
    report(reporting, replay_id, of("failed", messages[1:2]))
    advice = reporting.job(replay_id)["advice"]
    assert advice == "1 message failed, as the consumer of billing reported. It may report them done later."


def test_of_a_silent_queue_that_the_stage_did_not_make_the_way_back_is_sqs_own(
    reporting: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = json.loads(SETTINGS["DESTINATIONS"])
    theirs = clients.sqs().create_queue(QueueName="theirs")["QueueUrl"]
    of_others = {"arn": "arn:aws:sqs:eu-west-1:123456789012:theirs", "reports": True}
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared | {"theirs": of_others}))
    system.settings.cache_clear()
    reporting.accept(paid())
    replay_id = reporting.requested_and_planned(**WHOLE_DAY, destination="theirs")
    assert len(Queue(theirs).taken()) == 1

    hours_ago(replay_id, 2)

    advice = reporting.job(replay_id)["advice"]
    assert (
        "of theirs: `aws sqs start-message-move-task --source-arn` with the ARN of their queue moves all back."
        in advice
    )
    assert "redrive" not in advice


@pytest.mark.usefixtures("small_batches")
def test_two_replays_to_a_silent_consumer_share_its_window_and_one_to_the_processor_is_not_slowed(
    reporting: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "4")
    system.settings.cache_clear()
    reporting.accept_all(paid_several(6))
    silent = [reporting.requested(**WHOLE_DAY, destination="billing") for _ in range(2)]
    healthy = reporting.requested(**WHOLE_DAY)
    tasks = [Message(json.dumps({"replay_id": each, "waited_s": 60}), each, each) for each in (*silent, healthy)]

    processed = 0
    for task in tasks * 4:
        reporting.call_planner(task)
        processed += len(messages := reporting.messages.taken())
        reporting.process(messages)

    assert (processed, reporting.job(healthy)["state"]) == (6, "COMPLETE")
    assert [reporting.job(each)["sent"] for each in silent] in ([4, 0], [2, 2])
    assert len(reporting.billing.taken()) == 4


@pytest.mark.usefixtures("small_batches")
def test_a_replay_that_could_not_be_given_up_keeps_no_part_of_the_window(
    reporting: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "4")
    system.settings.cache_clear()
    reporting.accept_all(paid_several(6))
    stuck, other = (reporting.requested(**WHOLE_DAY, destination="billing") for _ in range(2))
    tasks = {each: Message(json.dumps({"replay_id": each, "waited_s": 60}), each, each) for each in (stuck, other)}
    reporting.call_planner(tasks[stuck])
    sent = [found.members for found in reporting.billing.taken()]
    works = False
    wire.disturb(lambda attempt: attempt.delivered() if works else never_arrives(attempt), "PutItem", times=10_000)
    with pytest.raises(TryAgain):
        reporting.call_planner(tasks[stuck], RECEIVES)
    works = True
    assert reporting.job(stuck)["state"] == "SENDING"
    report(reporting, stuck, of("done", sent))

    hours_ago(stuck, 2)
    for _ in range(4):
        reporting.call_planner(tasks[other])

    assert [reporting.job(each)["sent"] for each in (stuck, other)] == [2, 4]


def test_who_reports_is_logged(reporting: Application, caplog: pytest.LogCaptureFixture) -> None:
    replay_id, messages = sent_to_billing(reporting, 1)

    report(reporting, replay_id, of("done", messages))

    [logged] = [vars(each) for each in caplog.records if vars(each).get("action") == "report outcomes"]
    assert (logged["replay_id"], logged["caller"], logged["state"]) == (replay_id, "local", "COMPLETE")


def reported_by(application: Application, signer: str, replay_id: str, messages: list[Json]) -> tuple[int, Json]:
    """What a report is answered that API Gateway hands over, signed by a principal."""
    path = "/replay/{replay_id}/outcomes"
    answer = application.handed_over(
        {
            "requestContext": {"httpMethod": "POST", "resourcePath": path, "identity": {"userArn": signer}},
            "headers": {"content-type": JSON},
            "multiValueQueryStringParameters": None,
            "pathParameters": {"replay_id": replay_id},
            "stageVariables": None,
            "body": as_json({"outcomes": of("done", messages)}).decode(),
            "isBase64Encoded": False,
        }
    )
    return answer["statusCode"], json.loads(answer["body"])


def test_a_consumer_reports_on_replays_to_its_own_destination_alone(
    reporting: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay_id, messages = sent_to_billing(reporting, 2)
    declared = json.loads(SETTINGS["DESTINATIONS"])
    declared["billing"] |= {"reports": True, "reporters": ["111122223333:role/billing"]}
    declared["ordered"] |= {"reports": True, "reporters": ["111122223333:role/ledger"]}
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared))
    system.settings.cache_clear()
    of_another, own = (f"arn:aws:sts::111122223333:assumed-role/{name}/i-0123" for name in ("ledger", "billing"))

    status, problem = reported_by(reporting, of_another, replay_id, messages)

    assert (status, problem["type"]) == (403, "urn:retrace:problem:forbidden")
    assert problem["detail"] == (
        f"Replay {replay_id} was sent to billing, and {of_another} is not one of its reporters. If it consumes "
        "billing, add the ARN of its role or user to `reporters` in destinations.yaml and deploy."
    )
    assert counts(reporting, replay_id) == ("SENT", 2, 0, 0)
    assert reported_by(reporting, own, replay_id, messages)[1]["state"] == "COMPLETE"


def test_a_report_about_no_replay_is_not_found(reporting: Application) -> None:
    assert (
        report(reporting, "01981e5c-7a3e-7c41-9d52-3f1f0c8e6b7a", of("done", [{"event_id": STRANGER}])).status_code
        == 404
    )


def test_every_fault_of_a_report_is_named(reporting: Application) -> None:
    replay_id, _ = sent_to_billing(reporting, 1)

    refused = report(
        reporting,
        replay_id,
        [
            {"event_id": "abc", "outcome": "done"},
            {"event_id": STRANGER, "outcome": "perhaps"},
            {"event_id": STRANGER, "outcome": "done", "reason": "none"},
        ],
    )

    assert refused.status_code == 400
    faults = {fault["field"] for fault in refused.json_body["errors"]}
    assert faults == {"outcomes.0.event_id", "outcomes.1.outcome", "outcomes.2"}
    none = report(reporting, replay_id, [])
    many = report(reporting, replay_id, of("done", [{"event_id": STRANGER}] * 1_001))
    assert [none.status_code, many.status_code] == [400, 400]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("effect", [killed_before, killed_after])
@pytest.mark.parametrize("operation", ["BatchWriteItem", "SendMessageBatch"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_planner_that_dies_leaves_no_message_that_cannot_be_reported(
    reporting: Application, wire: Wire, operation: str, effect: Effect, skip: int
) -> None:
    reporting.accept_all(paid_several(5))
    replay_id = reporting.requested(**WHOLE_DAY, destination="billing")
    wire.disturb(effect, operation, skip=skip)

    reported: set[str] = set()

    def report_what_came() -> None:
        messages = [each.members for each in reporting.billing.taken()]
        if messages:
            assert report(reporting, replay_id, of("done", messages)).json_body["never_sent"] == []
            reported.update(each["event_id"] for each in messages)

    assert reporting.plan_through(report_what_came) == 1
    assert len(reported) == 5
    assert counts(reporting, replay_id) == ("COMPLETE", 5, 5, 0)


def test_verifying_a_replay_to_a_consumer_finds_no_aggregate_of_it(reporting: Application, tmp_path: Path) -> None:
    replay_id, messages = sent_to_billing(reporting, 3)
    report(reporting, replay_id, of("done", messages))

    told = an_operator(tmp_path).told("check", "verify", "--replay", replay_id)

    assert told == "Nothing differs.\nVerified: 3 events.\n"
