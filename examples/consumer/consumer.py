#!/usr/bin/env python3
"""Consume replays: print the raw line of every replayed event, verbatim, and take its message off the queue.

    examples/consumer/consumer.py billing --until-empty > events.ndjson

It reads the queue of a destination, ordered or not, which DESTINATIONS names as the stack does. A message is deleted
when its line has been written; one that fails is left on the queue, which delivers it again and in the end lays it
aside.
"""

import argparse
import json
import os
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import boto3

BATCH = 10
LONG_POLL_S = 20
SCHEMA = "urn:retrace:replay-message:1"
LAST_POLL_S = 2
"""A queue that hands out nothing for so long is empty."""

Message = Mapping[str, Any]


class NotWhatWasSent(Exception):
    """The message is of another schema, or its raw line is not that of the event that it names."""


@dataclass
class Consumer:
    """Reads a queue, and writes the lines that its messages refer to."""

    sqs: Any
    s3: Any
    queue_url: str
    out: BinaryIO
    written: set[Hashable] = field(default_factory=set)
    """What was written already. To survive the process, keep it where the results are kept."""

    left: int = 0
    """Deliveries that failed."""

    def poll(self, seconds: int) -> bool:
        """Receive one batch and see it through; return whether there was one."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=seconds,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        deliveries = answer.get("Messages", [])
        handled = self._handle(deliveries)
        self.out.flush()  # first what came of them, then off the queue with them
        self._delete(handled)
        return bool(deliveries)

    def _handle(self, deliveries: Sequence[Message]) -> list[Message]:
        """Write what can be written; of an ordered queue, nothing of a group after the first that failed."""
        handled = []
        held_back = set()
        for delivery in deliveries:
            group = delivery.get("Attributes", {}).get("MessageGroupId")
            if group is not None and group in held_back:
                continue
            try:
                self._write(json.loads(delivery["Body"]))
            except Exception as failure:  # noqa: BLE001  # whatever is wrong with one message shall not stop the others
                complain(f"message {delivery['MessageId']} stays on the queue: {failure!r}")
                held_back.add(group)
                self.left += 1
            else:
                handled.append(delivery)
        return handled

    def _write(self, message: Message) -> None:
        """Write the line of an event, once for each replay however often it is delivered."""
        if message.get("schema") != SCHEMA:
            raise NotWhatWasSent(f"schema {message.get('schema')}, and this reads {SCHEMA}")
        identity = identity_of(message)
        if identity not in self.written:
            self.out.write(self._raw_line(message) + b"\n")
            self.written.add(identity)

    def _raw_line(self, message: Message) -> bytes:
        """Return the line, by one ranged GET, once it says of itself what the message says of it."""
        first, length = message["s3_offset"], message["s3_length"]
        answer = self.s3.get_object(
            Bucket=message["s3_bucket"], Key=message["s3_key"], Range=f"bytes={first}-{first + length - 1}"
        )
        line: bytes = answer["Body"].read()
        said = json.loads(line)
        if any(said[name] != message[name] for name in ("event_id", "content_sha256")):
            raise NotWhatWasSent(f"{message['s3_key']} at {first}")
        return line

    def _delete(self, handled: Sequence[Message]) -> None:
        if handled:
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(handled)]
            self.sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)  # what stays comes again


def identity_of(message: Message) -> Hashable:
    """Return what two deliveries of the same message share: its replay, its event, and which arrival of it."""
    arrival = message.get("duplicate") or {}
    return message["replay_id"], message["event_id"], tuple(sorted(arrival.items()))


def complain(what: str) -> None:
    """Say something beside the events."""
    sys.stderr.write(f"{what}\n")


def main(arguments: Sequence[str]) -> int:
    """Consume until interrupted, or until the queue is empty; return 1 if messages were left on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", help="a name in $DESTINATIONS, which names the queue of each")
    parser.add_argument("--until-empty", action="store_true", help="stop when the queue has nothing to hand out")
    chosen = parser.parse_args(arguments)
    declared = json.loads(os.environ.get("DESTINATIONS", "{}"))
    if chosen.destination not in declared:
        parser.error(f"{chosen.destination} is not in DESTINATIONS, which has: {', '.join(declared) or 'nothing'}")
    sqs = boto3.client("sqs")
    account, name = declared[chosen.destination]["arn"].split(":")[4:]
    consumer = Consumer(sqs, boto3.client("s3"), f"{sqs.meta.endpoint_url}/{account}/{name}", sys.stdout.buffer)
    try:
        while consumer.poll(LAST_POLL_S if chosen.until_empty else LONG_POLL_S) or not chosen.until_empty:
            pass
    except KeyboardInterrupt:
        pass
    complain(f"{len(consumer.written)} events written, {consumer.left} deliveries left to be tried again")
    return 1 if consumer.left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
