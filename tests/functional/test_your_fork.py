"""An event on its way from POST /ingest to its number, under Chalice's own test client."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from chalice.test import Client

from app import app
from chalicelib.runtime import system

DAY = "2026-11-21"
EVENT = {
    "source": "shop/checkout",
    "event_type": "order.paid",
    "entity_id": "order-1",
    "event_time": f"{DAY}T12:00:00Z",
    "payload": {"amount": "12.50"},
}
WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}


def test_an_event_becomes_a_number(aws: None) -> None:
    system.forget()
    with Client(app, stage_name="test") as client:
        accepted = post(client, "/ingest", EVENT)
        replay = post(client, "/replay", WHOLE_DAY)
        client.lambda_.invoke("planner", client.events.generate_sqs_event(messages("REPLAY_JOBS_QUEUE_URL")))
        client.lambda_.invoke("processor", client.events.generate_sqs_event(messages("REPLAY_QUEUE_URL")))
        progress = client.http.get(f"/replay/{replay['replay_id']}").json_body
        [version] = client.http.get(f"/aggregates?entity_id=order-1&day={DAY}").json_body["versions"]

    assert accepted["status"] == "ACCEPTED"
    assert progress["state"] == "COMPLETE"
    assert version["event_count"] == 1
    assert version["sample_event_ids"] == [accepted["event_id"]]


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    answer = client.http.post(path, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode())
    assert answer.status_code in {201, 202}, answer.body
    return answer.json_body


def messages(queue: str) -> list[str]:
    received = boto3.client("sqs").receive_message(QueueUrl=os.environ[queue], MaxNumberOfMessages=10)
    return [message["Body"] for message in received["Messages"]]
