"""aws-lambda-powertools: its event handler, metrics, idempotency in DynamoDB and batch processor, as a Lambda function.

Written as its documentation shows: the event handler (core/event_handler/api_gateway), idempotent_function around what
must happen once (utilities/idempotency), the batch processor with idempotency around its records (utilities/batch),
under https://docs.aws.amazon.com/powertools/python/latest/. Sending has no utility there; it is done in tens.

What it does not guarantee, and Retrace does, beside what bench/peers/plain.py says of content and replays:

- An identity is known for as long as its record: an hour unless told otherwise. An event that is sent again later is
  stored again, and its rows overwritten.
- The same identity with other content gets the first one's answer, or fails its batch if payload validation is on.
- While an event is in progress a second send fails, with its whole batch. So does an event that is not valid.
- A function that ends after it counted and before it noted so counts twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.dynamodb.conditions import Key

Json = dict[str, Any]

s3 = boto3.client("s3")
sqs = boto3.client("sqs")
dynamodb = boto3.resource("dynamodb")
events_table = dynamodb.Table(os.environ["EVENTS_TABLE"])
counts_table = dynamodb.Table(os.environ["COUNTS_TABLE"])

BUCKET = os.environ["BUCKET"]
QUEUE_URL = os.environ["QUEUE_URL"]
TYPE_AND_DAY = "by-type-and-day"
MESSAGES_A_SEND = 10

metrics = Metrics(namespace="Peer")
app = APIGatewayRestResolver()
processor = BatchProcessor(event_type=EventType.SQS)
# One for each: a persistence layer keeps the configuration that it is first used with.
known_events = DynamoDBPersistenceLayer(table_name=os.environ["DEDUPE_TABLE"], key_attr="event_id")
known_messages = DynamoDBPersistenceLayer(table_name=os.environ["DEDUPE_TABLE"], key_attr="event_id")
once_an_event = IdempotencyConfig(event_key_jmespath="[source, idempotency_key]")
once_a_message = IdempotencyConfig(event_key_jmespath="[replay_id, event_id]")


@metrics.log_metrics
def api(event: Json, context: LambdaContext) -> Json:
    """Answer a request of API Gateway."""
    once_an_event.register_lambda_context(context)
    return app.resolve(event, context)


@app.post("/ingest")
def ingest() -> Json:
    """Take in one event or several."""
    submitted = app.current_event.json_body
    events = submitted if isinstance(submitted, list) else [submitted]
    metrics.add_metric(name="EventsTakenIn", unit=MetricUnit.Count, value=len(events))
    return {"results": [take_in(event=event) for event in events]}


@idempotent_function(  # type: ignore[untyped-decorator]  # Powertools says nothing of what it makes
    data_keyword_argument="event", config=once_an_event, persistence_store=known_events
)
def take_in(event: Json) -> Json:
    """Write raw object and index row."""
    identity = f"{event['source']}#{event['idempotency_key']}"
    event_id = hashlib.sha256(identity.encode()).hexdigest()
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
            "ingest_time": datetime.now(UTC).isoformat(),
            "s3_key": key,
        }
    )
    return {"event_id": event_id, "status": "ACCEPTED", "s3_key": key}


def type_and_day(source: str, event_type: str, day: str) -> str:
    """The partition of the index."""
    return f"{source}#{event_type}#{day}"


@app.get("/events")
def search() -> Json:
    """A page of the events of an entity, or of a source, type and day."""
    query = app.current_event.query_string_parameters
    metrics.add_metric(name="Searches", unit=MetricUnit.Count, value=1)
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


@app.post("/replay")
def replay() -> Json:
    """Send a message for each event of a source, type and day, in tens."""
    sent, start = 0, None
    replay_id = app.current_event.request_context.request_id
    while True:
        found = page(app.current_event.json_body, 1_000, start)
        items = found["Items"]
        for first in range(0, len(items), MESSAGES_A_SEND):
            ten = items[first : first + MESSAGES_A_SEND]
            entries = [{"Id": str(number), "MessageBody": message(replay_id, each)} for number, each in enumerate(ten)]
            sqs.send_message_batch(QueueUrl=QUEUE_URL, Entries=entries)  # type: ignore[arg-type]  # plain dicts
        sent += len(items)
        start = found.get("LastEvaluatedKey")
        if start is None:
            metrics.add_metric(name="MessagesSent", unit=MetricUnit.Count, value=sent)
            return {"sent": sent}


def message(replay_id: str | None, item: Json) -> str:
    """The body of a message."""
    named = {name: item[name] for name in ("event_id", "event_time", "event_type", "s3_key")}
    return json.dumps({"replay_id": replay_id, "entity_id": item["PK"], **named})


@metrics.log_metrics
def process(event: Json, context: LambdaContext) -> Any:
    """Process what a queue delivers; those that fail are delivered again by themselves."""
    once_a_message.register_lambda_context(context)
    metrics.add_metric(name="MessagesReceived", unit=MetricUnit.Count, value=len(event["Records"]))
    return process_partial_response(event=event, record_handler=handle, processor=processor, context=context)


def handle(record: SQSRecord) -> None:
    """Process a message."""
    count(message=record.json_body)


@idempotent_function(  # type: ignore[untyped-decorator]  # likewise
    data_keyword_argument="message", config=once_a_message, persistence_store=known_messages
)
def count(message: Json) -> None:
    """Count a message's event in its entity's day."""
    found = json.loads(s3.get_object(Bucket=BUCKET, Key=message["s3_key"])["Body"].read())
    counts_table.update_item(
        Key={"entity_id": found["entity_id"], "day": found["event_time"][:10]},
        UpdateExpression="ADD events :one",
        ExpressionAttributeValues={":one": 1},
    )
