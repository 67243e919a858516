"""Destinations beyond the stage's own queues: a bus whose consumer reports, and a queue of another account."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedded.admin import REGION, user_with
from embedded.client import Api
from embedded.deployment import STACK_NAME
from embedded.stack import started
from tests.e2e.deployed import Deployed, until

DAY = "2026-11-21"
WINDOW = {"start_time": f"{DAY}T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
COUNT = 12


def taken_in(deployed: Deployed, entity_id: str) -> None:
    event = {"source": "e2e/others", "event_type": "order.paid", "entity_id": entity_id}
    times = (f"{DAY}T10:00:{number:02}Z" for number in range(COUNT))
    deployed.ingest([json.dumps(event | {"event_time": time, "payload": time}).encode() for time in times])


def as_consumer(deployed: Deployed, user: str, policy: str) -> Api:
    """The API as a user with the policy of a consumer calls it."""
    [stack] = deployed.admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    key = user_with(deployed.admin, user, {}, [outputs[policy]])
    return Api(replace(deployed.stack, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key))


def report(api: Api, replay_id: str, outcome: str, messages: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    body = {"outcomes": [{"event_id": each["event_id"], "outcome": outcome} for each in messages]}
    headers = {"Content-Type": "application/json"}
    answer = api.call("POST", f"/replay/{replay_id}/outcomes", headers=headers, body=json.dumps(body).encode())
    return answer.status, answer.json()


def test_a_replay_to_a_bus_is_complete_exactly_when_the_consumer_behind_a_rule_has_reported_all(
    deployed: Deployed,
) -> None:
    sqs, stack = deployed.admin.sqs, deployed.stack
    events: Any = deployed.admin.session.client("events", endpoint_url=stack.aws_endpoint_url)
    bus = json.loads(stack.destinations)["news"]["arn"].rpartition("/")[2]
    url = sqs.create_queue(QueueName="news-of-others")["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["retrace"], "detail": {"source": ["e2e/others"]}}
    events.put_rule(Name="news-of-others", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="news-of-others", EventBusName=bus, Targets=[{"Id": "queue", "Arn": target}])
    taken_in(deployed, "news")

    replay_id = deployed.post("/replay", {"entity_id": "news", **WINDOW, "destination": "news"}).json()["replay_id"]
    messages: list[dict[str, Any]] = []

    def came() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        messages.extend(json.loads(found["Body"])["detail"] for found in answer.get("Messages", []))
        return len(messages) >= COUNT

    until(came)
    consumer = as_consumer(deployed, "test-news", "NewsConsumerPolicyArn")
    stranger = as_consumer(deployed, "test-billing", "BillingConsumerPolicyArn")

    refused, problem = report(stranger, replay_id, "done", messages)
    _, first = report(consumer, replay_id, "done", messages[:-2])
    _, then = report(consumer, replay_id, "done", messages[:-1])
    _, last = report(consumer, replay_id, "failed", messages[-1:])

    assert (refused, "is not one of its reporters" in problem["detail"]) == (403, True)
    assert [(each["state"], each["processed"]) for each in (first, then)] == [("SENT", COUNT - 2), ("SENT", COUNT - 1)]
    assert (last["state"], last["processed"], last["failed"]) == ("COMPLETE", COUNT - 1, 1)


def test_a_queue_of_another_account_gets_nothing_unless_that_account_lets_it(tmp_path: Path) -> None:
    """The emulator has one account: to it a queue of another does not exist, which AWS says too without a policy.

    It does not show that the policy which the deployment prints lets planners in.
    """
    file = tmp_path / "destinations.yaml"
    file.write_text(
        f"destinations: {{aggregates: , theirs: {{kind: queue, arn: 'arn:aws:sqs:{REGION}:222222222222:theirs'}}}}"
    )
    with started(destinations=file) as stack:
        deployed = Deployed(stack)
        sqs = deployed.admin.sqs
        own = sqs.create_queue(QueueName="theirs")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=stack.replay_jobs_queue_url, Attributes={"VisibilityTimeout": "1"})
        taken_in(deployed, "theirs")

        answer = deployed.post("/replay", {"entity_id": "theirs", **WINDOW, "destination": "theirs"}).json()
        until(lambda: deployed.get(f"/replay/{answer['replay_id']}")["state"] == "FAILED")

        job = deployed.get(f"/replay/{answer['replay_id']}")
        assert "NonExistentQueue" in job["failure"]
        assert "in another account, has the policy that the deployment prints" in job["advice"]
        counts = sqs.get_queue_attributes(QueueUrl=own, AttributeNames=["ApproximateNumberOfMessages"])
        assert counts["Attributes"] == {"ApproximateNumberOfMessages": "0"}
