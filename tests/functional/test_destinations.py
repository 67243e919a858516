"""Destinations: a replay sends to the one that it names, and nowhere else."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.errors import StorageRefused
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.replays.tasks import RECEIVES
from chalicelib.runtime import replay_wiring, system
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, Queue
from tests.functional.events import DAY, NEXT_DAY, paid
from tests.functional.wire import ALWAYS, Wire, fails_with, not_kept_back

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}


@pytest.mark.parametrize("destination", ["aggregates", "billing", "ordered"])
def test_a_replay_sends_to_its_destination_and_nowhere_else(application: Application, destination: str) -> None:
    accepted = {each["event_id"] for each in application.accept_all([paid(number) for number in range(1, 6)])}
    queues = {"aggregates": application.messages, "billing": application.billing, "ordered": application.ordered}
    others = (application.jobs, application.halted, application.failures, application.dead)

    replay_id = application.requested_and_planned(**WHOLE_DAY, destination=destination)

    sent = queues.pop(destination).taken()
    assert {found.members["event_id"] for found in sent} == accepted
    assert {found.members["destination"] for found in sent} == {destination}
    assert {found.members["replay_id"] for found in sent} == {replay_id}
    assert [found.taken() for found in (*queues.values(), *others)] == [[]] * 6


def test_a_job_keeps_the_arn_that_its_destination_had_when_it_was_requested(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY, destination="billing")
    declared = json.loads(SETTINGS["DESTINATIONS"])
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared | {"billing": declared["aggregates"]}))
    system.settings.cache_clear()

    application.plan()

    assert len(application.billing.taken()) == 1
    assert application.messages.taken() == []
    job = application.job(replay_id)
    assert (job["destination"], job["destination_arn"]) == ("billing", declared["billing"]["arn"])
    assert application.get("/replay").json_body["items"] == [job]


@pytest.mark.parametrize("ask", ["preview", "request_replay"])
def test_a_destination_that_the_stage_does_not_have_is_refused_with_those_that_it_has(
    application: Application, ask: str
) -> None:
    response = getattr(application, ask)({**WHOLE_DAY, "destination": "biling"})

    assert response.status_code == 400
    [fault] = response.json_body["errors"]
    said = "is biling, which is not declared. Did you mean billing? Declared: aggregates, billing, ordered"
    assert (fault["field"], fault["message"]) == ("destination", said)
    assert application.get("/replay").json_body["items"] == []


NOTHING = {"sending": 0, "in_flight": 0, "failed": 0}
UNCOUNTED = {"sending": 0, "in_flight": None, "failed": None, "max_in_flight": None}


def test_destinations_are_listed_with_what_they_are(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = json.loads(SETTINGS["DESTINATIONS"])
    declared["billing"] |= {"rate": 50, "reports": True}
    bus = "arn:aws:events:eu-west-1:111122223333:event-bus/theirs"
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared | {"news": {"arn": bus, "reports": True}}))
    monkeypatch.setenv("MAX_IN_FLIGHT", "400")
    system.settings.cache_clear()

    found = application.get("/destinations").json_body

    plain = {"built_in": False, "ordered": False, "reports": True, "rate": None}
    queues = {name: each["arn"] for name, each in declared.items()}
    ordered = {"kind": "fifo", "ordered": True, "reports": False}
    assert found == {
        "items": [
            {**plain, **NOTHING, "name": "aggregates", "kind": "queue", "arn": queues["aggregates"]}
            | {"built_in": True, "max_in_flight": 400},
            {**plain, **NOTHING, "name": "billing", "kind": "queue", "arn": queues["billing"]}
            | {"rate": 50, "max_in_flight": 400},
            {**plain, **UNCOUNTED, "name": "ordered", "arn": queues["ordered"], **ordered},
            {**plain, **NOTHING, "name": "news", "kind": "eventbridge", "arn": bus, "max_in_flight": None},
        ]
    }


def test_destinations_are_listed_with_what_replays_have_there(application: Application) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    application.requested_and_planned(**WHOLE_DAY)
    cancelled = application.requested_and_planned(**WHOLE_DAY)
    application.call("POST", f"/replay/{cancelled}/cancel")
    for _ in range(2):
        application.requested_and_planned(**WHOLE_DAY, destination="billing")
    application.requested(**WHOLE_DAY, destination="ordered")

    items = application.get("/destinations").json_body["items"]

    told = {each["name"]: (each["sending"], each["in_flight"], each["failed"]) for each in items}
    assert told == {"aggregates": (0, 3, 0), "billing": (0, None, None), "ordered": (1, None, None)}


def test_a_list_of_destinations_takes_no_parameters(application: Application) -> None:
    assert application.get("/destinations", limit="1").status_code == 400


def test_a_preview_says_where_the_messages_would_go(application: Application) -> None:
    told = [application.preview({**WHOLE_DAY, **to}).json_body for to in ({}, {"destination": "billing"})]

    assert [each["destination"] for each in told] == ["aggregates", "billing"]


AT = Instant("2026-11-21T12:00:00.000000000Z")


def waits(*asked: tuple[str, float]) -> list[float]:
    """What planners are told that take turns of five messages at ten a second, at these seconds."""
    store = replay_wiring.replay_store()
    return [
        round(store.take_turn(name, 5, 10.0, shifted(AT, int(seconds * 1_000_000_000))), 3) for name, seconds in asked
    ]


@pytest.mark.usefixtures("application")
def test_a_turn_at_a_destination_is_given_once_and_not_before_it_is_due() -> None:
    # The first turn of all makes up for a second, as does one after a longer time. Five messages take half a second.
    assert waits(*[("billing", 0.0)] * 4) == [0, 0, 0, 0.5]
    assert waits(("billing", 0.2), ("billing", 0.5), ("billing", 0.5), ("ordered", 0.5)) == [0.3, 0, 0.5, 0]
    assert waits(*[("billing", 60.0)] * 4) == [0, 0, 0, 0.5]


def test_the_replays_to_a_destination_keep_its_rate_together(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    declared = json.loads(SETTINGS["DESTINATIONS"])
    declared["billing"]["rate"] = 4.0
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared))
    system.settings.cache_clear()

    elsewhere = {**WHOLE_DAY, "destination": "ordered"}
    previews = [application.preview({**WHOLE_DAY, "destination": "billing"}).json_body]
    for asked in (elsewhere, *[{**WHOLE_DAY, "destination": "billing"}] * 2):
        application.requested(**asked)
        previews.append(application.preview({**WHOLE_DAY, "destination": "billing"}).json_body)
    application.plan()
    previews.append(application.preview({**WHOLE_DAY, "destination": "billing"}).json_body)

    assert len(application.billing.taken()) == 6
    # Three messages at four a second, of which replays that still send take their shares.
    assert [each["estimated_seconds"] for each in previews] == [1, 1, 2, 3, 1]
    [row] = [row for row in clients.dynamodb().scan(TableName=SETTINGS["REPLAYS_TABLE"])["Items"] if "due" in row]
    assert row["PK"] == {"S": "DESTINATION#billing"}


OUT_OF_REACH = {
    "arn:aws:sqs:eu-west-1:111122223333:theirs": "start-message-move-task",
    "arn:aws:events:eu-west-1:111122223333:event-bus/theirs": "The rules of a bus have dead-letter queues of their own",
}


@pytest.mark.parametrize("arn", OUT_OF_REACH)
def test_a_redrive_is_refused_where_planners_cannot_read_dead_letters_and_says_what_to_do(
    application: Application, monkeypatch: pytest.MonkeyPatch, arn: str
) -> None:
    application.accept(paid())
    declared = json.loads(SETTINGS["DESTINATIONS"])
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared | {"theirs": {"arn": arn}}))
    system.settings.cache_clear()
    replay_id = application.requested(**WHOLE_DAY, destination="theirs")
    sent_all(replay_id)
    application.jobs.taken()

    response = application.call("POST", f"/replay/{replay_id}/redrive")

    assert response.status_code == 409
    assert f"Replay {replay_id} was sent to theirs." in response.json_body["detail"]
    assert OUT_OF_REACH[arn] in response.json_body["detail"]
    assert application.jobs.taken() == []


REFUSALS = [
    ("theirs", "AccessDenied"),
    ("theirs", "AWS.SimpleQueueService.NonExistentQueue"),
    ("billing", "AccessDenied"),
]


@pytest.mark.parametrize(("destination", "code"), REFUSALS)
def test_a_job_that_may_not_send_says_where_to_and_that_another_account_needs_the_printed_policy(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch, destination: str, code: str
) -> None:
    """As SQS answers, by the wire: moto looks at no policy of a queue, and an emulated stack has one account."""
    application.accept(paid())
    declared = json.loads(SETTINGS["DESTINATIONS"])
    declared |= {"theirs": {"arn": "arn:aws:sqs:eu-west-1:111122223333:theirs"}}
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared))
    system.settings.cache_clear()
    replay_id = application.requested(**WHOLE_DAY, destination=destination)
    wire.disturb(fails_with(403, code), "SendMessageBatch", times=ALWAYS)

    [task] = application.jobs.taken()[:1]
    with pytest.raises(StorageRefused):
        application.call_planner(task, receives=RECEIVES)

    job = application.job(replay_id)
    assert job["state"] == "FAILED"
    assert job["failure"] == f"AWS refused a call while sending replay messages to {destination} ({code})."
    assert job["advice"].startswith(
        f"See whether {declared[destination]['arn']} exists and, in another account, has the policy that the deployment"
        " prints. It was given up. Once the cause is gone, "
    )


def test_a_job_that_fails_otherwise_says_nothing_of_policies(application: Application, wire: Wire) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY, destination="billing")
    wire.disturb(fails_with(400, "InvalidMessageContents"), "SendMessageBatch", times=ALWAYS)

    [task] = application.jobs.taken()[:1]
    with pytest.raises(StorageRefused):
        application.call_planner(task, receives=RECEIVES)

    assert application.job(replay_id)["advice"].startswith("It was given up.")


def test_a_job_that_may_not_write_its_own_rows_says_nothing_of_its_destination(
    application: Application, wire: Wire
) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY, destination="billing")
    wire.disturb(fails_with(400, "AccessDeniedException"), "BatchWriteItem", times=ALWAYS)

    [task] = application.jobs.taken()[:1]
    with pytest.raises(StorageRefused):
        application.call_planner(task, receives=RECEIVES)

    job = application.job(replay_id)
    assert "AccessDenied" in job["failure"]
    assert job["advice"].startswith("It was given up.")


def sent_all(replay_id: str) -> None:
    """Let a replay be SENT."""
    clients.dynamodb().update_item(
        TableName=SETTINGS["REPLAYS_TABLE"],
        Key={"PK": {"S": f"REPLAY#{replay_id}"}, "SK": {"S": "JOB"}},
        UpdateExpression="SET #state = :sent",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":sent": {"S": "SENT"}},
    )


def given_up(queue: Queue, dead: Queue) -> list[str]:
    """What a consumer did not process: SQS moves all that waits on its queue to its dead letters."""
    messages = queue.taken()
    for number, found in enumerate(messages):
        group = {"MessageGroupId": found.members["entity_id"], "MessageDeduplicationId": str(number)}
        ordered = group if dead.url.endswith(".fifo") else {}
        clients.sqs().send_message(QueueUrl=dead.url, MessageBody=found.body, **ordered)
    return sorted(found.body for found in messages)


@pytest.mark.parametrize("destination", ["billing", "ordered"])
def test_a_redrive_sends_a_consumer_the_dead_letters_of_its_replay_and_leaves_those_of_others(
    application: Application, destination: str
) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    queue, dead = getattr(application, destination), getattr(application, f"dead_of_{destination}")
    _, mine = (application.requested_and_planned(**WHOLE_DAY, destination=destination) for _ in range(2))
    lost = given_up(queue, dead)

    response = application.call("POST", f"/replay/{mine}/redrive")
    [task] = application.jobs.taken()
    application.call_planner(task)

    assert response.status_code == 202
    back = queue.taken()
    assert [found.members["replay_id"] for found in back] == [mine] * 3
    if destination == "ordered":
        assert [found.members["event_time"] for found in back] == sorted(each.members["event_time"] for each in back)
    dead.a_minute_later()
    rest = dead.taken()
    assert sorted(found.body for found in (*back, *rest)) == lost
    assert mine not in {found.members["replay_id"] for found in rest}
    assert application.messages.taken() == []


def test_a_redrive_to_a_fifo_queue_reaches_what_is_behind_the_dead_letters_of_others_in_order(
    application: Application,
) -> None:
    """SQS gives out nothing of a group that has messages in flight, and of a group as many as it can.

    moto gives them out in the order of the queue, so the groups are sent one after the other.
    """
    application.accept_all([paid(number, entity_id=f"order-{number % 2}") for number in range(1, 33)])
    of_a_type = {"source": "shop/checkout", "event_type": "order.paid", "start_time": WHOLE_DAY["start_time"]}
    selected = {**of_a_type, "end_time": WHOLE_DAY["end_time"], "destination": "ordered"}
    theirs, mine = (application.requested_and_planned(**selected) for _ in range(2))
    found = application.ordered.taken()
    others, front, own = (
        [each for each in found if each.members["replay_id"] == name and each.members["entity_id"] == entity]
        for name, entity in ((theirs, "order-0"), (theirs, "order-1"), (mine, "order-1"))
    )
    # As it is declared. Without it moto would not wait the millisecond in which it shows a message.
    clients.sqs().set_queue_attributes(
        QueueUrl=application.dead_of_ordered.url, Attributes={"ReceiveMessageWaitTimeSeconds": "1"}
    )
    letters = [*others[:8], *front[:3], *own[:8], *front[3:5], *own[8:]]
    for number, each in enumerate(letters):
        ordered = {"MessageGroupId": each.members["entity_id"], "MessageDeduplicationId": str(number)}
        clients.sqs().send_message(QueueUrl=application.dead_of_ordered.url, MessageBody=each.body, **ordered)
    application.call("POST", f"/replay/{mine}/redrive")

    application.plan()

    assert [each.body for each in application.ordered.taken()] == [each.body for each in own]
    application.dead_of_ordered.a_minute_later()
    left = application.dead_of_ordered.taken()
    assert [each.body for each in left] == [each.body for each in (*others[:8], *front[:5])]


def test_an_ordered_message_that_is_redriven_at_once_is_not_taken_for_a_repetition(application: Application) -> None:
    """SQS leaves out for five minutes what has the deduplication id of another. moto does so only while that waits."""
    application.accept(paid())
    replay_id = application.requested_and_planned(**WHOLE_DAY, destination="ordered")
    names = [repetition_of(application.ordered)]
    given_up(application.ordered, application.dead_of_ordered)

    application.call("POST", f"/replay/{replay_id}/redrive")
    application.plan()

    assert names[0] not in {repetition_of(application.ordered), None}


def repetition_of(queue: Queue) -> str | None:
    """What SQS knows a message of a queue by that is sent again. It can be received at once again."""
    answer = clients.sqs().receive_message(
        QueueUrl=queue.url, AttributeNames=["MessageDeduplicationId"], VisibilityTimeout=0
    )
    return answer["Messages"][0]["Attributes"].get("MessageDeduplicationId")


def test_dead_letters_of_a_consumer_are_looked_for_twice_as_another_redrive_may_hide_them(
    application: Application, wire: Wire
) -> None:
    application.accept(paid())
    replay_id = application.requested_and_planned(**WHOLE_DAY, destination="billing")
    given_up(application.billing, application.dead_of_billing)
    hidden = application.dead_of_billing.received()
    application.call("POST", f"/replay/{replay_id}/redrive")

    [task] = application.jobs.taken()
    wire.disturb(not_kept_back, "SendMessage", times=ALWAYS)
    application.call_planner(task)
    assert application.billing.taken() == []
    application.dead_of_billing.given_back(hidden)
    [again] = application.jobs.taken()
    application.call_planner(again)

    assert len(application.billing.taken()) == 1
    assert application.plan() == 2  # the rest of its pass, and another look, as it found one
