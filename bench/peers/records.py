"""What both peers read and write in the same way, as boto3's documentation shows. It is deployed with each of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
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
counts_table = dynamodb.Table(os.environ["COUNTS_TABLE"])

BUCKET = os.environ["BUCKET"]
QUEUE_URL = os.environ["QUEUE_URL"]
TYPE_AND_DAY = "by-type-and-day"


def several(submitted: Json | list[Json]) -> list[Json]:
    """The events of a request: one or several."""
    return submitted if isinstance(submitted, list) else [submitted]


def id_of(event: Json) -> str:
    """What an event is known by."""
    return hashlib.sha256(f"{event['source']}#{event['idempotency_key']}".encode()).hexdigest()


def stored(event: Json, event_id: str, ingest_time: str) -> Json:
    """Write raw object and index row; returns the result."""
    day = event["event_time"][:10]
    key = f"raw/{event['source']}/{day}/{event_id}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(event).encode(), ContentType="application/json")
    events_table.put_item(
        Item={
            "PK": event["entity_id"],
            "SK": f"{event['event_time']}#{event_id}",
            "type_day": f"{event['source']}#{event['event_type']}#{day}",
            "event_id": event_id,
            "source": event["source"],
            "event_type": event["event_type"],
            "event_time": event["event_time"],
            "ingest_time": ingest_time,
            "s3_key": key,
        }
    )
    return {"event_id": event_id, "status": "ACCEPTED", "s3_key": key}


def search(query: Json) -> Json:
    """A page of the events of an entity, or of a source, type and day."""
    return {"items": page(query, int(query["limit"]))["Items"]}


def page(wanted: Json, limit: int, start: Json | None = None) -> Any:
    """One Query."""
    query: Json = {"Limit": limit} if start is None else {"Limit": limit, "ExclusiveStartKey": start}
    if "entity_id" in wanted:
        return events_table.query(KeyConditionExpression=Key("PK").eq(wanted["entity_id"]), **query)
    partition = f"{wanted['source']}#{wanted['event_type']}#{wanted['day']}"
    return events_table.query(IndexName=TYPE_AND_DAY, KeyConditionExpression=Key("type_day").eq(partition), **query)


def messages_by_page(wanted: Json) -> Iterator[list[Json]]:
    """A message for each event of a source, type and day, as they are found."""
    start = None
    while True:
        found = page(wanted, 1_000, start)
        names = ("event_id", "event_time", "event_type", "s3_key")
        yield [{**{name: item[name] for name in names}, "entity_id": item["PK"]} for item in found["Items"]]
        start = found.get("LastEvaluatedKey")
        if start is None:
            return


def counted(message: Json) -> None:
    """Count a message's event in its entity's day."""
    found = json.loads(s3.get_object(Bucket=BUCKET, Key=message["s3_key"])["Body"].read())
    counts_table.update_item(
        Key={"entity_id": found["entity_id"], "day": found["event_time"][:10]},
        UpdateExpression="ADD events :one",
        ExpressionAttributeValues={":one": 1},
    )
