"""The deployed API at its edges: who may call it, that bytes arrive as sent, and where poison ends."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from embedded.client import Api
from embedded.connection import Stack
from embedded.deployment import STACK_NAME
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
    answer = urllib3.request(method, stack.api_url + path, retries=False, timeout=60)
    assert answer.status == 403


@pytest.mark.parametrize("entity_id", ["\nbreak", "tab\tand\x00", "*", "a/b#c", "łódź", " "])
def test_rights_reach_the_keys_of_every_entity(deployed: Deployed, entity_id: str) -> None:
    """The conditions on partition keys are patterns, and an entity's name is part of its key."""
    answer = deployed.post("/ingest", event(entity_id))
    assert answer.status == 201, answer.data

    found = deployed.get("/events", entity_id=entity_id)

    assert [item["entity_id"] for item in found["items"]] == [entity_id]


def test_a_wrong_secret_is_refused(stack: Stack) -> None:
    forged = Stack(**{name: getattr(stack, name) for name in stack.__slots__} | {"secret_access_key": "x" * 40})
    assert Api(forged).call("GET", "/health").status == 403


@pytest.mark.parametrize(("function", "path"), [("IngestHandler", "/ingest"), ("APIHandler", "/replay")])
def test_a_function_itself_refuses_what_reaches_it_unsigned(deployed: Deployed, function: str, path: str) -> None:
    found = deployed.admin.cloudformation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=function)
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    request = {
        "requestContext": {"httpMethod": "POST", "resourcePath": path, "identity": {"userArn": None}},
        "headers": JSON,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": json.dumps(event("unsigned")),
        "isBase64Encoded": False,
    }

    answered = deployed.admin.functions.invoke(FunctionName=name, Payload=json.dumps(request).encode())

    assert json.loads(answered["Payload"].read())["statusCode"] == 401


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
    assert [[(version["replay_id"], version["event_count"]) for version in found] for found in versions] == [
        [(job["replay_id"], 1)]
    ] * 30


@pytest.fixture
def impatient(deployed: Deployed) -> Iterator[None]:
    """What fails comes back to ReplayQueue after a second, not after six minutes."""
    sqs, url = deployed.admin.sqs, deployed.stack.replay_queue_url
    visibility = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes=visibility["Attributes"])


@pytest.mark.usefixtures("impatient")
def test_poison_ends_in_the_dead_letter_queue_and_its_neighbours_are_processed(deployed: Deployed) -> None:
    before = _waiting(deployed)
    names = ["good", "tampered", "fine", "missing"]
    stored = {name: deployed.post("/ingest", event("poison", payload=name)).json() for name in names}
    stack, s3, sqs = deployed.stack, deployed.admin.s3, deployed.admin.sqs
    place = {"Bucket": stack.raw_bucket, "Key": stored["tampered"]["s3_key"]}
    body = s3.get_object(**place)["Body"].read().replace(b"tampered", b"tempered")
    spoilt = [
        (place["Key"], s3.put_object(**place, Body=body)["VersionId"]),
        (stored["missing"]["s3_key"], _deleted(deployed, stored["missing"]["s3_key"])),
    ]
    strangers = {
        "malformed": "no message",
        "oversized": "x" * 100_000,
        "wrong-bucket": json.dumps({"s3_bucket": "another", "s3_key": "raw/none"}),
        "missing-object": json.dumps({"s3_bucket": stack.raw_bucket, "s3_key": "raw/none"}),
        "unknown-replay": _message(stored["good"], stack.raw_bucket),
    }
    sqs.send_message_batch(
        QueueUrl=stack.replay_queue_url,
        Entries=[{"Id": name, "MessageBody": body} for name, body in strangers.items()],
    )

    job = deployed.replayed(entity_id="poison", start_time="2026-11-21T00:00:00Z", end_time="2026-11-22T00:00:00Z")
    until(lambda: _waiting(deployed) == before + len(strangers) + 2)

    assert (job["sent"], job["processed"], job["failed"]) == (4, 2, 2)
    dead = _dead_letters(deployed)
    assert {failure: body for body, failure in dead if body in strangers.values()} == strangers
    by_event = {json.loads(body)["event_id"]: failure for body, failure in dead if job["replay_id"] in body}
    assert by_event == {stored["tampered"]["event_id"]: "integrity", stored["missing"]["event_id"]: "missing-object"}
    [version] = deployed.get("/aggregates", entity_id="poison", day="2026-11-21")["versions"]
    assert version["event_count"] == 2

    for key, version in spoilt:  # as an administrator mends it
        s3.delete_object(Bucket=stack.raw_bucket, Key=key, VersionId=version)
    deployed.post(f"/replay/{job['replay_id']}/redrive", {})
    until(lambda: deployed.get(f"/replay/{job['replay_id']}")["processed"] == 4)
    assert deployed.get(f"/replay/{job['replay_id']}")["failed"] == 0


def _deleted(deployed: Deployed, key: str) -> str:
    """Delete an object as nobody may; answers the version of its delete marker."""
    return deployed.admin.s3.delete_object(Bucket=deployed.stack.raw_bucket, Key=key)["VersionId"]


def _message(stored: dict[str, Any], bucket: str) -> str:
    """A message of a replay that there is not."""
    members = {name: stored[name] for name in ("event_id", "content_sha256", "s3_key")}
    time = "2026-11-21T12:00:00.000000000Z"
    members |= {"schema": "urn:retrace:replay-message:1", "destination": "aggregates", "ingest_time": time}
    of_event = {"entity_id": "poison", "event_time": time, "source": "e2e/edges", "event_type": "thing.happened"}
    where = {"s3_bucket": bucket, "s3_offset": 0, "s3_length": 1}
    return json.dumps({"replay_id": "00000000-0000-7000-8000-000000000000", **members, **of_event, **where})


def _dead_letters(deployed: Deployed) -> list[tuple[str, str]]:
    """Every dead letter, with its failure; those of no replay are taken off, as nothing will come of them."""
    sqs, url = deployed.admin.sqs, deployed.stack.dead_letter_queue_url
    found = []
    while received := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
    ).get("Messages", []):
        found += received
    for each in found:
        if "00000000-0000-7000" in each["Body"] or "replay_id" not in each["Body"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        else:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
    return [(each["Body"], each["MessageAttributes"]["failure"]["StringValue"]) for each in found]


def _waiting(deployed: Deployed) -> int:
    answer = deployed.admin.sqs.get_queue_attributes(
        QueueUrl=deployed.stack.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
