"""The deployed API at its edges: who may call it, that bytes arrive as sent, and where poison ends."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
import urllib3

from embedded.api import Api
from embedded.connection import Stack
from tests.e2e.deployed import Deployed, until

JSON = {"Content-Type": "application/json"}

ROUTES = [
    ("POST", "/ingest"),
    ("GET", f"/events/{'0' * 64}"),
    ("GET", f"/events/{'0' * 64}/raw"),
    ("POST", "/replay"),
    ("GET", "/replay/none"),
    ("GET", "/aggregates"),
    ("GET", "/aggregates/inputs"),
    ("GET", "/aggregates/diff"),
    ("GET", "/rejected"),
    ("GET", "/rejected/none"),
    ("POST", "/rejected/none/retry"),
    ("GET", "/health"),
]


def event(entity_id: str, **changes: Any) -> dict[str, Any]:
    """A valid event."""
    members = {
        "source": "e2e/edges",
        "event_type": "thing.happened",
        "entity_id": entity_id,
        "event_time": "2026-11-21T12:00:00Z",
        "payload": {"of": entity_id},
    }
    return members | changes


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_an_unsigned_request(stack: Stack, method: str, path: str) -> None:
    answer = urllib3.request(method, stack.api_url + path, retries=False)
    assert answer.status == 403


def test_a_wrong_secret_is_refused(stack: Stack) -> None:
    forged = Stack(**{name: getattr(stack, name) for name in stack.__slots__} | {"secret_access_key": "x" * 40})
    assert Api(forged).call("GET", "/health").status == 403


def test_numbers_come_back_as_they_were_sent(deployed: Deployed) -> None:
    text = json.dumps(event("numbers")).replace('{"of": "numbers"}', "[1.10, 12345678901234567890, 1.688560107857E9]")
    accepted = deployed.api.call("POST", "/ingest", body=text.encode(), headers=JSON)
    assert accepted.status == 201, accepted.data
    raw = deployed.api.call("GET", f"/events/{accepted.json()['event_id']}/raw")
    assert raw.data == text.encode()


def test_a_gzip_body_arrives_byte_for_byte(deployed: Deployed) -> None:
    text = json.dumps(event("gzip", payload="ü" * 10_000)).encode()
    packed = gzip.compress(text)
    accepted = deployed.api.call("POST", "/ingest", body=packed, headers=JSON | {"Content-Encoding": "gzip"})
    assert accepted.status == 201, accepted.data
    assert deployed.api.call("GET", f"/events/{accepted.json()['event_id']}/raw").data == text


def test_bytes_that_are_not_utf8_reach_quarantine_as_they_were_sent(deployed: Deployed) -> None:
    body = json.dumps(event("bytes")).encode().replace(b"thing", b"th\xffng")
    refused = deployed.api.call("POST", "/ingest", body=body, headers=JSON)
    assert refused.status == 400
    day, _, digest = refused.json()["rejected_id"].partition(".")
    kept = deployed.admin.s3.get_object(
        Bucket=deployed.stack.raw_bucket, Key=f"rejected/ingest_date={day}/{digest}.json"
    )
    assert base64.b64decode(json.loads(kept["Body"].read())["body_base64"]) == body


def test_who_asked_for_a_replay_is_recorded(deployed: Deployed) -> None:
    job = deployed.replayed(source="e2e/nobody", event_type="none", day="2026-11-21")
    assert job["requested_by"].startswith("arn:aws:iam::")
    assert (job["scanned"], job["sent"], job["processed"]) == (0, 0, 0)


def test_a_replay_by_type_reaches_every_entity(deployed: Deployed) -> None:
    events = [event(f"typed-{number}", event_type="typed", payload=number) for number in range(30)]
    assert deployed.post("/ingest", events).json()["counts"]["accepted"] == 30
    job = deployed.replayed(source="e2e/edges", event_type="typed", day="2026-11-21")
    assert (job["sent"], job["processed"]) == (30, 30)
    versions = [deployed.get("/aggregates", entity_id=e["entity_id"], day="2026-11-21")["versions"] for e in events]
    assert [[(version["replay_id"], version["value"]) for version in found] for found in versions] == [
        [(job["replay_id"], 1)]
    ] * 30


def test_poison_ends_in_the_dead_letter_queue_and_its_neighbours_are_processed(deployed: Deployed) -> None:
    accepted = deployed.post("/ingest", event("neighbour")).json()
    stack, sqs = deployed.stack, deployed.admin.sqs
    visibility = sqs.get_queue_attributes(QueueUrl=stack.replay_queue_url, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=stack.replay_queue_url, Attributes={"VisibilityTimeout": "1"})
    try:
        sqs.send_message_batch(
            QueueUrl=stack.replay_queue_url,
            Entries=[
                {"Id": "poison", "MessageBody": "no message"},
                {
                    "Id": "neighbour",
                    "MessageBody": json.dumps({"s3_bucket": accepted["s3_bucket"], "s3_key": accepted["s3_key"]}),
                },
            ],
        )
        until(lambda: _waiting(deployed) == 1)
    finally:
        sqs.set_queue_attributes(QueueUrl=stack.replay_queue_url, Attributes=visibility["Attributes"])
    dead = sqs.receive_message(QueueUrl=stack.dead_letter_queue_url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in dead] == ["no message"]
    versions = deployed.get("/aggregates", entity_id="neighbour", day="2026-11-21")["versions"]
    assert [version["value"] for version in versions] == [1]


def _waiting(deployed: Deployed) -> int:
    answer = deployed.admin.sqs.get_queue_attributes(
        QueueUrl=deployed.stack.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
