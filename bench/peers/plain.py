"""The plain design: boto3 and one call for each thing to be done. It is deployed by itself, as a Lambda function.

What it does not guarantee, and Retrace does:

- A function that ends between the identity row and the event leaves an identity without event. Every later send is
  answered DUPLICATE, and the event is lost.
- Events are kept as parsed and written again: 1.10 becomes 1.1. They are not hashed, and can be overwritten.
- The same identity with other content is taken for a duplicate, without a trace. So is the time of later arrivals.
- One event that is not valid fails its whole batch, after those before it were stored.
- A replay is sent within the request that asks for it. It ends when the function's time does, shows no progress and
  cannot be stopped.
- A message that is delivered twice counts twice, and a count does not name its events. Counts of two replays add up.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

Json = dict[str, Any]

# Clients are made once for each process, as AWS advises:
# https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
s3 = boto3.client("s3")
sqs = boto3.client("sqs")
dynamodb = boto3.resource("dynamodb")
events_table = dynamodb.Table(os.environ["EVENTS_TABLE"])
dedupe_table = dynamodb.Table(os.environ["DEDUPE_TABLE"])
counts_table = dynamodb.Table(os.environ["COUNTS_TABLE"])

BUCKET = os.environ["BUCKET"]
QUEUE_URL = os.environ["QUEUE_URL"]
TYPE_AND_DAY = "by-type-and-day"


def api(event: Json, _context: object) -> Json:
    """Answer a request of API Gateway."""
    match event["httpMethod"], event["resource"]:
        case "POST", "/ingest":
            return answer(ingest(json.loads(event["body"])))
        case "POST", "/replay":
            return answer(replay(json.loads(event["body"])))
        case _:
            return answer(search(event["queryStringParameters"]))


def answer(body: Json) -> Json:
    """An answer for API Gateway, and a line for the log: the emulator waits 50 ms for a function that writes none."""
    print(json.dumps({name: value if isinstance(value, int) else len(value) for name, value in body.items()}))
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body, default=str)}


def ingest(submitted: Json | list[Json]) -> Json:
    """Take in one event or several."""
    events = submitted if isinstance(submitted, list) else [submitted]
    return {"results": [take_in(event) for event in events]}


def take_in(event: Json) -> Json:
    """Write identity, raw object and index row, if the identity is new."""
    identity = f"{event['source']}#{event['idempotency_key']}"
    event_id = hashlib.sha256(identity.encode()).hexdigest()
    ingest_time = datetime.now(UTC).isoformat()
    try:
        dedupe_table.put_item(
            Item={"event_id": event_id, "ingest_time": ingest_time},
            ConditionExpression="attribute_not_exists(event_id)",
        )
    except dedupe_table.meta.client.exceptions.ConditionalCheckFailedException:
        return {"event_id": event_id, "status": "DUPLICATE"}
    day = event["event_time"][:10]
    key = f"raw/{event['source']}/{day}/{event_id}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(event).encode(), ContentType="application/json")
    events_table.put_item(
        Item={
            "PK": event["entity_id"],
            "SK": f"{event['event_time']}#{event_id}",
            "type_day": type_and_day(event["source"], event["event_type"], day),
            "event_id": event_id,
            "source": event["source"],
            "event_type": event["event_type"],
            "event_time": event["event_time"],
            "ingest_time": ingest_time,
            "s3_key": key,
        }
    )
    return {"event_id": event_id, "status": "ACCEPTED", "s3_key": key}


def type_and_day(source: str, event_type: str, day: str) -> str:
    """The partition of the index."""
    return f"{source}#{event_type}#{day}"


def search(query: Json) -> Json:
    """A page of the events of an entity, or of a source, type and day."""
    return {"items": page(query, int(query["limit"]))["Items"]}


def page(wanted: Json, limit: int, start: Json | None = None) -> Any:
    """One Query."""
    query: Json = {"Limit": limit}
    if start is not None:
        query["ExclusiveStartKey"] = start
    if "entity_id" in wanted:
        return events_table.query(KeyConditionExpression=Key("PK").eq(wanted["entity_id"]), **query)
    partition = type_and_day(wanted["source"], wanted["event_type"], wanted["day"])
    return events_table.query(IndexName=TYPE_AND_DAY, KeyConditionExpression=Key("type_day").eq(partition), **query)


def replay(wanted: Json) -> Json:
    """Send a message for each event of a source, type and day."""
    sent, start = 0, None
    while True:
        found = page(wanted, 1_000, start)
        for item in found["Items"]:
            message = {name: item[name] for name in ("event_id", "event_time", "event_type", "s3_key")}
            sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps({**message, "entity_id": item["PK"]}))
            sent += 1
        start = found.get("LastEvaluatedKey")
        if start is None:
            return {"sent": sent}


def process(event: Json, _context: object) -> None:
    """Count each message's event in its entity's day."""
    for record in event["Records"]:
        message = json.loads(record["body"])
        found = json.loads(s3.get_object(Bucket=BUCKET, Key=message["s3_key"])["Body"].read())
        counts_table.update_item(
            Key={"entity_id": found["entity_id"], "day": found["event_time"][:10]},
            UpdateExpression="ADD events :one",
            ExpressionAttributeValues={":one": 1},
        )
    print(json.dumps({"processed": len(event["Records"])}))
