#!/usr/bin/env python3
"""Send JSON log lines as CloudEvents, made with the CloudEvents SDK for Python.

    export RETRACE_URL=https://abc123.execute-api.eu-west-1.amazonaws.com/api AWS_REGION=eu-west-1
    examples/producers/cloudevents_sdk.py < /var/log/shop/app.log

The SDK writes events and does not send them. This program sends batches, signed with the credentials that boto3 finds,
and sends a batch again until it is answered. The id makes an event that comes again a duplicate. It is that of the
record, or else a hash of the line.
"""

import gzip
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import uniform
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

SOURCE = "shop/checkout"
BATCH = "application/cloudevents-batch+json"
MOST_BYTES = 2_000_000
LONGEST_WAIT_S = 30.0


class Refused(Exception):
    """The whole batch was refused, and would be again."""


@dataclass(frozen=True)
class Sender:
    """Posts batches of CloudEvents until each is answered."""

    post: Callable[[bytes], urllib3.BaseHTTPResponse]
    sleep: Callable[[float], None] = time.sleep

    def send(self, events: Iterable[bytes]) -> int:
        """Send events in the JSON format; returns how many were refused and are in quarantine."""
        return sum(map(self._send, batches(events)))

    def _send(self, batch: bytes) -> int:
        attempt = 0
        while (answer := self._answer(batch)) is None:
            attempt += 1
            self.sleep(uniform(0, min(LONGEST_WAIT_S, 2.0**attempt)))  # noqa: S311  # jitter, no secret
        if answer.status != 200:
            raise Refused(f"POST /ingest was answered {answer.status}: {answer.data!r}")
        return int(answer.headers.get("Retrace-Refused", "0"))

    def _answer(self, batch: bytes) -> urllib3.BaseHTTPResponse | None:
        """The answer, or None if the batch must be sent again."""
        try:
            answer = self.post(batch)
        except urllib3.exceptions.HTTPError:
            return None
        return None if answer.status == 429 or answer.status >= 500 else answer


def event(line: bytes) -> bytes:
    """A log line as a CloudEvent in the JSON format."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        record = {"line": line.decode(errors="replace")}
    return http.to_structured_event(CloudEvent(attributes(record, line), record)).body


def attributes(record: dict[str, Any], line: bytes) -> dict[str, Any]:
    """What the SDK requires of an event, and what Retrace makes its entity and time of."""
    optional = {"subject": record.get("order"), "time": moment(record.get("time"))}
    return {
        "id": record.get("id") or hashlib.sha256(line).hexdigest(),
        "source": SOURCE,
        "type": record.get("event") or "unknown",
        "datacontenttype": "application/json",
    } | {name: value for name, value in optional.items() if value}


def moment(text: Any) -> datetime | None:
    """A time as the SDK wants it, to the microsecond; None if it is none."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def batches(events: Iterable[bytes]) -> Iterator[bytes]:
    """JSON arrays of events, each of at most MOST_BYTES unless one event is larger."""
    waiting: list[bytes] = []
    for each in events:
        if waiting and sum(map(len, waiting)) + len(waiting) + len(each) > MOST_BYTES:
            yield b"[" + b",".join(waiting) + b"]"
            waiting = []
        waiting.append(each)
    if waiting:
        yield b"[" + b",".join(waiting) + b"]"


def signed_post(url: str, region: str) -> Callable[[bytes], urllib3.BaseHTTPResponse]:
    """POST to a stage, signed."""
    session, pool = Session(), urllib3.PoolManager(timeout=35, retries=False)

    def post(batch: bytes) -> urllib3.BaseHTTPResponse:
        body = gzip.compress(batch)
        request = AWSRequest("POST", url, data=body, headers={"Content-Type": BATCH, "Content-Encoding": "gzip"})
        SigV4Auth(session.get_credentials(), "execute-api", region).add_auth(request)
        return pool.request("POST", url, body=body, headers=dict(request.headers.items()))

    return post


def main() -> int:
    """Send the lines of standard input; the exit status is 1 if events were refused."""
    sender = Sender(signed_post(os.environ["RETRACE_URL"] + "/ingest", os.environ["AWS_REGION"]))
    refused = sender.send(event(line) for line in map(bytes.strip, sys.stdin.buffer) if line)
    print(f"{refused} events were refused; `retrace rejected list` lists them.")  # noqa: T201  # it is a program
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
