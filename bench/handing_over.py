"""Hand messages to processors in batches of a hundred, as Lambda does on AWS, where the emulator gives ten at most."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from bench.measured import Replayed, Scenario, sent_to_the_last
from bench.rounds import ROUNDS, Rates, alternating, require_equal
from bench.sides import Side
from chalicelib.domain.chunks import chunked
from embedded.server import ACCOUNT, REGION

BATCH = 100
AT_ONCE = 5
"""As many functions as the emulator lets read a queue."""

DELIVERIES = 5

Record = dict[str, Any]


def handed_over(scenario: Scenario, sides: Sequence[Side], at_once: int) -> Replayed:
    """Let all sides send what they took in, and then so many of their functions process it, each event once."""
    events = scenario.events * ROUNDS
    processing = Rates()

    def replay(side: Side, _: int) -> float:
        side.listen(enabled=False)
        replay_id, seconds = sent_to_the_last(side, scenario.event_type, events)
        before, batches = side.counted(replay_id), list(chunked(list(_received(side)), BATCH))
        begun = time.perf_counter()
        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(partial(_invoked, side), batches))
        processing.of[side.name].append(events / (time.perf_counter() - begun))
        side.admin.sqs.purge_queue(QueueUrl=side.queue_url)
        require_equal({"counted": side.counted(replay_id) - before, "taken in": events}, side.name)
        return events / seconds

    return Replayed(scenario, alternating({side.name: partial(replay, side) for side in sides}), processing)


def _received(side: Side) -> Iterator[Record]:
    """All messages of a side's queue, as Lambda hands them over."""
    receive = partial(side.admin.sqs.receive_message, QueueUrl=side.queue_url, MaxNumberOfMessages=10)
    while messages := receive().get("Messages", []):
        for message in messages:
            yield {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{side.queue_url.rpartition('/')[2]}",
                "awsRegion": REGION,
            }


def _invoked(side: Side, records: Sequence[Record]) -> None:
    """Deliver a batch, and what of it failed again, as others were writing the same."""
    pending = list(records)
    for _ in range(DELIVERIES):
        payload = json.dumps({"Records": pending}).encode()
        answer = side.admin.functions.invoke(FunctionName=side.processor, Payload=payload)
        said: Record | None = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise RuntimeError(f"{side.name} did not process its messages: {said}")
        failed = {each["itemIdentifier"] for each in (said or {}).get("batchItemFailures", [])}
        pending = [record for record in pending if record["messageId"] in failed]
        if not pending:
            return
    raise RuntimeError(f"{side.name} did not process {len(pending)} messages.")
