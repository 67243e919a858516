"""What a test says to the application: HTTP in front, its queues behind, worked off on demand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError
from chalice.app import Chalice
from chalice.local import LambdaContext
from chalice.test import Client, HTTPResponse

from chalicelib.core.version import MAJOR_VERSION
from tests import conformance
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.events import Json, as_json
from tests.functional.wire import Killed

JSON = "application/json"
NDJSON = "application/x-ndjson"

SetSetting = Callable[[str, str], None]
"""Gives the application another value of a setting, by the name of its variable."""

_FUNCTION_S = 60.0
_ONE_BATCH_S = 20.0
"""A planner that has no more time left than this does not begin another batch, so each call does one."""

_message_numbers = itertools.count(1)


@dataclass(frozen=True)
class Message:
    """A message as a queue delivers it."""

    body: str
    message_id: str
    receipt_handle: str

    @property
    def members(self) -> Json:
        """What it says."""
        members: Json = json.loads(self.body)
        return members


def message(body: Any) -> Message:
    """A message that no queue holds; what is not text is sent as JSON."""
    number = next(_message_numbers)
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(text, f"00000000-0000-4000-8000-{number:012d}", f"receipt-{number}")


@dataclass(frozen=True)
class Queue:
    """A queue, read past the application."""

    url: str

    def send(self, body: str) -> None:
        """Put a message on the queue."""
        clients.sqs().send_message(QueueUrl=self.url, MessageBody=body)

    def received(self) -> list[Message]:
        """Every visible message; they stay on the queue, in flight."""
        return list(itertools.chain.from_iterable(iter(self._received_at_once, [])))

    def _received_at_once(self) -> list[Message]:
        answer = clients.sqs().receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        messages = [
            Message(found["Body"], found["MessageId"], found["ReceiptHandle"]) for found in answer.get("Messages", [])
        ]
        clients.received.extend(found.receipt_handle for found in messages)
        return messages

    def attributes(self) -> list[dict[str, str]]:
        """The attributes of at most ten visible messages."""
        answer = clients.sqs().receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        found = [message["MessageAttributes"] for message in answer["Messages"]]
        return [{name: value["StringValue"] for name, value in each.items()} for each in found]

    def taken(self) -> list[Message]:
        """Every visible message, taken off the queue; a FIFO queue gives out more of a group only then."""
        messages = []
        for batch in iter(self._received_at_once, []):
            for found in batch:
                clients.sqs().delete_message(QueueUrl=self.url, ReceiptHandle=found.receipt_handle)
            messages += batch
        return messages

    def counted(self) -> dict[str, str]:
        """How many messages the queue holds: visible, in flight and delayed."""
        answer = clients.sqs().get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        counts = {str(name): value for name, value in answer["Attributes"].items()}
        return {name: value for name, value in counts.items() if name.startswith("ApproximateNumber")}

    def a_minute_later(self) -> None:
        """Every message is visible again, whoever received it, as its visibility timeout has ended."""
        self._shown_again(clients.received)

    def given_back(self, messages: Iterable[Message]) -> None:
        """Make messages in flight visible again, as the end of their visibility timeout does."""
        self._shown_again(found.receipt_handle for found in messages)

    def _shown_again(self, receipts: Iterable[str]) -> None:
        for receipt in receipts:
            with suppress(ClientError):  # a deleted message's receipt is good for nothing
                clients.sqs().change_message_visibility(QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0)


@dataclass(frozen=True)
class Application:
    """A running application."""

    client: Client
    app: Chalice
    jobs: Queue = Queue(SETTINGS["REPLAY_JOBS_QUEUE_URL"])
    halted: Queue = Queue(SETTINGS["REPLAY_JOBS_DEAD_LETTER_QUEUE_URL"])
    messages: Queue = Queue(SETTINGS["REPLAY_QUEUE_URL"])
    billing: Queue = Queue(SETTINGS["REPLAY_QUEUE_URL"].replace("-replay", "-to-billing"))
    ordered: Queue = Queue(SETTINGS["REPLAY_QUEUE_URL"].replace("-replay", "-to-ordered.fifo"))
    dead_of_billing: Queue = Queue(SETTINGS["REPLAY_QUEUE_URL"].replace("-replay", "-dead-letters-of-billing"))
    dead_of_ordered: Queue = Queue(SETTINGS["REPLAY_QUEUE_URL"].replace("-replay", "-dead-letters-of-ordered.fifo"))
    failures: Queue = Queue(SETTINGS["REPLAY_FAILURES_QUEUE_URL"])
    dead: Queue = Queue(SETTINGS["DEAD_LETTER_QUEUE_URL"])

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> HTTPResponse:
        """Send a request; its answer must be as the OpenAPI document says, and name the version."""
        response = self.client.http.request(method, path, headers=dict(headers or {}), body=body)
        status, content_type = response.status_code, response.headers.get("Content-Type", "")
        assert conformance.faults(method, path, status, content_type, response.body) == []
        assert response.headers.get("Retrace-Version") == MAJOR_VERSION
        return response

    def ingest(
        self, body: Any, content_type: str | None = JSON, *, encoding: str | None = None, query: str = "?results=all"
    ) -> HTTPResponse:
        """POST /ingest, asking for every result; a body that is not bytes is sent as JSON."""
        given = {"content-type": content_type, "content-encoding": encoding}
        headers = {name: value for name, value in given.items() if value is not None}
        sent = body if isinstance(body, bytes) else as_json(body)
        return self.call("POST", f"/ingest{query}", headers, sent)

    def ingest_as(
        self, sent_by: str | None, body: Any, request_id: str, headers: Mapping[str, str] | None = None
    ) -> Json:
        """POST /ingest as API Gateway hands it over, signed by a principal; answers what the function answers."""
        return self.handed_over(
            {
                "requestContext": {
                    "httpMethod": "POST",
                    "resourcePath": "/ingest",
                    "requestId": request_id,
                    "identity": {"userArn": sent_by},
                },
                "headers": {"content-type": JSON, **(headers or {})},
                "multiValueHeaders": {},
                "multiValueQueryStringParameters": None,
                "pathParameters": None,
                "stageVariables": None,
                "body": as_json(body).decode(),
                "isBase64Encoded": False,
            }
        )

    def accept(self, body: Any) -> Json:
        """Ingest one event that must be new; answers its result."""
        response = self.ingest(body)
        assert response.status_code == 201, response.body
        result: Json = response.json_body
        return result

    def accept_all(self, events: Sequence[Json]) -> list[Json]:
        """Ingest a batch of events that must all be new; answers their results."""
        answer = self.ingest(events).json_body
        assert answer["counts"]["accepted"] == len(events), answer["counts"]
        results: list[Json] = answer["results"]
        return results

    def get(self, path: str, **query: str) -> HTTPResponse:
        """GET a route."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def request_replay(self, body: Any, **headers: str) -> HTTPResponse:
        """POST /replay."""
        sent = body if isinstance(body, bytes) else as_json(body)
        return self.call("POST", "/replay", {"content-type": JSON, **headers}, sent)

    def preview(self, body: Any, **headers: str) -> HTTPResponse:
        """POST /replay?dry_run=true."""
        return self.call("POST", "/replay?dry_run=true", {"content-type": JSON, **headers}, as_json(body))

    def requested(self, **request: Any) -> str:
        """Ask for a replay that must be taken; answers its id."""
        response = self.request_replay(request)
        assert response.status_code == 202, response.body
        replay_id: str = response.json_body["replay_id"]
        return replay_id

    def job(self, replay_id: str) -> Json:
        """A replay and how far it is."""
        job: Json = self.get(f"/replay/{replay_id}").json_body
        return job

    def plan(self) -> int:
        """Let the planner work until its queue is empty; answers how often it was called."""
        slices = 0
        while messages := self.jobs.taken():
            for found in messages:
                self.call_planner(found)
            slices += len(messages)
        return slices

    def plan_through(self, after_each: Callable[[], object] = lambda: None) -> int:
        """Plan to the end; a planner that is killed in between gets its message again. Answers how many were."""
        killed = 0
        while messages := self.jobs.taken():
            for found in messages:
                try:
                    self.call_planner(found)
                except Killed:
                    killed += 1
                    self.jobs.send(found.body)  # its visibility timeout is over
                after_each()
        return killed

    def call_planner(self, found: Message, receives: int = 1) -> None:
        """Deliver one message to the planner, for the n-th time."""
        self._invoked("planner", sqs_event([found], receives), _ONE_BATCH_S)

    def planned(self, **request: Any) -> tuple[str, list[Message]]:
        """Ask for a replay and plan it; answers its id and its messages, taken off the queue."""
        replay_id = self.requested_and_planned(**request)
        return replay_id, self.messages.taken()

    def requested_and_planned(self, **request: Any) -> str:
        """Ask for a replay and plan it; answers its id."""
        replay_id = self.requested(**request)
        self.plan()
        return replay_id

    def received_beside(self, *others: str, **request: Any) -> tuple[str, list[Message]]:
        """Ask for a replay and plan it; answers its id and its messages with others, received and not deleted."""
        replay_id = self.requested(**request)
        self.plan()
        for body in others:
            self.messages.send(body)
        return replay_id, self.messages.received()

    def replayed(self, **request: Any) -> str:
        """Ask for a replay and work it off; answers its id."""
        replay_id, messages = self.planned(**request)
        for batch in batched(messages, 10):
            assert self.process(batch) == {"batchItemFailures": []}
        return replay_id

    def process(self, messages: Iterable[Message]) -> Any:
        """Deliver messages to the processor in one batch; answers its response."""
        return self._invoked("processor", sqs_event(messages))

    def give_up_on(self, messages: Iterable[Message]) -> Any:
        """Deliver messages that were received too often, in one batch; answers the response."""
        return self._invoked("dead_letters", sqs_event(messages))

    def run_hourly(self, function: str) -> None:
        """Call a function as its schedule does, with ten minutes."""
        event = dict.fromkeys(("version", "account", "region", "detail", "detail-type", "source", "time", "id"), "")
        self._invoked(function, event | {"resources": []}, 600.0)

    def handed_over(self, request: Mapping[str, Any]) -> Json:
        """The answer to a request as API Gateway hands it over, of which Chalice's client writes only a part."""
        answer: Json = self.app(request, LambdaContext("api_handler", 512, max_runtime_ms=int(_FUNCTION_S * 1_000)))
        return answer

    def _invoked(self, function: str, event: Mapping[str, Any], seconds: float = _FUNCTION_S) -> Any:
        """Call a function with so much time; Chalice's client would give it three seconds."""
        return self.app.handler_map[function](event, LambdaContext(function, 512, max_runtime_ms=int(seconds * 1_000)))

    def versions(self, entity_id: str, day: str) -> list[Json]:
        """The versions of a daily aggregate."""
        versions: list[Json] = self.get("/aggregates", entity_id=entity_id, day=day).json_body["versions"]
        return versions


def batched(messages: Sequence[Message], *sizes: int) -> Iterator[Sequence[Message]]:
    """Consecutive batches of these sizes, the last size repeated until nothing is left."""
    start = 0
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        if start >= len(messages):
            return
        yield messages[start : start + size]
        start += size


def sqs_event(messages: Iterable[Message], receives: int = 1) -> Mapping[str, Any]:
    """An event as Lambda gets it from SQS."""
    return {
        "Records": [
            {
                "messageId": found.message_id,
                "receiptHandle": found.receipt_handle,
                "body": found.body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:retrace-test-replay",
                "awsRegion": "eu-west-1",
            }
            for found in messages
        ]
    }
