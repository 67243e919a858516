"""The plain design: boto3 and one call for each thing to be done. It is deployed as a Lambda function.

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

import json
import os
from datetime import UTC, datetime

from bench.peers import records
from bench.peers.records import Json

dedupe_table = records.dynamodb.Table(os.environ["DEDUPE_TABLE"])


def api(event: Json, _context: object) -> Json:
    """Answer a request of API Gateway."""
    match event["httpMethod"], event["resource"]:
        case "POST", "/ingest":
            return answer({"results": [take_in(each) for each in records.several(json.loads(event["body"]))]})
        case "POST", "/replay":
            return answer(replay(json.loads(event["body"])))
        case _:
            return answer(records.search(event["queryStringParameters"]))


def answer(body: Json) -> Json:
    """An answer for API Gateway, and a line for the log: the emulator waits 50 ms for a function that writes none."""
    print(json.dumps({name: value if isinstance(value, int) else len(value) for name, value in body.items()}))
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body, default=str)}


def take_in(event: Json) -> Json:
    """Write identity, raw object and index row, if the identity is new."""
    event_id, ingest_time = records.id_of(event), datetime.now(UTC).isoformat()
    try:
        dedupe_table.put_item(
            Item={"event_id": event_id, "ingest_time": ingest_time},
            ConditionExpression="attribute_not_exists(event_id)",
        )
    except dedupe_table.meta.client.exceptions.ConditionalCheckFailedException:
        return {"event_id": event_id, "status": "DUPLICATE"}
    return records.stored(event, event_id, ingest_time)


def replay(wanted: Json) -> Json:
    """Send a message for each event of a source, type and day."""
    sent = 0
    for messages in records.messages_by_page(wanted):
        for message in messages:
            records.sqs.send_message(QueueUrl=records.QUEUE_URL, MessageBody=json.dumps(message))
        sent += len(messages)
    return {"sent": sent}


def process(event: Json, _context: object) -> None:
    """Count each message's event in its entity's day."""
    for record in event["Records"]:
        records.counted(json.loads(record["body"]))
    print(json.dumps({"processed": len(event["Records"])}))
