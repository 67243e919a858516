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

import json
import os
from datetime import UTC, datetime
from typing import Any

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

from bench.peers import records
from bench.peers.records import Json

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
    events = records.several(app.current_event.json_body)
    metrics.add_metric(name="EventsTakenIn", unit=MetricUnit.Count, value=len(events))
    return {"results": [take_in(event=event) for event in events]}


@idempotent_function(  # type: ignore[untyped-decorator]  # Powertools says nothing of what it makes
    data_keyword_argument="event", config=once_an_event, persistence_store=known_events
)
def take_in(event: Json) -> Json:
    """Write raw object and index row."""
    return records.stored(event, records.id_of(event), datetime.now(UTC).isoformat())


@app.get("/events")
def search() -> Json:
    """A page of the events of an entity, or of a source, type and day."""
    metrics.add_metric(name="Searches", unit=MetricUnit.Count, value=1)
    return records.search(app.current_event.query_string_parameters)


@app.post("/replay")
def replay() -> Json:
    """Send a message for each event of a source, type and day, in tens."""
    sent, replay_id = 0, app.current_event.request_context.request_id
    for messages in records.messages_by_page(app.current_event.json_body):
        bodies = [json.dumps({"replay_id": replay_id, **message}) for message in messages]
        for first in range(0, len(bodies), MESSAGES_A_SEND):
            ten = bodies[first : first + MESSAGES_A_SEND]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(ten)]
            records.sqs.send_message_batch(QueueUrl=records.QUEUE_URL, Entries=entries)  # type: ignore[arg-type]  # plain dicts
        sent += len(bodies)
    metrics.add_metric(name="MessagesSent", unit=MetricUnit.Count, value=sent)
    return {"sent": sent}


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
    records.counted(message)
