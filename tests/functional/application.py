"""What a test says to the application and asks of its stored state."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import boto3
from chalice.test import Client, HTTPResponse

from tests.conftest import SETTINGS

JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Application:
    """A running application: HTTP in front, its queues worked off on demand."""

    client: Client

    def ingest(
        self, body: Any, content_type: str = JSON, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> HTTPResponse:
        """POST /ingest; a body that is not bytes or text is sent as JSON."""
        sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return self.client.http.post(
            f"/ingest{query}", headers={"Content-Type": content_type, **(headers or {})}, body=sent
        )

    def get(self, path: str, **query: str) -> HTTPResponse:
        """GET a route."""
        return self.client.http.get(f"{path}?{urlencode(query)}" if query else path, headers={})

    def request_replay(self, **request: str) -> HTTPResponse:
        """POST /replay."""
        return self.client.http.post("/replay", headers={"Content-Type": JSON}, body=json.dumps(request).encode())

    def replay(self, **request: str) -> str:
        """Ask for a replay and work it off; answers its id."""
        replay_id: str = self.request_replay(**request).json_body["replay_id"]
        self.plan()
        self.process(self.take_messages())
        return replay_id

    def plan(self) -> None:
        """Let the planner work until its queue is empty."""
        while bodies := take(SETTINGS["REPLAY_JOBS_QUEUE_URL"], at_most=1):
            self.client.lambda_.invoke("planner", sqs_event(bodies))

    def take_messages(self) -> list[str]:
        """Every message on ReplayQueue, taken off it."""
        return list(itertools.chain.from_iterable(iter(lambda: take(SETTINGS["REPLAY_QUEUE_URL"]), [])))

    def process(self, bodies: Iterable[str], batch_size: int = 10) -> list[dict[str, Any]]:
        """Deliver messages to the processor in batches; answers its responses."""
        todo = list(bodies)
        batches = [todo[start : start + batch_size] for start in range(0, len(todo), batch_size)]
        return [self.client.lambda_.invoke("processor", sqs_event(batch)).payload for batch in batches]


def take(queue_url: str, at_most: int = 10) -> list[str]:
    """Receive messages and delete them."""
    sqs = boto3.client("sqs")
    messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=at_most).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


_message_numbers = itertools.count(1)


def sqs_event(bodies: Iterable[str]) -> dict[str, Any]:
    """An event as Lambda gets it from SQS, each message with an id of its own."""
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{next(_message_numbers):012d}",
                "receiptHandle": f"receipt-{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:retrace-test-replay",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }
